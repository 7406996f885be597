"""Calls a model until it has settled, before anything is measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter

from navcore.contract import WARM_UP_BLOCKS, WARM_UP_SECONDS, ProfilerConfig
from navcore.evaluation.windows import interpolated

_STILL_FALLING = 0.95


def warm_up(call: Callable[[], object], config: ProfilerConfig, clock: Callable[[], float] = perf_counter) -> float:
    """Call until the model has settled, and return the latency of the first call in ms.

    After the first call come blocks of calls, at least two and at most ten: time blocks of 0.1 s or a twentieth of a
    window, whichever is shorter, or count blocks of a tenth of a window. Settled means that three blocks of time, or
    0.3 s of counted calls, were spent, and that the block's median is no longer below 95 % of the one before.
    """
    cold_start = _seconds_of(call, clock)
    enough = WARM_UP_SECONDS if config.warm_up_seconds is None else 3 * config.warm_up_seconds
    began, before = clock(), math.inf
    for number in range(WARM_UP_BLOCKS):
        median = interpolated(_block(call, config, clock), 50)
        if number > 0 and clock() - began >= enough and median >= _STILL_FALLING * before:
            break
        before = median
    return 1000 * cold_start


def _block(call: Callable[[], object], config: ProfilerConfig, clock: Callable[[], float]) -> list[float]:
    seconds = math.inf if config.warm_up_seconds is None else config.warm_up_seconds
    calls = math.inf if config.calls is None else config.calls / WARM_UP_BLOCKS
    start, latencies = clock(), [_seconds_of(call, clock)]
    while len(latencies) < calls and clock() - start < seconds:
        latencies.append(_seconds_of(call, clock))
    return latencies


def _seconds_of(call: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    call()
    return clock() - start
