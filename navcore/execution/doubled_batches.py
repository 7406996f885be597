"""For each model the batch of the most samples per second: doubled, each model alone in its child, while that gains."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import attrs

from navcore.errors import StepError
from navcore.evaluation import (
    GAIN,
    Doubling,
    Ratio,
    Window,
    doubled_note,
    median_interval,
    most_at,
    pooled_performance,
    usual_share,
)
from navcore.execution.admission import BASE
from navcore.execution.block_server import BlockLine
from navcore.execution.check_settings import doubling_of
from navcore.execution.contestants import Contestant
from navcore.execution.loaded_models import Model
from navcore.execution.memory_watch import MemoryWatch, room_for_one
from navcore.execution.run_context import RunContext
from navcore.workspace import BatchPerformance, Event, Failure, Stage, Status, describe

SHARE = 0.5
"""Of the budget, for all doublings together; the ranking has the rest."""

_FAT = 1.5
"""Times what it held when it was checked; a child with more than that does not stay beside others."""

_BLOCK = 0.1
_BRIEF = 600.0
"""Warmed up as for windows of so many ms: in blocks of 0.03 s."""

_FEWEST, _MOST = 2, 3
"""Pairs of blocks of two sizes. More than the fewest are taken where they disagree about a gain."""

_WARM_UP = 0.1
_WARM_UP_CALLS = 4
_NO_WINDOWS: Mapping[int, tuple[Window, ...]] = MappingProxyType({})


@attrs.frozen(eq=False)
class Reached:
    """How far the batch of one model was doubled: samples per second and blocks of each size, and why no further.

    ``cold`` are first calls in ms. ``failure`` says why nothing at all could be measured.
    """

    throughputs: Mapping[int, float]
    windows: Mapping[int, tuple[Window, ...]] = _NO_WINDOWS
    cold: Mapping[int, float] = attrs.field(factory=dict)
    threads: int | None = None
    end: str = ""
    failure: Failure | None = None

    def performances(self) -> dict[int, BatchPerformance]:
        """What the blocks of each size came to."""
        return {size: _performance(size, taken, self.cold[size]) for size, taken in self.windows.items()}


def _performance(size: int, taken: Sequence[Window], cold: float) -> BatchPerformance:
    usual = usual_share(taken)
    counted = [one for one in taken if not one.contention(usual)] or taken
    low, high = median_interval([one.median for one in counted], seed=size)
    stable = Ratio((low + high) / 2, low, high, 0).is_stable
    return pooled_performance(
        counted, size, stable=stable, counted=len(taken), cold_start=cold, interval=(low, high),
        notes=("Measured in a few short blocks, while the batch was doubled.",),
    )  # fmt: skip


def doubled_batches(
    context: RunContext,
    group: Sequence[Contestant],
    models: Mapping[str, Model],
    known: dict[str, Reached],
    until: float,
) -> list[Contestant]:
    """Double the batch of each loaded model, one after the other, until the time is over; each has an equal share.

    ``known`` is what has been reached so far, and is added to; where windows were measured already, what was reached
    there counts. Whatever ends a model at a larger batch (its memory, a limit, its own error) ends the doubling of that
    model alone, and the sizes before it stand. Returns those that have to be loaded anew: their child has died, or kept
    the memory that its largest batch took.
    """
    known.update({one.name: _by_windows(one) for one in group if one.performance})
    left = [one for one in group if one.name in models and one.name not in known]
    if not left:
        return []
    began, anew = time.perf_counter(), list[Contestant]()
    budget = max(0.0, until - began)
    text = f"{len(left)} models, one after the other, at most {budget:.0f} s"
    context.announce(Event(Stage.RANKING, _SUBJECT, text, seconds=budget))
    for number, one in enumerate(left):
        now = time.perf_counter()
        found = _doubled(context, one, models[one.name], now + max(0.0, until - now) / (len(left) - number))
        told = doubled_note(found.throughputs, found.end) if found.failure is None else found.failure.cause
        status = Status.OK if found.failure is None else Status.FAILED
        context.announce(Event(Stage.RANKING, one.name, told, status, time.perf_counter() - now))
        known[one.name] = found
        if found.throughputs and not _is_fit(one, models[one.name]):
            anew.append(one)
    seconds = time.perf_counter() - began
    context.announce(Event(Stage.RANKING, _SUBJECT, f"{len(left)} models", Status.OK, seconds))
    return anew


def _is_fit(one: Contestant, model: Model) -> bool:
    """Whether the model can stay loaded beside others: its child lives, and holds about what it held when checked.

    One that cannot is let go.
    """
    if not isinstance(model, BlockLine):
        return True
    with contextlib.suppress(StepError):
        if model.resident() <= _FAT * (one.memory or 0) + BASE:
            return True
    model.hang_up()
    return False


_SUBJECT = "doubling the batch"


def sizes_to_rank(known: Mapping[str, Reached], reference: str) -> dict[int, list[str]]:
    """At which sizes the models are held against the reference: the smallest, and where each has the most throughput.

    Of each only sizes count that the reference has reached as well, or where it reached none the first that did. By
    size, rising, who has reached it.
    """
    reached = {name: one for name, one in known.items() if one.throughputs}
    if not reached:
        return {}
    against = reached.get(reference, next(iter(reached.values()))).throughputs
    wanted = set[int]()
    for one in reached.values():
        common = {size: found for size, found in one.throughputs.items() if size in against}
        wanted |= {min(common), most_at(common)} if common else set()
    return {size: [name for name, one in reached.items() if size in one.throughputs] for size in sorted(wanted)}


def _by_windows(one: Contestant) -> Reached:
    return Reached({measured.batch_size: measured.throughput for measured in one.performance})


def _doubled(context: RunContext, one: Contestant, model: Model, until: float) -> Reached:
    doubling = doubling_of(context, one.artifact)
    if isinstance(model, BlockLine):
        return _Doubled(model, doubling, None, until, compares=not doubling.unlike).carried_out()
    with MemoryWatch(context.samples.signature, room_for_one()) as watch:
        return _Doubled(model, doubling, watch, until).carried_out()


class _Doubled:
    """One model while its batch is doubled."""

    def __init__(
        self, model: Model, doubling: Doubling, watch: MemoryWatch | None, until: float, *, compares: bool = False
    ) -> None:
        self._model = model
        self._compares = compares
        self._doubling = doubling
        self._watch = watch
        self._until = until
        self._windows: dict[int, list[Window]] = {}
        self._cold: dict[int, float] = {}
        self._threads: int | None = None
        self._gains: list[float] = []

    def carried_out(self) -> Reached:
        size = self._doubling.smallest
        try:
            if self._watch is not None:
                self._watch.no_room(size)  # of the first it is known only what it takes
            begun = self._model.begin(size)
            self._cold[size], self._threads = begun.cold_start, begun.threads
            if self._compares:
                self._model.compare(size)
            self._windows[size] = [self._model.block(_BLOCK) for _ in range(_FEWEST)]
        except Exception as error:
            told = describe(error)
            return Reached({}, failure=attrs.evolve(told, cause=f"at batch size {size}: {told.cause}"))
        end = ""
        while not end and not self._doubling.is_over(self._gains):
            end = self._one_further()
        throughputs = {size: _throughput(size, taken) for size, taken in self._windows.items()}
        return Reached(
            throughputs,
            {size: tuple(taken) for size, taken in self._windows.items()},
            self._cold,
            self._threads,
            self._doubling.told(end or self._doubling.end(self._gains)),
        )

    def _one_further(self) -> str:
        """Measure at the next size, beside the one before; why that cannot be, or nothing."""
        before = self._doubling.size(len(self._gains))
        size = self._doubling.size(len(self._gains) + 1)
        if self._watch is not None and (reason := self._watch.no_room(size)):
            return reason
        if reason := self._no_time(before):
            return reason
        taken: list[Window] = []
        try:
            begun = self._model.begin(size, _BRIEF)
            if self._compares:
                self._model.compare(size)
            gain = self._gain(before, size, taken)
        except Exception as error:
            return f"at {size}: {describe(error).cause}"
        self._cold[size], self._windows[size] = begun.cold_start, taken
        self._gains.append(gain)
        return ""

    def _gain(self, before: int, size: int, taken: list[Window]) -> float:
        """By what share the throughput grows: the median of pairs of blocks, one of each size in turn."""
        gains: list[float] = []
        while len(gains) < _FEWEST or (len(gains) < _MOST and not _agree(gains) and time.perf_counter() < self._until):
            self._model.again(before)
            smaller = self._model.block(_BLOCK)
            self._model.again(size)
            larger = self._model.block(_BLOCK)
            self._windows[before].append(smaller)
            taken.append(larger)
            gains.append(_throughput(size, [larger]) / _throughput(before, [smaller]) - 1)
        return statistics.median(gains)

    def _no_time(self, before: int) -> str:
        """Why there is no time for twice the batch, foreseen to take twice as long a call."""
        call = statistics.median(one.median for one in self._windows[before]) / 1000
        warming = max(_WARM_UP, _WARM_UP_CALLS * 2 * call)
        needed = warming + _FEWEST * (max(_BLOCK, call) + max(_BLOCK, 2 * call))
        if time.perf_counter() + needed <= self._until:
            return ""
        return "the time for it was over; a larger budget= gives it more"


def _agree(gains: Sequence[float]) -> bool:
    return all(gain >= GAIN for gain in gains) or all(gain < GAIN for gain in gains)


def _throughput(size: int, taken: Sequence[Window]) -> float:
    """Samples per second, by the median latency of a call; a clock may be too coarse for it."""
    latency = statistics.median(one.median for one in taken) or statistics.fmean(one.average for one in taken)
    return 1000 * size / latency
