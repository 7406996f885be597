"""Checks run beside each other where nothing is measured, and what happens to one of them stays with it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import navcore as nav
from navcore.workspace.journal import Journal
from navcore.workspace.progress import Event, Stage
from navcore.workspace.results import Status

pytestmark = pytest.mark.processes

Run = Callable[..., nav.PackageDescriptor]

# Two more runtimes of toy-alpha, and two more formats of the live model. What they do is in files of a folder: each
# says there that it is here, and looks for the other.
PLUGIN = """
import json, os, signal, time
from pathlib import Path

from navcore.contract.formats import Format
from navcore.contract.jobs import Made, Runner
from navcore.contract.decorators import exporter, runner
from navcore.testing.toy import ALPHA, TOY

MADE_LEFT, MADE_RIGHT = (Format(f"made-{side}", filename="model", summary="a side") for side in ("left", "right"))

PLACE = Path(__file__).parent / "place"


def act(me, other):
    told = json.loads((PLACE / "told.json").read_text()).get(me, "")
    here, there = PLACE / f"{me}.here", PLACE / f"{other}.here"
    here.write_text(str(os.getpid()))
    if told.startswith("meet"):
        give_up = time.monotonic() + 60
        while not there.exists():
            if time.monotonic() > give_up:
                raise ValueError("nobody came")
            time.sleep(0.01)
    if told == "apart":
        time.sleep(0.3)
        if there.exists():
            raise ValueError("somebody is here")
    if told == "meet and crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if told == "meet and hang":
        time.sleep(600)
    if told == "meet, crash, and come back" and not (PLACE / "crashed").exists():
        (PLACE / "crashed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if not told.startswith("meet"):
        here.unlink()


def runner_of(job):
    content = json.loads(job.artifact.file.read_text())

    def call(feeds):
        return {content["output"]: (feeds["x"] * content["factor"] + content["offset"]).astype(feeds["x"].dtype)}

    return Runner(call, provider=job.runtime, threads=job.threads)


@runner(ALPHA, runtime="left")
def run_left(job):
    act("left", "right")
    return runner_of(job)


@runner(ALPHA, runtime="right")
def run_right(job):
    act("right", "left")
    return runner_of(job)


@exporter(TOY, MADE_LEFT, isolation="fork")
def make_left(job):
    act("left", "right")
    job.output.write_text("left")
    return Made()


@exporter(TOY, MADE_RIGHT, isolation="fork")
def make_right(job):
    act("right", "left")
    job.output.write_text("right")
    return Made()
"""


@pytest.fixture
def place(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plugin, switched on in a machine of four processors; its folder."""
    name = f"left_and_right_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(PLUGIN)
    (tmp_path / "place").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", f"toy=navcore.testing.toy,sides={name}")
    monkeypatch.setattr("navcore.execution.thread_pool.processors", lambda: 4)
    return tmp_path / "place"


@pytest.fixture
def run_sides(place: Path, run_toy: Run) -> Run:
    """Make toy-alpha, and check it in both runtimes, which do as they are told."""

    def run(left: str, right: str, **changes: Any) -> nav.PackageDescriptor:
        (place / "told.json").write_text(json.dumps({"left": left, "right": right}))
        runtimes = {"toy-alpha": ["left", "right"]}
        return run_toy(**{"targets": "toy-alpha", "runtimes": runtimes, "run_profiling": False, **changes})

    return run


def statuses(package: nav.PackageDescriptor) -> dict[str, Status]:
    return {row.runtime: row.status for row in package.results[1].runtimes}


BOTH_OK = {"left": Status.OK, "right": Status.OK}


def test_checks_run_side_by_side_without_profiling(run_sides: Run) -> None:
    """Each waits for the other, so that neither can end before both have begun."""
    assert statuses(run_sides("meet", "meet")) == BOTH_OK


def test_checks_never_run_side_by_side_with_profiling(run_sides: Run) -> None:
    """Each fails if it finds the other."""
    package = run_sides("apart", "apart", run_profiling=True)
    assert statuses(package) == BOTH_OK
    assert all(row.performance for row in package.results[1].runtimes)


@pytest.mark.parametrize("short_of", ["memory", "processors"])
def test_checks_take_turns_where_there_is_no_room(
    run_sides: Run, monkeypatch: pytest.MonkeyPatch, short_of: str
) -> None:
    if short_of == "memory":
        monkeypatch.setattr("navcore.execution.admission.available_memory", lambda: 1 << 20)
    else:
        monkeypatch.setattr("navcore.execution.thread_pool.processors", lambda: 1)
    assert statuses(run_sides("apart", "apart")) == BOTH_OK


def test_results_and_events_are_those_of_a_run_that_takes_turns(
    run_sides: Run, essence: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(**changes: Any) -> tuple[Any, list[Any]]:
        events: list[Event] = []
        package = run_sides("", "", progress=events.append, **changes)
        return essence(package.results), [(one.stage, one.subject, one.status, one.text) for one in events]

    beside = told(workdir=tmp_path / "beside")
    monkeypatch.setattr("navcore.execution.admission.available_memory", lambda: 1 << 20)
    assert told(workdir=tmp_path / "in turn") == beside


def test_the_crash_of_one_leaves_the_other_alone(run_sides: Run) -> None:
    package = run_sides("meet and crash", "meet")
    assert statuses(package) == {"left": Status.FAILED, "right": Status.OK}
    failure = package.results[1].runtimes[0].failure
    assert failure is not None
    assert "killed by SIGSEGV" in failure.cause
    assert package.get_status("toy-alpha", "right")


def test_the_time_out_of_one_leaves_the_other_alone(run_sides: Run) -> None:
    package = run_sides("meet and hang", "meet", timeout=5)
    assert statuses(package) == {"left": Status.FAILED, "right": Status.OK}


def test_what_was_killed_beside_others_is_tried_once_more_alone(run_sides: Run, place: Path) -> None:
    """The kernel may have killed it for memory that a neighbour took."""
    assert statuses(run_sides("meet, crash, and come back", "meet")) == BOTH_OK
    assert (place / "crashed").exists()


@pytest.mark.parametrize(("device", "told"), [(None, "meet"), ("toy:0", "apart")])
def test_exports_in_the_callers_own_process_take_turns(run_sides: Run, device: str | None, told: str) -> None:
    """Forks wait for each other; what cannot be forked would share the globals of its framework with the other."""
    package = run_sides(told, told, targets=("made-left", "made-right"), device=device)
    attempts = [row.attempts[-1].outcome for row in package.results if not row.live]
    assert [(one.status, one.contained) for one in attempts] == 2 * [(Status.OK, device is None)]


class Interrupted(BaseException):
    """Stands for the user's Ctrl-C."""


def test_an_interrupt_ends_both_and_nothing_is_recorded_of_them(run_sides: Run, place: Path, workdir: Path) -> None:
    here = [place / "left.here", place / "right.here"]

    def interrupt(event: Event) -> None:
        if event.stage == Stage.CHECKING and event.subject == "toy-alpha/left":
            until(lambda: all(path.exists() and path.read_text() for path in here))  # written, not just made
            raise Interrupted

    with pytest.raises(Interrupted):
        run_sides("meet and hang", "meet and hang", progress=interrupt)
    assert not any(is_alive(int(path.read_text())) for path in here)
    assert "verified" not in journalled(workdir)
    for path in here:
        path.unlink()
    assert statuses(run_sides("meet", "meet")) == BOTH_OK


def test_an_interrupt_does_not_wait_for_an_executor_without_a_free_worker(run_sides: Run) -> None:
    def interrupt(event: Event) -> None:
        if event.stage == Stage.CHECKING and event.subject == "toy-alpha/left":
            raise Interrupted

    released = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        executor.submit(released.wait)
        try:
            with pytest.raises(Interrupted):
                run_sides("", "", progress=interrupt, executor=executor)
        finally:
            released.set()


def test_a_step_that_an_interrupt_ended_has_not_failed(run_toy: Run, toy: Any, workdir: Path) -> None:
    """The next run tries it again."""
    model = toy.ToyModel(mischief={"alpha": "hang"})
    running = workdir / "navigator_model.nav.workspace"

    def interrupt() -> None:
        until(lambda: running.is_dir() and any(running.rglob(".running.json")))
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_toy(model, run_profiling=False)
    thread.join()
    assert "made" not in journalled(workdir)


def until(happens: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def journalled(workdir: Path) -> set[str]:
    journal = workdir / "navigator_model.nav.workspace" / ".navcore" / "journal.jsonl"
    return {entry["event"] for entry in Journal(journal).entries()}
