"""An interrupted or repeated run: what is finished is not done again, and what it depends on is."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest

import navcore as nav
from navcore.workspace.journal import Journal
from navcore.workspace.progress import Event, Stage
from navcore.workspace.results import Status
from navcore.workspace.status.file import read_status, write_status

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]
Run = Callable[..., nav.PackageDescriptor]
Count = Callable[[Any], Counter[str]]


def test_a_finished_run_is_not_done_again(finished: Any, run_toy: Run, journalled: Count, essence: Any) -> None:
    events: list[Event] = []
    before = journalled(finished)
    again = run_toy(progress=events.append)
    assert journalled(again) == before
    assert essence(again.results) == essence(finished.results)
    ended = [event for event in events if event.stage in (Stage.MAKING, Stage.CHECKING) and event.status == Status.OK]
    assert len(ended) == 7  # three formats made, three and the source checked
    assert all(event.reused for event in ended)


def test_a_run_reads_the_journal_once_and_once_for_its_estimate(run_toy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Path] = []
    entries = Journal.entries

    def noted(journal: Journal) -> Any:
        reads.append(journal.path)
        return entries(journal)

    monkeypatch.setattr(Journal, "entries", noted)
    for number in (1, 2):  # the first has nothing to estimate from
        reads.clear()
        run_toy()
        assert len(reads) == number


def test_other_tolerances_only_verify_again(finished: Any, run_toy: Run, journalled: Count) -> None:
    before = journalled(finished)
    again = run_toy(atol=1e-3)
    assert journalled(again) - before == Counter(verified=3)
    assert again.best() is not None


def test_another_measurement_only_measures_again(
    finished: Any, run_toy: Run, journalled: Count, quick: nav.ProfilerConfig
) -> None:
    before = journalled(finished)
    again = run_toy(profiler_config=attrs.evolve(quick, batch_sizes=(2,)))
    assert journalled(again) - before == Counter(measured=4)
    assert {one.batch_size for row in again.results for each in row.runtimes for one in each.performance} == {2}


def test_other_options_redo_a_format_and_what_is_made_from_it(finished: Any, run_toy: Run, journalled: Count) -> None:
    before = journalled(finished)
    again = run_toy(options={"toy-beta": {"mischief": "harmless"}})
    assert journalled(again) - before == Counter(placing=2, made=2, verified=2, measured=2)  # beta and gamma


def test_profiling_may_be_added_later(run_toy: Run, journalled: Count) -> None:
    first = run_toy(targets="toy-alpha", run_profiling=False)
    before = journalled(first)
    assert before == Counter(placing=1, made=1, verified=1)
    again = run_toy(targets="toy-alpha")
    assert journalled(again) - before == Counter(measured=2)
    row = again.results[1].runtimes[0]
    assert row.performance
    assert row.verification == first.results[1].runtimes[0].verification


def test_what_failed_is_not_tried_again_under_the_same_limits(run_toy: Run, toy: Any, journalled: Count) -> None:
    model = toy.ToyModel(mischief={"alpha": "raise"})
    before = journalled(run_toy(model, run_profiling=False, timeout=30))
    assert journalled(run_toy(model, run_profiling=False, timeout=30)) == before
    assert journalled(run_toy(model, run_profiling=False, timeout=60)) - before == Counter(made=1)


def test_a_check_that_timed_out_is_tried_again_with_more_time(run_toy: Run, toy: Any, journalled: Count) -> None:
    model = toy.ToyModel(mischief={"run toy-alpha": "hang"})
    asked = {"targets": "toy-alpha", "run_profiling": False}
    before = journalled(run_toy(model, timeout=1, **asked))
    assert journalled(run_toy(model, timeout=1, **asked)) == before
    assert journalled(run_toy(model, timeout=1.5, **asked)) - before == Counter(verified=1)


def test_what_was_unavailable_is_tried_again(run_toy: Run, toy: Any, journalled: Count) -> None:
    model = toy.ToyModel(mischief={"alpha": "unavailable"})
    before = journalled(run_toy(model))
    assert journalled(run_toy(model)) - before == Counter(made=1)


def test_a_file_of_equal_size_from_another_recipe_is_not_mistaken_for_the_own(run_toy: Run, toy: Any) -> None:
    """The weights of one architecture are of one size, whatever they were trained on."""
    asked = {"targets": "toy-alpha", "run_profiling": False}
    for factor in (2.0, 3.0, 2.0):
        package = run_toy(toy.ToyModel(factor=factor), **asked)
        assert package.get_status("toy-alpha")
        assert json.loads(package.get_model("toy-alpha").read_text())["factor"] == factor


def test_a_file_that_was_cut_short_is_made_and_checked_again(run_toy: Run, journalled: Count) -> None:
    package = run_toy(targets="toy-beta", run_profiling=False)
    before = journalled(package)
    file = package.get_model("toy-alpha")
    file.write_text(file.read_text()[:10])
    again = run_toy(targets="toy-beta", run_profiling=False)
    assert journalled(again) - before == Counter(placing=1, made=1, verified=1)
    assert again.get_status("toy-alpha")


def test_a_torn_last_line_of_the_journal_costs_one_step(run_toy: Run, journalled: Count, essence: Any) -> None:
    package = run_toy(targets="toy-alpha")
    journal = package.workspace / ".navcore" / "journal.jsonl"
    before = journalled(package)
    journal.write_bytes(journal.read_bytes()[:-20])
    again = run_toy(targets="toy-alpha")
    assert journalled(again) == before
    assert essence(again.results) == essence(package.results)


def test_a_status_file_that_was_cut_short_does_not_stop_a_run(finished: Any, run_toy: Run) -> None:
    finished.set_verified("toy-beta", "toy-runtime")
    status = finished.workspace / "status.yaml"
    status.write_text(status.read_text()[:300])
    assert run_toy().get_verified_status("toy-beta", "toy-runtime") is True


@pytest.mark.parametrize(
    ("event", "older"),
    [
        ("made", {"files": {"model.toy": 81}}),  # sizes, where fingerprints are now
        ("made", {"files": ["model.toy"]}),
        ("made", {"outcome": None}),
        ("verified", {"row": {"runtime": "toy-runtime"}}),
        ("measured", {"row": 3}),
    ],
)
def test_what_another_release_wrote_into_the_journal_is_done_again(
    finished: Any, run_toy: Run, essence: Any, event: str, older: dict[str, Any]
) -> None:
    path = finished.workspace / ".navcore" / "journal.jsonl"
    entries = list(Journal(path).entries())
    path.unlink()
    journal = Journal(path)
    for entry in entries:
        told = {**entry["data"], **older} if entry["event"] == event else entry["data"]
        journal.append(entry["event"], entry["key"], told)
    again = run_toy()
    assert essence(again.results) == essence(finished.results)
    assert Counter(entry["event"] for entry in Journal(path).entries())[event] == 2 * len(
        [entry for entry in entries if entry["event"] == event]
    )


def test_override_starts_with_an_empty_workspace(finished: Any, run_toy: Run, journalled: Count, workdir: Path) -> None:
    (workdir / "mine.txt").write_text("stays")
    (finished.workspace / "left.txt").write_text("goes")
    package = run_toy(targets="toy-alpha", run_profiling=False, override_workdir=True)
    assert journalled(package) == Counter(placing=1, made=1, verified=1)
    assert not (package.workspace / "toy-beta").exists()
    assert not (package.workspace / "left.txt").exists()
    assert (workdir / "mine.txt").read_text() == "stays"


def test_what_cannot_be_made_any_more_does_not_leave_its_old_file(finished: Any, run_toy: Run, toy: Any) -> None:
    package = run_toy(toy.ToyModel(mischief={"beta": "raise", "detour": "raise"}), run_profiling=False)
    assert not package.get_status("toy-beta")
    assert {path.suffix for path in (package.workspace / "toy-beta").iterdir()} == {".log"}


def test_a_source_in_the_workspace_is_not_overridden(finished: Any, run_toy: Run) -> None:
    file = finished.get_model("toy-alpha")
    with pytest.raises(nav.OptionError, match="would delete the source itself"):
        run_toy(file, override_workdir=True)
    assert file.exists()


def test_two_runs_in_one_process_are_independent(run_toy: Run, toy: Any, tmp_path: Path, essence: Any) -> None:
    one = run_toy(toy.ToyModel(factor=3.0), targets="toy-alpha", workdir=tmp_path / "one")
    log, status = (one.workspace / "navigator.log").read_bytes(), (one.workspace / "status.yaml").read_bytes()
    other = run_toy(toy.ToyModel(mischief={"alpha": "raise"}), targets="toy-alpha", workdir=tmp_path / "other")
    assert not other.get_status("toy-alpha")
    assert one.get_status("toy-alpha")
    assert (one.workspace / "navigator.log").read_bytes() == log
    assert (one.workspace / "status.yaml").read_bytes() == status
    assert one.record.uuid != other.record.uuid


RUN = """
import os, signal, sys
import navcore as nav
from navcore.workspace.journal import Journal
from navcore.testing import toy

left, append = int(sys.argv[2]), Journal.append

def appended(self, *arguments):
    global left
    append(self, *arguments)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

Journal.append = appended
nav.run(
    toy.ToyModel(mischief={"beta": "numbers"}), toy.dataloader(), targets="toy-beta", workdir=sys.argv[1],
    profiler="toy", profiler_config=nav.ProfilerConfig(measurement_mode="count_windows", measurement_request_count=5),
    budget=2, git_info=False,
)
"""
ROOT = "navigator_model.nav.workspace"


@pytest.mark.slow
def test_a_run_killed_after_any_event_is_continued(tmp_path: Path, python: Any, essence: Any) -> None:
    """The scenario has a route that fails in verification and the detour around it."""
    undisturbed = tmp_path / "undisturbed"
    assert python(RUN, undisturbed, 0).returncode == 0
    expected = read_status(undisturbed / ROOT / "status.yaml").results
    events = [entry["event"] for entry in Journal(undisturbed / ROOT / ".navcore" / "journal.jsonl").entries()]
    assert Counter(events) == Counter(placing=3, made=3, verified=3, measured=3, ranked=1, took=1)

    def kill_and_continue(after: int) -> None:
        workdir = tmp_path / str(after)
        assert python(RUN, workdir, after).returncode == -signal.SIGKILL
        again = python(RUN, workdir, 0)
        assert again.returncode == 0, again.stderr
        assert essence(read_status(workdir / ROOT / "status.yaml").results) == essence(expected), after
        entries = list(Journal(workdir / ROOT / ".navcore" / "journal.jsonl").entries())
        done = Counter((entry["event"], entry["key"]) for entry in entries if entry["event"] != "placing")
        assert set(done.values()) == {1}, f"after {after} events a finished step was done again"

    with ThreadPoolExecutor(4) as pool:
        for outcome in [pool.submit(kill_and_continue, after) for after in range(1, len(events) + 1)]:
            outcome.result()


def test_the_users_word_survives_a_run_that_is_killed(finished: Any, run_toy: Run) -> None:
    finished.set_verified("toy-gamma", "toy-runtime")
    status = finished.workspace / "status.yaml"
    record = read_status(status)
    write_status(status, attrs.evolve(record, results=record.results[:1]))  # as a kill after the first row leaves it
    assert run_toy().get_verified_status("toy-gamma", "toy-runtime") is True
