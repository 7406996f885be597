"""Windows until three agree: how fast a runner is at one batch size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

import attrs
import numpy as np

from navcore.contract import WINDOWS_NEEDED, ProfilerConfig
from navcore.evaluation.warming_up import warm_up
from navcore.evaluation.windows import Window, pooled_performance, take_window
from navcore.workspace import BatchPerformance


@attrs.frozen(eq=False)
class Measured:
    """What windows came to, and the windows themselves."""

    performance: BatchPerformance
    windows: tuple[Window, ...]


def measure(
    window: Callable[[], np.ndarray],
    *,
    call: Callable[[], object],
    config: ProfilerConfig,
    batch_size: int,
    clock: Callable[[], float] = perf_counter,
) -> Measured:
    """Warm up with ``call``, then measure windows until the last three agree or ``max_trials`` are done.

    ``window`` measures one window as ``config`` asks for it and returns the latency of every call in ms, shape
    ``(calls,)``; ``call`` calls the same runner once. The first call is kept as ``cold_start``; the rest of the warm-up
    is thrown away. Three windows agree when the largest of their average latencies is at most
    ``1 + stability_percentage/100`` times the smallest; throughput being batch over average latency, that is the same
    ratio for throughput. A stable result pools the calls of these three windows; otherwise all windows are pooled,
    ``stable`` is false and a note gives the reason. ``windows`` counts all that were measured.

    ``batch_size`` is −1 for a model that does not batch. ``cpu_share`` and ``switches`` are of the whole process, from
    ``getrusage``. ``clock`` is monotonic, in seconds.

    What ``window`` and ``call`` raise passes through. :class:`PluginError` when ``window`` returns no latencies.
    """
    cold_start = warm_up(call, config, clock)
    windows: list[Window] = []
    stable = False
    while not stable and len(windows) < config.max_trials:
        windows.append(take_window(window, config.calls, clock))
        stable = _agree([each.average for each in windows[-WINDOWS_NEEDED:]], config.stability_percentage)
    pooled = windows[-WINDOWS_NEEDED:] if stable else windows
    performance = pooled_performance(
        pooled,
        batch_size,
        stable=stable,
        counted=len(windows),
        cold_start=cold_start,
        notes=() if stable else (_unstable(pooled, config),),
    )
    return Measured(performance, tuple(windows))


def _agree(averages: Sequence[float], percentage: float) -> bool:
    return len(averages) == WINDOWS_NEEDED and max(averages) <= (1 + percentage / 100) * min(averages)


def _unstable(windows: Sequence[Window], config: ProfilerConfig) -> str:
    if config.max_trials < WINDOWS_NEEDED:
        return f"Not stable: max_trials={config.max_trials} leaves fewer than the three windows that have to agree."
    averages = ", ".join(f"{each.average:.4g}" for each in windows[-WINDOWS_NEEDED:])
    return (
        f"Not stable: in {len(windows)} windows no three in a row agreed within {config.stability_percentage:g} % "
        f"(the last three averaged {averages} ms); all are pooled. Longer windows or a quieter machine may help."
    )
