"""What several callers at once get out of one model, on one session of it or on one of their own each."""

from __future__ import annotations

import attrs


@attrs.frozen
class ConcurrentThroughput:
    """Samples per second of ``callers`` threads that each call again as soon as they have their answer.

    ``sessions`` is how often the model was loaded in the one process: 1 where all callers share it, else one for each
    of them. ``batch_size`` is that of every call (−1: the model does not batch). ``throughput`` is the median over
    blocks, bounded by ``low`` and ``high`` with 95 % confidence; latencies are of single calls in ms, over all callers,
    ``None`` where there were too few to claim it. ``calls`` are those that were counted, in ``seconds``.
    """

    callers: int
    sessions: int
    batch_size: int
    throughput: float
    low: float
    high: float
    p50_latency: float
    p95_latency: float | None
    calls: int
    seconds: float

    @property
    def is_stable(self) -> bool:
        """Whether the interval is narrower than 10 % of the throughput."""
        return self.high - self.low < 0.1 * self.throughput
