"""The core's own profiler: measure one window by calling the runner in a closed loop."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING

from navcore.contract import profiler

if TYPE_CHECKING:
    import numpy as np

    from navcore.contract import ProfileJob

_FOREVER = 2**63 - 1


@profiler()
def one_window(job: ProfileJob) -> np.ndarray:
    """Call the runner until the job's seconds have passed, or for its calls, and at least once.

    Latencies are those of single calls by the monotonic clock, copies between host and device included, in
    milliseconds, float64, shape ``(calls,)``. The garbage collector is off meanwhile.
    """
    import numpy as np

    runner, feeds = job.runner, job.feeds
    latencies = array("q")
    left = max(1, job.calls) if job.calls is not None else _FOREVER
    with no_garbage_collection():
        end = perf_counter_ns() + int(job.seconds * 1e9) if job.seconds is not None else _FOREVER
        while True:
            start = perf_counter_ns()
            runner(feeds)
            stop = perf_counter_ns()
            latencies.append(stop - start)
            left -= 1
            if left == 0 or stop >= end:
                break
    return np.asarray(latencies, dtype=np.float64) / 1e6


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collect now, so that it does not happen inside a call, and not again until the end; then as it was before."""
    enabled, frozen = gc.isenabled(), gc.get_freeze_count()
    gc.collect()
    gc.disable()
    if not frozen:
        gc.freeze()
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()
        if enabled:
            gc.enable()
