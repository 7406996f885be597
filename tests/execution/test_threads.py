"""How many threads a model gets: which numbers are tried, and which of them is taken."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from navcore.contract import Runner
from navcore.execution import threads as room
from navcore.execution.resources import processors, quota_of_control_group
from navcore.execution.threads import fastest_count, thread_counts

FEEDS = {"x": np.ones(1)}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend to be a machine with so many processors and physical cores."""

    def pretend(usable: int, physical: int | None, openmp: str | None = None) -> None:
        monkeypatch.setattr(room, "processors", lambda: usable)
        monkeypatch.setattr(room, "_physical_cores", lambda: physical)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        if openmp is not None:
            monkeypatch.setenv("OMP_NUM_THREADS", openmp)

    return pretend


@pytest.mark.parametrize(
    ("usable", "physical", "openmp", "counts"),
    [
        (8, 4, None, (8, 4, 1)),
        (2, 1, None, (2, 1)),
        (1, 1, None, (1,)),
        (4, 16, None, (4, 1)),
        (4, None, None, (4, 1)),
        (8, 4, "2", (2, 1)),
        (8, 4, "1", (1,)),
        (8, 4, "6,2", (6, 4, 1)),
        (8, 4, "nonsense", (8, 4, 1)),
        (8, 4, "64", (8, 4, 1)),
    ],
)
def test_one_the_physical_cores_and_all_are_tried(
    machine: Any, usable: int, physical: int | None, openmp: str | None, counts: tuple[int, ...]
) -> None:
    machine(usable, physical, openmp)
    assert thread_counts("auto") == counts


def test_a_number_that_is_asked_for_is_the_only_one(machine: Any) -> None:
    machine(8, 4, "2")
    assert thread_counts(5) == (5,)


class Clock:
    """A clock that only calls move on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(room, "perf_counter", made)
    return made


class Model:
    """A runtime that takes a while for each call, by its number of threads; ``fixed`` cannot change that number."""

    def __init__(self, clock: Clock, seconds: Mapping[int, float], fixed: int | None = None) -> None:
        self.clock = clock
        self.seconds = seconds
        self.fixed = fixed
        self.opened: list[int] = []

    @contextlib.contextmanager
    def open(self, count: int) -> Iterator[Runner]:
        self.opened.append(count)
        used = self.fixed or count

        def call(_feeds: Any) -> Any:
            self.clock.now += self.seconds[used]
            return {}

        with Runner(call, threads=used) as runner:
            yield runner


def test_the_fastest_is_taken(clock: Clock) -> None:
    model = Model(clock, {4: 0.02, 2: 0.002, 1: 0.01})
    assert fastest_count(model.open, FEEDS, (4, 2, 1)) == 2
    assert model.opened == [4, 2, 1, 4, 2, 1]


def test_the_smaller_number_is_taken_where_more_make_no_difference(clock: Clock) -> None:
    assert fastest_count(Model(clock, {2: 0.01, 1: 0.0101}).open, FEEDS, (2, 1)) == 1


def test_nothing_is_tried_where_there_is_nothing_to_choose(clock: Clock) -> None:
    model = Model(clock, {1: 0.01})
    assert fastest_count(model.open, FEEDS, (1,)) == 1
    assert not model.opened


def test_a_runtime_that_cannot_change_its_threads_keeps_the_first(clock: Clock) -> None:
    assert fastest_count(Model(clock, {8: 0.01}, fixed=8).open, FEEDS, (8, 1)) == 8


def test_a_quota_counts_whole_processors(tmp_path: Path) -> None:
    assert quota_of_control_group(tmp_path) is None
    for text, found in (("max 100000", None), ("250000 100000", 2), ("50000 100000", 0), ("nonsense", None)):
        (tmp_path / "cpu.max").write_text(text)
        assert quota_of_control_group(tmp_path) == found


def test_there_is_always_one_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("navcore.execution.resources.quota_of_control_group", lambda: 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    assert 1 <= processors() <= 2
