"""Windows until three agree: how fast a runner is at one batch size."""

from __future__ import annotations

import math
import resource
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import attrs
import numpy as np

from navcore.contract import WARM_UP_BLOCKS, WARM_UP_SECONDS, WINDOWS_NEEDED, ProfilerConfig
from navcore.errors import PluginError
from navcore.workspace import BatchPerformance

Latencies = np.ndarray[Any, Any]

CALLS_FOR_PERCENTILE = {90: 44, 95: 90, 99: 459}
"""The least number of calls from which an upper bound of the percentile holds with 99 % confidence (binomial)."""

_STILL_FALLING = 0.95
# Per second and busy core: 2 to 60 were seen on undisturbed measurements, 300 to 390 on disturbed ones.
_CROWDED_SWITCHES = 200.0
_TELLING_SECONDS = 0.1


@attrs.frozen
class _Measured:
    """The latencies of one window in ms, and what its process used meanwhile."""

    latencies: Latencies
    wall: float
    cpu: float
    switches: int

    @property
    def average(self) -> float:
        return float(self.latencies.mean())


def measure(
    window: Callable[[], np.ndarray],
    *,
    call: Callable[[], object],
    config: ProfilerConfig,
    batch_size: int,
    clock: Callable[[], float] = perf_counter,
) -> BatchPerformance:
    """Warm up with ``call``, then measure windows until the last three agree or ``max_trials`` are done.

    ``window`` measures one window as ``config`` asks for it and returns the latency of every call in ms, shape
    ``(calls,)``; ``call`` calls the same runner once. The first call is kept as ``cold_start``; the rest of the warm-up
    is thrown away. Three windows agree when the largest of their average latencies is at most
    ``1 + stability_percentage/100`` times the smallest; throughput being batch over average latency, that is the same
    ratio for throughput. A stable result pools the calls of these three windows; otherwise all windows are pooled,
    ``stable`` is false and a note gives the reason. ``windows`` counts all that were measured.

    ``batch_size`` is −1 for a model that does not batch. The standard deviation divides by n; percentiles
    interpolate linearly, and one that needs more calls than there were (44 for p90, 90 for p95, 459 for p99) is
    ``None``. ``cpu_share`` and ``switches`` are of the whole process, from ``getrusage``. ``clock`` is monotonic, in
    seconds.

    What ``window`` and ``call`` raise passes through. :class:`PluginError` when ``window`` returns no latencies.
    """
    cold_start = _warm_up(call, config, clock)
    windows: list[_Measured] = []
    stable = False
    while not stable and len(windows) < config.max_trials:
        windows.append(_measured(window, config, clock))
        stable = _agree([each.average for each in windows[-WINDOWS_NEEDED:]], config.stability_percentage)
    pooled = windows[-WINDOWS_NEEDED:] if stable else windows
    return _performance(pooled, config, batch_size, stable=stable, windows=len(windows), cold_start=cold_start)


def _warm_up(call: Callable[[], object], config: ProfilerConfig, clock: Callable[[], float]) -> float:
    """Call until the model has settled, and return the latency of the first call in ms.

    After the first call come blocks of calls, at least two and at most ten: time blocks of 0.1 s or a twentieth of a
    window, whichever is shorter, or count blocks of a tenth of a window. Settled means that three blocks of time, or
    0.3 s of counted calls, were spent, and that the block's median is no longer below 95 % of the one before.
    """
    cold_start = _seconds_of(call, clock)
    enough = WARM_UP_SECONDS if config.warm_up_seconds is None else 3 * config.warm_up_seconds
    began, before = clock(), math.inf
    for number in range(WARM_UP_BLOCKS):
        median = _interpolated(_block(call, config, clock), 50)
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


def _measured(window: Callable[[], np.ndarray], config: ProfilerConfig, clock: Callable[[], float]) -> _Measured:
    before, start = resource.getrusage(resource.RUSAGE_SELF), clock()
    result = window()
    wall, after = clock() - start, resource.getrusage(resource.RUSAGE_SELF)
    return _Measured(
        latencies=_checked(result, config.calls),
        wall=wall,
        cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        switches=after.ru_nivcsw - before.ru_nivcsw,
    )


def _checked(result: object, calls: int | None) -> Latencies:
    """What a window returned, as latencies: the profile hook is open to plugins."""
    hint = "Return the latency of every call in milliseconds."
    try:
        latencies = np.asarray(result, dtype=np.float64)
    except (TypeError, ValueError):
        raise PluginError(f"The profiler returned a {type(result).__name__}, not latencies.", hint=hint) from None
    if latencies.ndim != 1 or latencies.size == 0:
        raise PluginError(f"The profiler returned an array of shape {latencies.shape}, not (calls,).", hint=hint)
    if not (np.isfinite(latencies).all() and latencies.min() >= 0 and latencies.max() > 0):
        raise PluginError("The profiler returned latencies that are not positive numbers.", hint=hint)
    if calls is not None and latencies.size != calls:
        raise PluginError(f"The profiler measured {latencies.size} calls where {calls} were asked for.", hint=hint)
    return latencies


def _agree(averages: Sequence[float], percentage: float) -> bool:
    return len(averages) == WINDOWS_NEEDED and max(averages) <= (1 + percentage / 100) * min(averages)


def _performance(
    pooled: Sequence[_Measured],
    config: ProfilerConfig,
    batch_size: int,
    *,
    stable: bool,
    windows: int,
    cold_start: float,
) -> BatchPerformance:
    latencies = np.concatenate([each.latencies for each in pooled])
    average = float(latencies.mean())
    wall = sum(each.wall for each in pooled)
    cpu_share = sum(each.cpu for each in pooled) / wall
    switches = sum(each.switches for each in pooled) / wall
    notes = [] if stable else [_unstable(pooled, config)]
    # Busy threads are switched a few times a second each; much more means that others wanted their cores.
    if wall >= _TELLING_SECONDS and switches > _CROWDED_SWITCHES * max(1.0, cpu_share):
        notes.append(f"The machine was busy: {switches:.0f} involuntary context switches per second.")
    return BatchPerformance(
        batch_size=batch_size,
        avg_latency=average,
        std_latency=float(latencies.std()),
        p50_latency=_interpolated(latencies, 50),
        p90_latency=_percentile(latencies, 90),
        p95_latency=_percentile(latencies, 95),
        p99_latency=_percentile(latencies, 99),
        throughput=1000 * max(1, batch_size) / average,
        request_count=latencies.size,
        stable=stable,
        windows=windows,
        cold_start=cold_start,
        cpu_share=cpu_share,
        switches=switches,
        notes=tuple(notes),
    )


def _percentile(latencies: Latencies, percent: int) -> float | None:
    if latencies.size < CALLS_FOR_PERCENTILE[percent]:
        return None
    return _interpolated(latencies, percent)


def _interpolated(values: Latencies | Sequence[float], percent: int) -> float:
    """As ``np.percentile`` has it, which would import ``numpy.ma`` into every child, and that takes long."""
    ordered = np.sort(values)
    return float(np.interp(percent / 100 * (len(ordered) - 1), np.arange(len(ordered)), ordered))


def _unstable(windows: Sequence[_Measured], config: ProfilerConfig) -> str:
    if config.max_trials < WINDOWS_NEEDED:
        return f"Not stable: max_trials={config.max_trials} leaves fewer than the three windows that have to agree."
    averages = ", ".join(f"{each.average:.4g}" for each in windows[-WINDOWS_NEEDED:])
    return (
        f"Not stable: in {len(windows)} windows no three in a row agreed within {config.stability_percentage:g} % "
        f"(the last three averaged {averages} ms); all are pooled. Longer windows or a quieter machine may help."
    )
