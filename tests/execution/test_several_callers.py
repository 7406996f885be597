"""Several callers of each model: on one session and on one for each, what cannot be measured, and where it is told."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import navcore as nav
from navcore.execution import several_callers as room
from navcore.package import results_data

pytestmark = pytest.mark.processes

Run = Callable[..., Any]


@pytest.fixture
def called(run_toy: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of the toy, and short blocks of two callers of what came of it."""
    monkeypatch.setattr(room, "SECONDS", 0.1)
    monkeypatch.setattr(room, "BLOCK", 0.01)

    def run(model: Any = None, **changes: Any) -> Any:
        return run_toy(model, **{"callers": 2, "targets": "toy-alpha", **changes})

    return run


def ways(package: Any, name: str) -> list[tuple[int, int]]:
    row = next(row for row in package.results if row.format.name == name)
    return [(one.sessions, one.batch_size) for one in row.runtimes[0].concurrent]


def notes(package: Any, name: str) -> list[str]:
    row = next(row for row in package.results if row.format.name == name)
    return [note for note in row.runtimes[0].notes if note.startswith("Callers at once")]


def test_each_row_is_measured_on_one_session_and_on_one_for_each(called: Run) -> None:
    package = called()
    assert ways(package, "toy-alpha") == [(1, 1), (2, 1), (1, 2), (2, 2)]
    assert not notes(package, "toy-alpha")
    for one in package.results[1].runtimes[0].concurrent:
        assert one.callers == 2
        assert 0 < one.low <= one.throughput <= one.high
        assert one.calls >= 2 * 3, "each calls at least once in each of three rounds"


def test_a_live_model_is_one_session_and_says_so(called: Run) -> None:
    package = called()
    assert ways(package, "toy-live") == [(1, 1), (1, 2)]
    assert "a live model is one session" in notes(package, "toy-live")[0]


def test_nobody_who_did_not_ask_gets_them(called: Run) -> None:
    for package in (called(callers=None), called(run_profiling=False)):
        assert not any(one.concurrent for row in package.results for one in row.runtimes)


def test_with_an_executor_the_models_may_be_anywhere(called: Run) -> None:
    with ThreadPoolExecutor(2) as executor:
        assert not any(one.concurrent for row in called(executor=executor).results for one in row.runtimes)


def test_a_session_that_mixes_its_callers_up_is_not_safe_and_the_other_way_is_measured(called: Run, toy: Any) -> None:
    package = called(toy.ToyModel(mischief={"run toy-alpha": "shared"}))
    assert ways(package, "toy-alpha") == [(2, 1), (2, 2)]
    (note,) = notes(package, "toy-alpha")
    assert note.startswith("Callers at once: one session for all could not be measured: it gave another answer")
    assert package.results[1].runtimes[0].status == "ok"


def test_a_child_that_dies_of_several_callers_is_started_anew_for_the_other_way(called: Run, toy: Any) -> None:
    package = called(toy.ToyModel(mischief={"run toy-alpha": "crowded"}))
    assert ways(package, "toy-alpha") == [(2, 1), (2, 2)]
    (note,) = notes(package, "toy-alpha")
    assert "one session for all could not be measured: " in note
    assert package.results[1].runtimes[0].failure is None


def test_what_does_not_fit_into_memory_is_not_loaded_so_often(called: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "available_memory", lambda: 1)
    package = called()
    assert ways(package, "toy-alpha") == [(1, 1), (1, 2)]
    assert "a session for each could not be measured: it would take about" in notes(package, "toy-alpha")[0]


def test_the_table_json_and_best_say_how_many_callers_and_sessions(called: Run) -> None:
    package = called()
    assert "callers: toy-alpha in toy-runtime: 2 callers at batch 1 get " in str(package)
    assert " on one session and " in str(package)
    (runtime,) = [one for one in results_data(package.results)[1]["runtimes"] if one["status"] == "ok"]
    assert {(one["callers"], one["sessions"]) for one in runtime["concurrent"]} == {(2, 1), (2, 2)}
    best = package.best(nav.MaxThroughput())
    found = {(one.sessions, one.batch_size): one.throughput for one in package.results[1].runtimes[0].concurrent}
    assert best.callers == 2, "the toy's clock says 1 ms to a caller alone, and it is much faster"
    assert found[best.sessions, best.batch_size] == best.throughput == max(found.values())
    assert (package.best().callers, package.best(nav.Smallest()).callers) == (1, 1)


def test_they_are_kept_found_again_and_measured_again_on_demand(called: Run, tmp_path: Path) -> None:
    first = called()
    events: list[nav.Event] = []
    again = called(progress=events.append)
    assert [row.runtimes[0].concurrent for row in again.results] == [
        row.runtimes[0].concurrent for row in first.results
    ]
    assert {event.reused for event in events if event.stage == "calling"} == {True}
    nav.profile(again, ranking=False, callers=3)
    assert [one.callers for one in again.results[1].runtimes[0].concurrent] == [3] * 4
    again.save(tmp_path / "x.nav")
    kept = nav.load(tmp_path / "x.nav", workdir=tmp_path / "kept", retest_conversions=False)
    assert kept.results[1].runtimes[0].concurrent == again.results[1].runtimes[0].concurrent


def test_a_package_that_nobody_trusts_does_not_say_how_many(called: Run, tmp_path: Path) -> None:
    called().save(tmp_path / "x.nav")
    loaded = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", ranking=False)
    tested = [one for row in loaded.results for one in row.runtimes if not one.elsewhere and one.status == "ok"]
    assert tested
    assert not any(one.concurrent for one in tested)
    own = nav.load(tmp_path / "x.nav", workdir=tmp_path / "own", ranking=False, callers=2)
    assert ways(own, "toy-alpha") == [(1, 1), (2, 1), (1, 2), (2, 2)]
