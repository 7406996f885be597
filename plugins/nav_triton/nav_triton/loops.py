"""Calls something in a closed loop, as fast as it answers, or in an open one, at times that it does not decide."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import count, cycle, islice

import attrs
import numpy as np

from navcore import Feeds, InputError

Caller = Callable[[Feeds], object]
Connect = Callable[[], AbstractContextManager[Caller]]
"""Makes the connection of one thread, which is closed with its block."""
_FEWEST_FOR_P99 = 100


@attrs.frozen(eq=False)
class Measured:
    """What a loop found: the latency of every call in milliseconds, float64, and how many seconds it took in all."""

    latencies: np.ndarray
    seconds: float

    @property
    def p50(self) -> float:
        """The median latency in milliseconds."""
        return float(np.percentile(self.latencies, 50))

    @property
    def p99(self) -> float | None:
        """The 99th percentile in milliseconds; ``None`` with fewer than 100 calls, which cannot tell it."""
        return float(np.percentile(self.latencies, 99)) if len(self.latencies) >= _FEWEST_FOR_P99 else None

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds


def closed_loop(connect: Connect, feeds: Sequence[Feeds], *, seconds: float, callers: int = 1) -> Measured:
    """``callers`` threads, each of which calls again as soon as it has its answer.

    Raises what a call raises, after all threads have ended.
    """
    start = threading.Barrier(callers + 1)

    def work(caller: int, call: Caller) -> Iterator[float]:
        turns = islice(cycle(feeds), caller, None)
        start.wait()
        end = time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            call(next(turns))
            yield time.perf_counter() - began

    return _run(connect, work, callers, start)


def open_loop(
    connect: Connect, feeds: Sequence[Feeds], *, rate: float, seconds: float, callers: int = 32, seed: int = 0
) -> Measured:
    """Calls at the times of a Poisson process of ``rate`` per second, whether the earlier ones are answered or not.

    The latency of a call is counted from the time for which it was scheduled: one that had to wait because everything
    was busy has waited. ``callers`` bounds how many are under way. Raises what a call raises.
    """
    if not rate > 0:
        raise InputError(f"rate={rate!r} has to be above 0.")
    arrivals = _arrivals(rate, seconds, seed)
    number = count()
    taking = threading.Lock()
    start = threading.Barrier(callers + 1)
    began: list[float] = []

    def work(_caller: int, call: Caller) -> Iterator[float]:
        start.wait()
        with taking:
            if not began:
                began.append(time.perf_counter())
        while True:
            with taking:
                turn = next(number)
            if turn >= len(arrivals):
                return
            scheduled = began[0] + arrivals[turn]
            time.sleep(max(0.0, scheduled - time.perf_counter()))
            call(feeds[turn % len(feeds)])
            yield time.perf_counter() - scheduled

    return _run(connect, work, callers, start)


def _arrivals(rate: float, seconds: float, seed: int) -> np.ndarray:
    """The times of a Poisson process within ``seconds``, the first of them at least."""
    random = np.random.default_rng(seed)
    gaps = random.exponential(1 / rate, size=max(16, math.ceil(rate * seconds * 2)))
    times = np.cumsum(gaps)
    return times[: max(1, int(np.searchsorted(times, seconds)))]


def _run(
    connect: Connect, work: Callable[[int, Caller], Iterator[float]], callers: int, start: threading.Barrier
) -> Measured:
    found: list[list[float]] = [[] for _ in range(callers)]
    errors: list[BaseException] = []

    def body(caller: int) -> None:
        try:
            with connect() as call:
                found[caller].extend(work(caller, call))
        except threading.BrokenBarrierError:
            pass  # another thread could not begin, and says why
        except BaseException as error:
            errors.append(error)
            start.abort()

    threads = [threading.Thread(target=body, args=(caller,), daemon=True) for caller in range(callers)]
    for thread in threads:
        thread.start()
    with suppress(threading.BrokenBarrierError):
        start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if errors:
        raise errors[0]
    return Measured(np.asarray([1000 * one for each in found for one in each]), seconds)
