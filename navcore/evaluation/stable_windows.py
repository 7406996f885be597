"""Windows until three agree: how fast a runner is at one batch size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

import attrs
import numpy as np

from navcore.contract import WINDOWS_NEEDED, ProfilerConfig
from navcore.evaluation.warming_up import warm_up
from navcore.evaluation.windows import Window, pooled_performance, take_window, usual_share
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
    prepared: float = 0.0,
) -> Measured:
    """Warm up with ``call``, then measure windows until three in a row agree or ``max_trials`` are done.

    ``window`` measures one window as ``config`` asks for it and returns the latency of every call in ms, shape
    ``(calls,)``; ``call`` calls the same runner once. The first call is kept as ``cold_start``; the rest of the warm-up
    is thrown away. A window that others disturbed (:meth:`Window.contention`) is measured once more, and the later one
    stands in its place; that is one of the ``max_trials`` as well, so that there is no room for it in only three. Where
    no three agree so before they are over, all windows count as they were measured, disturbed or not.

    Three windows agree when the largest of their average latencies is at most ``1 + stability_percentage/100`` times
    the smallest; throughput being batch over average latency, that is the same ratio for throughput. A stable result
    pools the calls of these three windows; otherwise all windows are pooled, ``stable`` is false and a note gives the
    reason. ``windows`` counts all that were measured.

    ``batch_size`` is −1 for a model that does not batch. ``cpu_share`` and ``switches`` are of the whole process, from
    ``getrusage``. ``clock`` is monotonic, in seconds. ``prepared`` are seconds that the runner spent before on what is
    part of the cold start.

    What ``window`` and ``call`` raise passes through. :class:`PluginError` when ``window`` returns no latencies.
    """
    cold_start = warm_up(call, config, clock) + 1000 * prepared
    windows: list[Window] = []
    kept: list[_Kept] = []
    again = False
    while len(windows) < config.max_trials and (again or not _agree(kept, config)):
        windows.append(take_window(window, config.calls, clock))
        kept.append(_Kept(windows[-1], again))
        again = _drop_disturbed(kept, usual_share(windows), config.max_trials - len(windows))
    agreed = kept[-WINDOWS_NEEDED:] if _agree(kept, config) else _agreed_as_measured(windows, config)
    stable = bool(agreed)
    performance = pooled_performance(
        [each.window for each in agreed] or windows,
        batch_size,
        stable=stable,
        counted=len(windows),
        cold_start=cold_start,
        notes=() if stable else (_unstable(windows, config),),
    )
    return Measured(performance, tuple(windows))


@attrs.frozen(eq=False)
class _Kept:
    """A window that counts; ``again`` where it stands for one that others disturbed."""

    window: Window
    again: bool = False


def _drop_disturbed(kept: list[_Kept], usual: float, left: int) -> bool:
    """Take the first of the last three that others disturbed off ``kept``, if ``left`` trials are enough to go on.

    One that was measured again stays, whatever it is. Whether there is one to be measured again.
    """
    enough = left >= max(1, WINDOWS_NEEDED + 1 - len(kept))
    for one in kept[-WINDOWS_NEEDED:]:
        if enough and not one.again and one.window.contention(usual):
            kept.remove(one)
            return True
    return False


def _agreed_as_measured(windows: Sequence[Window], config: ProfilerConfig) -> Sequence[_Kept]:
    """The last three in a row that agree, disturbed or not; none where there are none."""
    for end in range(len(windows), WINDOWS_NEEDED - 1, -1):
        found = [_Kept(each) for each in windows[end - WINDOWS_NEEDED : end]]
        if _agree(found, config):
            return found
    return ()


def _agree(kept: Sequence[_Kept], config: ProfilerConfig) -> bool:
    averages = [each.window.average for each in kept[-WINDOWS_NEEDED:]]
    share = config.stability_percentage / 100
    return len(averages) == WINDOWS_NEEDED and max(averages) <= (1 + share) * min(averages)


def _unstable(windows: Sequence[Window], config: ProfilerConfig) -> str:
    if config.max_trials < WINDOWS_NEEDED:
        return f"Not stable: max_trials={config.max_trials} leaves fewer than the three windows that have to agree."
    averages = ", ".join(f"{each.average:.4g}" for each in windows[-WINDOWS_NEEDED:])
    return (
        f"Not stable: in {len(windows)} windows no three in a row agreed within {config.stability_percentage:g} % "
        f"(the last three averaged {averages} ms); all are pooled. Longer windows or a quieter machine may help."
    )
