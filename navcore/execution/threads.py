"""With how many threads a model is fastest here: tried briefly, since more are slower on many a virtual machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from time import perf_counter
from typing import TYPE_CHECKING

import attrs

from navcore.contract import Runner
from navcore.execution.resources import processors
from navcore.execution.step import RouteCall, runner_job
from navcore.registry import Registry

if TYPE_CHECKING:
    import numpy as np

OpenWith = Callable[[int], AbstractContextManager[Runner]]
"""Loads the model with so many compute threads."""

_SECONDS = 0.1
_CALLS = 3
_SLOW = 1.0
_ENOUGH = 0.95
"""More threads are worth it when a call takes no longer than this share of the time."""


def thread_counts(asked: int | str) -> tuple[int, ...]:
    """The numbers of threads to try, the largest first; the one that was asked for, where it was.

    All that this process may use (affinity, control group), the physical cores, and one. ``OMP_NUM_THREADS`` is the
    upper bound where it is set.
    """
    if isinstance(asked, int):
        return (asked,)
    most = processors()
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if said.isascii() and said.isdigit() and int(said) > 0:
        most = min(most, int(said))
    return tuple(sorted({most, min(most, _physical_cores() or most), 1}, reverse=True))


def most_threads(asked: int | str) -> int:
    """How many threads a model gets where nothing is tried."""
    return thread_counts(asked)[0]


def opening(call: RouteCall, registry: Registry) -> OpenWith:
    """How the call's model is loaded in this process with so many threads."""
    route = registry.route(call.route)

    def open_with(threads: int) -> AbstractContextManager[Runner]:
        job = runner_job(attrs.evolve(call, threads=threads), registry)
        runner: AbstractContextManager[Runner] = registry.ask("make_runner", job, route)
        return runner

    return open_with


def fastest_count(open_with: OpenWith, feeds: Mapping[str, np.ndarray], counts: tuple[int, ...]) -> int:
    """The number among ``counts`` with which a call of a model takes the least time; see :func:`fastest`."""

    def tried(count: int) -> list[float]:
        with open_with(count) as runner:
            return seconds_of_calls(runner, feeds) if runner.threads == count else []

    return fastest(counts, tried)


def fastest(counts: Sequence[int], tried: Callable[[int], list[float]]) -> int:
    """The number among ``counts`` with which a call takes the least time, the smaller where it makes no difference.

    ``tried`` tells how many seconds calls took with so many threads, and nothing of a runtime that cannot change its
    threads in its process any more, and says so by another number: that keeps the first. Each is tried twice in turn.
    What counts is the mean: threads that wait for each other stall now and then, which a median does not see.
    """
    if len(counts) == 1:
        return counts[0]
    taken: dict[int, list[float]] = {count: [] for count in counts}
    for count in (*counts, *counts):
        seconds = tried(count)
        if not seconds:
            return counts[0]
        taken[count] += seconds
    means = {count: sum(seconds) / len(seconds) for count, seconds in taken.items()}
    best = min(means.values())
    return min(count for count, seconds in means.items() if _ENOUGH * seconds <= best)


def seconds_of_calls(runner: Runner, feeds: Mapping[str, np.ndarray]) -> list[float]:
    """How long calls take: 0.1 s of them and three after the first, of a slow model one."""
    first = _seconds(runner, feeds)
    taken: list[float] = []
    while not taken or (first < _SLOW and (len(taken) < _CALLS or sum(taken) < _SECONDS)):
        taken.append(_seconds(runner, feeds))
    return taken


def _seconds(runner: Runner, feeds: Mapping[str, np.ndarray]) -> float:
    start = perf_counter()
    runner(feeds)
    return perf_counter() - start


def _physical_cores() -> int | None:
    import psutil

    count: int | None = psutil.cpu_count(logical=False)
    return count
