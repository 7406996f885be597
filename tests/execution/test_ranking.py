"""Measured in turn: who takes part, what becomes of models that fail meanwhile, and what is found again later."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import navcore as nav
from navcore.evaluation import interleave
from navcore.execution import ranking as room

pytestmark = pytest.mark.processes

Run = Callable[..., Any]


@pytest.fixture
def ranked(run_toy: Run) -> Run:
    """A run whose numbers come from blocks in turn, by the toy's clock."""

    def run(model: Any = None, **changes: Any) -> Any:
        return run_toy(model, **{"profiler_config": None, "ranking": True, "targets": "toy-beta", **changes})

    return run


def test_every_row_that_verified_is_held_against_the_source(ranked: Run) -> None:
    package = ranked()
    found = package.ranking
    assert found.is_source
    assert found.reference == ("toy-live", "toy-eager")
    assert found.settled
    places = {(one.format, one.runtime, one.batch_size) for one in found.ratios}
    assert places == {(name, "toy-runtime", size) for name in ("toy-alpha", "toy-beta") for size in (1, 2)}
    assert all((one.ratio, one.low, one.high) == (1, 1, 1) for one in found.ratios), "the toy's clock never varies"
    assert not any(one.shows_difference for one in found.ratios)


def test_the_absolute_numbers_come_from_the_same_blocks(ranked: Run) -> None:
    package = ranked()
    for row in package.results:
        (one,) = [runtime for runtime in row.runtimes if runtime.status == "ok"]
        assert [measured.batch_size for measured in one.performance] == [1, 2]
        assert all(measured.p50_latency == 1 and measured.interval == (1, 1) for measured in one.performance)
        assert all(measured.stable and measured.cold_start is not None for measured in one.performance)


def test_windows_that_are_asked_for_are_measured_too_and_the_ranking_follows(ranked: Run, quick: Any) -> None:
    package = ranked(profiler_config=quick)
    measured = package.results[0].runtimes[0].performance[0]
    assert measured.interval is None
    assert measured.request_count == 15, "three windows of five calls"
    assert package.ranking.ratios


def test_without_a_ranking_the_windows_are_those_of_the_page(run_toy: Run) -> None:
    package = run_toy(profiler_config=None, ranking=False, targets="toy-alpha")
    assert package.ranking is None
    assert package.results[1].runtimes[0].performance[0].windows == 3


def test_without_profiling_nothing_is_measured(ranked: Run) -> None:
    package = ranked(run_profiling=False)
    assert package.ranking is None
    assert not any(one.performance for row in package.results for one in row.runtimes)


@pytest.mark.parametrize("act", ["raise", "segfault", "exit"])
def test_a_model_that_fails_meanwhile_says_so_and_the_others_go_on(ranked: Run, toy: Any, act: str) -> None:
    model = toy.ToyModel(mischief={"large toy-alpha": act})
    package = ranked(model, batch_sizes=[1, 41])
    rows = {row.format.name: row.runtimes[0] for row in package.results}
    failed = rows["toy-alpha"]
    assert failed.status == "ok", "what was verified stays verified"
    assert [one.batch_size for one in failed.performance] == [1]
    assert failed.profiling.failure.cause.startswith("at batch size 41: ")
    assert [one.batch_size for one in rows["toy-beta"].performance] == [1, 41]


def test_a_model_that_hangs_is_ended_after_the_timeout(ranked: Run, toy: Any) -> None:
    package = ranked(toy.ToyModel(mischief={"large toy-alpha": "hang"}), batch_sizes=[1, 41], timeout=4)
    rows = {row.format.name: row.runtimes[0] for row in package.results}
    assert "took longer than 4 s" in rows["toy-alpha"].profiling.failure.cause
    assert [one.batch_size for one in rows["toy-beta"].performance] == [1, 41]


def test_what_does_not_fit_into_memory_together_goes_in_pairs_with_the_source(
    ranked: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = []
    monkeypatch.setattr(room, "available_memory", lambda: 1)
    original = room._measure_group

    def watched(context: Any, group: Any, *rest: Any) -> None:
        groups.append([one.name for one in group])
        original(context, group, *rest)

    monkeypatch.setattr(room, "_measure_group", watched)
    package = ranked()
    source = "toy-live/toy-eager"
    assert sorted(groups) == [[source, "toy-alpha/toy-runtime"], [source, "toy-beta/toy-runtime"]]
    assert {one.format for one in package.ranking.ratios} == {"toy-alpha", "toy-beta"}
    assert len(package.results[0].runtimes[0].performance) == 2, "the source has one row per batch size all the same"


def test_a_ranking_is_found_again_and_a_new_model_among_them_asks_for_a_new_one(ranked: Run) -> None:
    first = ranked()
    events: list[nav.Event] = []
    again = ranked(progress=events.append)
    assert again.ranking == first.ranking
    assert [event.reused for event in events if event.stage == "ranking"] == [True]
    wider = ranked(targets=["toy-beta", "toy-gamma"])
    assert wider.ranking != first.ranking
    assert {one.format for one in wider.ranking.ratios} == {"toy-alpha", "toy-beta", "toy-gamma"}


def test_another_budget_is_another_ranking(ranked: Run) -> None:
    assert ranked(budget=20).ranking.budget == 20
    assert ranked(budget=30).ranking.budget == 30


@pytest.mark.parametrize("windows", [False, True])
def test_a_number_of_threads_that_is_asked_for_is_not_what_auto_found(
    ranked: Run, quick: Any, monkeypatch: pytest.MonkeyPatch, windows: bool
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setattr("navcore.execution.threads.processors", lambda: 2)
    changes = {"profiler_config": quick, "ranking": False} if windows else {}
    ranked(**changes)
    events: list[nav.Event] = []
    package = ranked(threads=2, progress=events.append, **changes)
    assert not any(event.reused for event in events if event.stage in ("ranking", "measuring"))
    assert [one.threads for row in package.results for one in row.runtimes if one.performance] == [2, 2, 2]


def test_a_model_that_dies_in_its_first_rounds_has_no_numbers(ranked: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(models: Any, *rest: Any, **more: Any) -> Any:
        blocks = {"toy-alpha/toy-runtime": iter([models["toy-alpha/toy-runtime"]] * 2)}
        soon = {name: (lambda left=left: next(left)()) for name, left in blocks.items()}
        return interleave({**models, **soon}, *rest, **more)

    monkeypatch.setattr(room, "interleave", dying)
    events: list[nav.Event] = []
    package = ranked(progress=events.append)
    rows = {row.format.name: row.runtimes[0] for row in package.results}
    assert rows["toy-alpha"].performance == ()
    assert rows["toy-alpha"].profiling.failure is not None
    assert rows["toy-beta"].performance
    assert [one.text for one in events if one.stage == "ranking"][-1] == "1 model could not be measured to the end"


def test_the_latencies_of_every_block_are_kept_and_packed(ranked: Run, tmp_path: Path) -> None:
    package = ranked()
    package.save(tmp_path / "x.nav")
    loaded = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", retest_conversions=False)
    for root in (package.workspace, loaded.workspace):
        with np.load(root / "toy-alpha" / "measurements" / "toy-runtime.blocks.npz") as raw:
            assert raw["1/calls"].sum() == raw["1/latencies"].size
            assert raw["1/latencies"].dtype == np.float32
            assert {f"2/{name}" for name in ("began", "wall", "cpu", "switches", "steal", "contended")} <= set(raw)
    assert loaded.ranking == package.ranking


def test_with_an_executor_each_model_is_measured_where_it_ran_and_there_is_no_ranking(ranked: Run) -> None:
    with ThreadPoolExecutor(2) as executor:
        package = ranked(executor=executor)
    assert package.ranking is None
    assert package.results[1].runtimes[0].performance[0].windows == 3


def test_a_package_without_its_source_ranks_against_the_first_that_is_there(ranked: Run, tmp_path: Path) -> None:
    ranked().save(tmp_path / "x.nav")
    loaded = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", trust=True)
    assert not loaded.ranking.is_source
    assert loaded.ranking.reference == ("toy-alpha", "toy-runtime")
    assert {one.format for one in loaded.ranking.ratios} == {"toy-beta"}


def test_profile_measures_in_turn_again(ranked: Run) -> None:
    package = ranked(run_profiling=False)
    nav.profile(package, budget=20)
    assert package.ranking.budget == 20
    assert all(one.performance for row in package.results for one in row.runtimes if one.status == "ok")
    nav.profile(
        package, nav.ProfilerConfig(measurement_mode="count_windows", measurement_request_count=4), ranking=False
    )
    assert package.ranking is None
    assert package.results[1].runtimes[0].performance[0].request_count == 12


def test_the_table_and_best_go_by_the_ranking(ranked: Run) -> None:
    package = ranked()
    assert "no difference shown" in str(package)
    best = package.best()
    assert best.ratio in package.ranking.ratios


BROKEN = """
from navcore import profiler

@profiler()
def broken(job):
    raise ValueError("no clock here")
"""


@pytest.mark.parametrize("targets", [[], ["toy-alpha"]], ids=["the source alone", "a target"])
def test_a_profiler_that_fails_leaves_the_verdicts_and_no_ranking(
    ranked: Run, targets: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "without_a_clock.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy,brk=without_a_clock")
    package = ranked(targets=targets, profiler="brk")
    assert package.ranking is None
    assert package.best() is None
    tried = [one for row in package.results for one in row.runtimes if one.status == "ok"]
    assert len(tried) == 1 + len(targets)
    assert all(one.profiling.failure.cause == _NO_CLOCK for one in tried)


_NO_CLOCK = "at batch size 1: brk (broken): ValueError: no clock here"


def test_no_children_and_no_folders_are_left(ranked: Run) -> None:
    package = ranked()
    assert not (package.workspace / ".navcore" / "work").exists()


@pytest.mark.parametrize("count", [1, 3])
def test_threads_that_are_asked_for_are_used(ranked: Run, count: int) -> None:
    package = ranked(threads=count)
    assert {one.threads for row in package.results for one in row.runtimes if one.performance} == {count}


def test_omp_num_threads_is_the_upper_bound(ranked: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    package = ranked()
    assert {one.threads for row in package.results for one in row.runtimes if one.performance} == {1}
