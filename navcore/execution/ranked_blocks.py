"""What the blocks of a ranking have shown so far, and what becomes of it on the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from navcore.contract import Name
from navcore.evaluation import Interleaved, Ratio, Window, doubled_note, pooled_performance, write_raw
from navcore.execution.contestants import Contestant, Place, Timed
from navcore.execution.doubled_batches import Reached
from navcore.execution.run_context import RunContext
from navcore.workspace import BatchPerformance, Failure, blocks_file, describe

_UNSETTLED = (
    "The time for the ranking was over before the ratio to the source was known to 10 %. "
    "A larger budget= or a quieter machine may help."
)


class RankedBlocks:
    """What has been measured so far, by contestant and batch size; ``reached`` while the batch was doubled."""

    def __init__(self) -> None:
        self.reached: dict[str, Reached] = {}
        self.sizes: dict[int, list[Interleaved]] = {}
        self.cold: dict[tuple[str, int], float] = {}
        self.threads: dict[str, int | None] = {}
        self.failures: dict[str, Failure] = {}

    @property
    def chosen(self) -> dict[str, int]:
        """The threads of models for which they were chosen while the batch was doubled."""
        return {name: one.threads for name, one in self.reached.items() if one.threads is not None}

    def fail(self, name: str, error: Exception, batch_size: int | None = None) -> None:
        """The contestant could not be measured, at that batch size or at all; the first reason counts."""
        told = describe(error)
        if batch_size is not None:
            told = attrs.evolve(told, cause=f"at batch size {batch_size}: {told.cause}")
        self.failures.setdefault(name, told)

    def windows(self, name: str) -> dict[int, list[Window]]:
        """Everything that was measured of a contestant, by batch size."""
        found = {size: list(taken) for size, taken in self._doubled(name).items()}
        for size, parts in self.sizes.items():
            taken = [window for part in parts for window in part.windows.get(name, ())]
            if taken:
                found[size] = [*found.get(size, ()), *taken]
        return found

    def _doubled(self, name: str) -> Mapping[int, tuple[Window, ...]]:
        return self.reached[name].windows if name in self.reached else {}

    def write_raw(self, context: RunContext, contestants: Sequence[Contestant]) -> None:
        """Keep the latencies of every block."""
        for one in contestants:
            folder = context.workspace.format_folder(Name(one.artifact.format.name))
            write_raw(blocks_file(folder, Name(one.route.runtime)), self.windows(one.name))

    def timed(self, contestants: Sequence[Contestant]) -> dict[Place, Timed]:
        """What becomes of it on the row of each contestant."""
        return {one.place: self._timed(one.name) for one in contestants}

    def _timed(self, name: str) -> Timed:
        found, notes = self._performances(name), tuple[str, ...]()
        if found and name in self.reached and self.reached[name].end:
            notes = (doubled_note({one.batch_size: one.throughput for one in found}, self.reached[name].end),)
        unreached = self.reached[name].failure if name in self.reached else None
        return Timed(found, self.threads.get(name), self.failures.get(name, unreached), notes)

    def _performances(self, name: str) -> tuple[BatchPerformance, ...]:
        doubled = {} if name not in self.reached else self.reached[name].performances()
        ranked = {size: found for size in self.sizes if (found := self._performance(name, size)) is not None}
        return tuple({**doubled, **ranked}.values())

    def _performance(self, name: str, size: int) -> BatchPerformance | None:
        parts = [part for part in self.sizes[size] if part.counted.get(name)]
        # One that failed after a round or two has no numbers: its row says why.
        parts = [part for part in parts if name in part.intervals or name not in part.failures]
        if not parts:
            return None
        counted = [window for part in parts for window in part.counted[name]]
        ratios = [part.ratios[name] for part in parts if name in part.ratios]
        intervals = [part.intervals[name] for part in parts if name in part.intervals]
        known = ratios or [Ratio(sum(interval) / 2, *interval, 0) for interval in intervals]
        stable = bool(known) and all(ratio.is_stable for ratio in known)
        return pooled_performance(
            counted,
            size,
            stable=stable,
            counted=sum(len(part.windows[name]) for part in parts),
            cold_start=self.cold[name, size],
            interval=intervals[0] if intervals else None,
            notes=(_UNSETTLED,) if known and not stable else (),
        )
