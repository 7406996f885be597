"""One window of a measurement: the latencies that a profiler returned, and what the machine did meanwhile."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import attrs
import numpy as np

from navcore.registry import latencies_of
from navcore.workspace import BatchPerformance

Latencies = np.ndarray[Any, Any]

CALLS_FOR_PERCENTILE = {90: 44, 95: 90, 99: 459}
"""The least number of calls from which an upper bound of the percentile holds with 99 % confidence (binomial)."""

# Per second and busy core: 2 to 60 were seen on undisturbed measurements, 300 to 390 on disturbed ones.
_CROWDED_SWITCHES = 200.0
DISTURBED = "Others wanted the same processors"
"""How the note begins that says so."""

_TELLING_SECONDS = 0.1
_STOLEN = 0.05
_LOST_SHARE = 0.8
"""A process that is ready to run all the time and gets less of its usual processor time than this shares it."""

_BUSY_SHARE = 0.5
"""One that usually has less than this waits, for a device perhaps, and its processor time tells nothing of others."""


@attrs.frozen(eq=False)
class Window:
    """The latencies of one window, and what its process and its machine used meanwhile.

    ``latencies`` are in ms, float64, shape ``(calls,)``. ``began`` is the monotonic clock of the machine in seconds,
    the same for all its processes. ``wall`` and ``cpu`` are seconds, ``switches`` counts involuntary context switches
    of the process. ``steal`` is the share of the machine's processor time that its hypervisor gave to others, ``None``
    where the system does not tell.
    """

    latencies: Latencies
    began: float
    wall: float
    cpu: float
    switches: int
    steal: float | None = None

    @property
    def average(self) -> float:
        """The mean latency in ms."""
        return float(self.latencies.mean())

    @property
    def median(self) -> float:
        """The median latency in ms."""
        return interpolated(self.latencies, 50)

    @property
    def cpu_share(self) -> float:
        """Seconds of processor time per second."""
        return self.cpu / self.wall if self.wall > 0 else 0.0

    def contention(self, usual_share: float) -> tuple[str, ...]:
        """What speaks for others having wanted the same processors: ``cpu``, ``switches``, ``steal``, or nothing.

        ``usual_share`` is the ``cpu_share`` that this process has when it is left alone. A window shorter than 0.1 s
        tells nothing.
        """
        if self.wall < _TELLING_SECONDS:
            return ()
        signs = {
            "cpu": usual_share >= _BUSY_SHARE and self.cpu_share < _LOST_SHARE * usual_share,
            "switches": self.switches / self.wall > _CROWDED_SWITCHES * max(1.0, self.cpu_share),
            "steal": self.steal is not None and self.steal > _STOLEN,
        }
        return tuple(name for name, is_seen in signs.items() if is_seen)


def take_window(
    window: Callable[[], object], calls: int | None = None, clock: Callable[[], float] = perf_counter
) -> Window:
    """Measure one window. ``window`` returns the latency of every call in ms; ``calls`` is how many there must be.

    What ``window`` raises passes through. :class:`PluginError` when it returns no latencies.
    """
    stolen, before, start = _stolen(), resource.getrusage(resource.RUSAGE_SELF), clock()
    result = window()
    wall, after, stolen_after = clock() - start, resource.getrusage(resource.RUSAGE_SELF), _stolen()
    return Window(
        latencies=latencies_of(result, calls),
        began=start,
        wall=wall,
        cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        switches=after.ru_nivcsw - before.ru_nivcsw,
        steal=_share(stolen, stolen_after),
    )


def _stolen() -> tuple[int, int] | None:
    """Ticks that the hypervisor gave to others, and all ticks, since the machine started; see proc(5)."""
    try:
        with Path("/proc/stat").open("rb") as file:
            ticks = [int(field) for field in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    return (ticks[7], sum(ticks)) if len(ticks) == 8 else None


def _share(before: tuple[int, int] | None, after: tuple[int, int] | None) -> float | None:
    if before is None or after is None:
        return None
    passed = after[1] - before[1]
    return (after[0] - before[0]) / passed if passed > 0 else None


def usual_share(windows: Sequence[Window]) -> float:
    """The processor time per second that the process has when it is left alone: the most it had in any window."""
    return max((one.cpu_share for one in windows), default=0.0)


def pooled_performance(
    windows: Sequence[Window],
    batch_size: int,
    *,
    stable: bool,
    counted: int,
    cold_start: float,
    notes: tuple[str, ...] = (),
    interval: tuple[float, float] | None = None,
) -> BatchPerformance:
    """The numbers of all calls of ``windows`` together; ``counted`` is how many windows there were in all.

    The standard deviation divides by n; percentiles interpolate linearly, and one that needs more calls than there were
    (44 for p90, 90 for p95, 459 for p99) is ``None``. A note tells how many of the windows were disturbed.
    """
    latencies = np.concatenate([each.latencies for each in windows])
    average = float(latencies.mean())
    wall = sum(each.wall for each in windows)
    cpu_share = sum(each.cpu for each in windows) / wall
    switches = sum(each.switches for each in windows) / wall
    # Busy threads are switched a few times a second each; much more means that others wanted their cores.
    if wall >= _TELLING_SECONDS and switches > _CROWDED_SWITCHES * max(1.0, cpu_share):
        notes = (*notes, f"The machine was busy: {switches:.0f} involuntary context switches per second.")
    usual = usual_share(windows)
    if disturbed := sum(bool(each.contention(usual)) for each in windows):
        notes = (*notes, f"{DISTURBED} in {disturbed} of {len(windows)} windows.")
    return BatchPerformance(
        batch_size=batch_size,
        avg_latency=average,
        std_latency=float(latencies.std()),
        p50_latency=interpolated(latencies, 50),
        p90_latency=_percentile(latencies, 90),
        p95_latency=_percentile(latencies, 95),
        p99_latency=_percentile(latencies, 99),
        throughput=1000 * max(1, batch_size) / average,
        request_count=latencies.size,
        stable=stable,
        windows=counted,
        cold_start=cold_start,
        cpu_share=cpu_share,
        switches=switches,
        interval=interval,
        notes=notes,
    )


def _percentile(latencies: Latencies, percent: int) -> float | None:
    if latencies.size < CALLS_FOR_PERCENTILE[percent]:
        return None
    return interpolated(latencies, percent)


def interpolated(values: Latencies | Sequence[float], percent: int) -> float:
    """As ``np.percentile`` has it, which would import ``numpy.ma`` into every child, and that takes long."""
    ordered = np.sort(values)
    return float(np.interp(percent / 100 * (len(ordered) - 1), np.arange(len(ordered)), ordered))
