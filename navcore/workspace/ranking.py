"""Which model is faster, and how sure that is: ratios of blocks that were measured in turn."""

from __future__ import annotations

import attrs

from navcore.contract import Name


@attrs.frozen
class PairedRatio:
    """How many times faster one format in one runtime is than the reference, at one batch size (−1: unbatched).

    ``format`` is the variant's name. ``ratio`` is the median, over ``pairs`` rounds, of the reference's median latency
    over this one's; ``low`` and ``high`` bound it with 95 % confidence, over the rounds.
    """

    format: Name = attrs.field(converter=Name)
    runtime: Name = attrs.field(converter=Name)
    batch_size: int
    ratio: float
    low: float
    high: float
    pairs: int

    @property
    def shows_difference(self) -> bool:
        """Whether the interval leaves 1 out: otherwise the measurement shows no difference to the reference."""
        return not self.low <= 1 <= self.high

    @property
    def margin(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


@attrs.frozen
class Ranking:
    """The models of a run, measured in turn on one machine: ratios to ``reference``, the fastest first per batch size.

    ``reference`` is the format and the runtime of the source, or where the source is not there the first that could be
    measured. ``seed`` shuffled the order of the blocks, each about ``block_seconds`` long. ``seconds`` is how long it
    took, of a ``budget`` in seconds; ``settled`` says that every interval became narrower than 3 % of its ratio before
    that was over. ``machine`` is the key of the machine.
    """

    reference: tuple[Name, Name]
    is_source: bool
    ratios: tuple[PairedRatio, ...]
    seed: int
    block_seconds: float
    budget: float
    seconds: float
    settled: bool
    machine: str = ""
    notes: tuple[str, ...] = ()

    def ratio(self, format: str, runtime: str, batch_size: int) -> PairedRatio | None:
        """The ratio of one row at one batch size, ``None`` where there is none."""
        wanted = (format, runtime, batch_size)
        return next((one for one in self.ratios if (one.format, one.runtime, one.batch_size) == wanted), None)
