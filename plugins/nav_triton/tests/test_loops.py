"""Loops: who calls when, and from when a latency counts. The times are of the loop's own making, not the machine's."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

import navcore as nav
from nav_triton import closed_loop, open_loop
from nav_triton.loops import _arrivals

FEEDS = [{"x": np.asarray([number])} for number in range(3)]


class Called:
    """Remembers what it was called with, and by which threads."""

    def __init__(self, seconds: float = 0.001) -> None:
        self.seconds = seconds
        self.seen: list[int] = []
        self.threads: set[int] = set()
        self.closed = 0

    @contextlib.contextmanager
    def connect(self) -> Iterator[Called]:
        yield self
        self.closed += 1

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> None:
        self.threads.add(threading.get_ident())
        self.seen.append(int(feeds["x"][0]))
        time.sleep(self.seconds)


def test_every_caller_of_a_closed_loop_calls_with_every_sample() -> None:
    called = Called()
    found = closed_loop(called.connect, FEEDS, seconds=0.1, callers=3)
    assert set(called.seen) == {0, 1, 2}
    assert (len(called.threads), called.closed) == (3, 3)
    assert len(found.latencies) == len(called.seen)
    assert found.rate == len(called.seen) / found.seconds
    assert (found.latencies >= 1.0).all()


def test_an_open_loop_calls_as_often_as_the_process_says_whatever_the_answers_take() -> None:
    for seconds in (0.0, 0.05):
        called = Called(seconds)
        found = open_loop(called.connect, FEEDS, rate=100, seconds=0.3, callers=8, seed=3)
        assert len(called.seen) == len(found.latencies) == len(_arrivals(100, 0.3, 3))


def test_waiting_for_a_busy_caller_counts() -> None:
    """One caller that takes 20 ms, and arrivals much faster than that: the last has waited for all others."""
    found = open_loop(Called(0.02).connect, FEEDS, rate=1000, seconds=0.02, callers=1)
    assert len(found.latencies) > 5
    assert found.latencies[-1] > 20 * (len(found.latencies) - 1) - 20


def test_arrivals_are_a_poisson_process_of_that_rate() -> None:
    times = _arrivals(1000, 10, 0)
    gaps = np.diff(times)
    assert abs(gaps.mean() * 1000 - 1) < 0.05
    assert abs(gaps.std() / gaps.mean() - 1) < 0.05
    assert times[-1] < 10
    assert len(_arrivals(0.001, 0.1, 0)) == 1


@pytest.mark.parametrize("loop", ["closed", "open"])
def test_what_a_call_raises_is_raised(loop: str) -> None:
    @contextlib.contextmanager
    def connect() -> Iterator[object]:
        yield lambda _feeds: 1 / 0

    call: Any = {
        "closed": lambda: closed_loop(connect, FEEDS, seconds=0.05, callers=2),  # type: ignore[arg-type]
        "open": lambda: open_loop(connect, FEEDS, rate=100, seconds=0.05),  # type: ignore[arg-type]
    }[loop]
    with pytest.raises(ZeroDivisionError):
        call()


def test_who_cannot_connect_says_why() -> None:
    @contextlib.contextmanager
    def connect() -> Iterator[object]:
        raise ConnectionRefusedError("nobody is there")
        yield

    with pytest.raises(ConnectionRefusedError, match="nobody is there"):
        closed_loop(connect, FEEDS, seconds=0.05, callers=3)  # type: ignore[arg-type]


def test_few_calls_tell_no_99th_percentile() -> None:
    assert closed_loop(Called(0.02).connect, FEEDS, seconds=0.1).p99 is None
    with pytest.raises(nav.InputError, match="rate=0 has to be above 0"):
        open_loop(Called().connect, FEEDS, rate=0, seconds=1)
