"""What a check is asked for: how the outputs are judged, and what is measured."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from navcore.contract import ProfilerConfig
from navcore.evaluation.doubling import Doubling


@attrs.frozen
class VerifySettings:
    """What the outputs are held against; see :func:`navcore.evaluation.verification.verify`.

    ``runs`` is how many runs of the source the expected outputs are the means of, ``stateful`` whether
    it remembers from call to call. ``at_most`` limits the number of
    comparisons.
    """

    precision: str | None = None
    noise: Mapping[str, float] = attrs.field(factory=dict)
    atol: float | None = None
    rtol: float | None = None
    runs: int = 1
    stateful: bool = False
    at_most: int | None = None


@attrs.frozen
class MeasureSettings:
    """What is measured: one performance per batch size (−1: unbatched), by the named profiler route.

    With a ``doubling`` the sizes follow from what is measured, and ``batch_sizes`` is the first of them alone; by
    ``comparing`` each larger batch is held against the first.
    """

    config: ProfilerConfig
    batch_sizes: tuple[int, ...]
    profiler: str
    doubling: Doubling | None = None
    comparing: VerifySettings | None = None
