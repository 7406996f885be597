"""A plan is run to its end whatever its steps do: every mischief of the toy becomes a row that says so."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import navcore as nav
from navcore.workspace.progress import Event, Stage
from navcore.workspace.results import FormatResult, Outcome, RuntimeResult, Status
from navcore.workspace.status.file import read_status

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]
Run = Callable[..., nav.PackageDescriptor]

# How each mischief of a step is told: the category, and a part of the cause.
TOLD = {
    "raise": ("", "ValueError: mischief was asked for"),
    "hang": ("timeout", "ran longer than 1.5 s"),
    "segfault": ("crash", "killed by SIGSEGV"),
    "nothing": ("plugin", "wrote nothing at model."),
    "exit": ("no-result", "exited with status 0 and left no result"),
    "empty": ("plugin", "wrote nothing at model."),
    "hog": ("memory", "used more than 400 MiB"),
    "unavailable": ("unavailable", "the toy accelerator is not there"),
    "numbers": ("verification", "relative L2 difference of output 'y' is 1"),
    "names": ("verification", "the outputs are 'somebody_else' where the source returns 'y'"),
    "fixed": ("verification", "this toy takes a batch of 2, not 1"),
    "sizes": ("verification", "relative L2 difference of output 'y' is 1"),
}
LIMITS: dict[str, dict[str, Any]] = {"hang": {"timeout": 1.5}, "hog": {"memory_limit": 400 << 20}}


def host_data() -> list[dict[str, np.ndarray]]:
    """Items for a source that is a file."""
    numbers = np.random.RandomState(3)
    return [{"x": numbers.randn(2, size).astype(np.float32)} for size in (4, 4, 6)]


def row_of(package: nav.PackageDescriptor, name: str) -> FormatResult:
    return next(row for row in package.results if row.format.name == name)


def runtime_of(package: nav.PackageDescriptor, name: str, runtime: str = "toy-runtime") -> RuntimeResult:
    found = row_of(package, name).runtime(runtime)
    assert found is not None
    return found


def assert_told(package: nav.PackageDescriptor, outcome: Outcome | None, mischief: str, category: str = "") -> None:
    """The outcome of a step names who and what, and where its log is."""
    assert outcome is not None
    assert outcome.failure is not None
    known, cause = TOLD[mischief]
    assert outcome.status == (Status.UNAVAILABLE if mischief == "unavailable" else Status.FAILED)
    assert cause in outcome.failure.cause
    assert "\n" not in outcome.failure.cause
    assert outcome.failure.category == (known or category)
    assert (package.workspace / outcome.log).is_file()
    if known != "verification":
        assert "_from_" in outcome.failure.cause or "run_toy_file" in outcome.failure.cause
        assert outcome.failure.hint or mischief == "unavailable"


@pytest.mark.parametrize("mischief", TOLD)
def test_a_mischief_of_an_exporter_is_a_row_and_what_follows_is_skipped(run_toy: Run, toy: Any, mischief: str) -> None:
    model = toy.ToyModel(mischief={"alpha": mischief})
    package = run_toy(model, targets="toy-beta", **LIMITS.get(mischief, {}))
    row = row_of(package, "toy-alpha")
    assert row.status == (Status.UNAVAILABLE if mischief == "unavailable" else Status.FAILED)
    assert_told(package, row.attempts[0].outcome, mischief, "export")
    assert row.failure == row.attempts[0].outcome.failure
    skipped = row_of(package, "toy-beta")
    assert skipped.status == Status.SKIPPED
    assert skipped.failure is not None
    assert "toy-alpha is not made" in skipped.failure.cause
    assert TOLD[mischief][1] in skipped.failure.cause
    assert skipped.requested
    assert not row.requested
    assert package.best() is None
    assert not any(one.performance for one in row.runtimes)
    assert model.training is True
    assert read_status(package.workspace / "status.yaml").results == package.results


@pytest.mark.parametrize(
    ("short", "detour"),
    [
        ("raise", "segfault"),
        ("nothing", "exit"),
        ("unavailable", "empty"),
        ("numbers", "names"),
        ("fixed", "sizes"),
        ("hang", "unavailable"),
        ("hog", "raise"),
    ],
)
def test_mischiefs_of_converters_are_told_and_both_ways_are_in_the_record(
    run_toy: Run, toy: Any, short: str, detour: str
) -> None:
    model = toy.ToyModel(mischief={"beta": short, "detour": detour})
    unchecked = {"toy-alpha": "toy-accelerator"}  # saves a child; alpha is not what this is about
    package = run_toy(model, run_profiling=False, runtimes=unchecked, **LIMITS.get(short, {}))
    row = row_of(package, "toy-beta")
    assert row.status == Status.FAILED
    assert [attempt.route for attempt in row.attempts] == ["toy:beta_from_alpha", "toy:beta_from_alpha_detour"]
    for attempt, mischief in zip(row.attempts, (short, detour), strict=True):
        assert_told(package, attempt.outcome, mischief, "conversion")
    gamma = row_of(package, "toy-gamma")
    assert gamma.status == Status.SKIPPED
    assert gamma.failure is not None
    assert TOLD[short][1] in gamma.failure.cause


def test_the_longer_way_is_taken_when_the_short_one_fails(run_toy: Run, toy: Any) -> None:
    package = run_toy(toy.ToyModel(mischief={"beta": "segfault"}), targets="toy-beta", run_profiling=False)
    row = row_of(package, "toy-beta")
    assert row.status == Status.OK
    assert_told(package, row.attempts[0].outcome, "segfault", "conversion")
    assert row.attempts[1].outcome.status == Status.OK
    assert row.route == "toy:beta_from_alpha_detour"


def test_of_several_failed_ways_the_cause_is_that_of_the_one_that_came_furthest(run_toy: Run, toy: Any) -> None:
    """The first way made a file that verification refused; the second made nothing."""
    model = toy.ToyModel(mischief={"beta": "numbers", "detour": "raise"})
    row = row_of(run_toy(model, targets="toy-beta", run_profiling=False), "toy-beta")
    assert row.status == Status.FAILED
    assert row.failure is not None
    assert row.failure.category == "verification"
    assert (row.route, len(row.attempts)) == ("toy:beta_from_alpha", 2)
    assert [runtime.status for runtime in row.runtimes] == [Status.FAILED]


@pytest.mark.parametrize("mischief", [name for name in TOLD if name not in ("nothing", "empty")])
def test_a_mischief_of_a_runner_is_a_row(run_toy: Run, toy: Any, mischief: str) -> None:
    model = toy.ToyModel(mischief={"run toy-alpha": mischief})
    package = run_toy(model, targets="toy-alpha", **LIMITS.get(mischief, {}))
    row, runtime = row_of(package, "toy-alpha"), runtime_of(package, "toy-alpha")
    if TOLD[mischief][0] == "verification":
        assert runtime.verification is not None
        assert runtime.failure is not None
        assert TOLD[mischief][1] in runtime.failure.cause
    else:
        assert_told(package, runtime.outcome, mischief, "step")
    assert runtime.performance == ()
    assert package.best() is None
    # Nobody could tell whether a format is right that no runtime here can load.
    assert row.status == (Status.UNVERIFIED if mischief == "unavailable" else Status.FAILED)


@pytest.mark.parametrize(
    ("mischief", "cause"), [("nothing", "the outputs are none"), ("empty", "has the shape (0, 4)")]
)
def test_a_runner_without_outputs_fails_verification(run_toy: Run, toy: Any, mischief: str, cause: str) -> None:
    package = run_toy(toy.ToyModel(mischief={"run toy-alpha": mischief}), targets="toy-alpha")
    runtime = runtime_of(package, "toy-alpha")
    assert runtime.status == Status.FAILED
    assert runtime.failure is not None
    assert cause in runtime.failure.cause


def test_a_probe_that_says_no_is_a_row(run_toy: Run) -> None:
    package = run_toy(targets="toy-alpha", run_profiling=False)
    runtime = runtime_of(package, "toy-alpha", "toy-accelerator")
    assert runtime.status == Status.UNAVAILABLE
    assert runtime.failure is not None
    assert runtime.failure.cause == "there is no toy accelerator in this machine"


def test_a_source_file_is_checked_as_everything_else(run_toy: Run, packed: Any, workdir: Any) -> None:
    file = nav.load(packed, workdir=workdir, retest_conversions=False).get_model("toy-alpha")
    package = run_toy(file, targets="toy-beta", run_profiling=False, model_name="file", dataloader=host_data())
    assert [(row.format.name, row.status) for row in package.results] == [("toy-alpha", "ok"), ("toy-beta", "ok")]
    assert not package.results[0].live
    assert package.results[0].made_from == ""


def test_a_source_file_that_fails_its_own_check_leaves_everything_else_out(
    run_toy: Run, packed: Any, workdir: Any
) -> None:
    """Its first process returns something else than every later one."""
    file = nav.load(packed, workdir=workdir, retest_conversions=False).get_model("toy-alpha")
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "mischief": {"run toy-alpha": "moody"}}))
    package = run_toy(file, targets="toy-beta", run_profiling=False, model_name="file", dataloader=host_data())
    assert row_of(package, "toy-alpha").status == Status.FAILED
    skipped = row_of(package, "toy-beta")
    assert skipped.status == Status.SKIPPED
    assert skipped.failure is not None
    assert skipped.failure.cause.startswith("toy-alpha is not made: The relative L2 difference")


def test_the_model_is_left_as_it_was(run_toy: Run, toy: Any) -> None:
    for training in (True, False):
        model = toy.ToyModel(training=training)
        run_toy(model, targets="toy-alpha")
        assert model.training is training


def test_events_begin_and_end_in_order(run_toy: Run) -> None:
    events: list[Event] = []
    run_toy(targets="toy-alpha", progress=events.append)
    told = [(event.stage, event.subject, event.status) for event in events]
    assert told.index((Stage.MAKING, "toy-alpha", None)) < told.index((Stage.MAKING, "toy-alpha", Status.OK))
    checked = (Stage.CHECKING, "toy-alpha/toy-runtime")
    assert told.index((*checked, None)) < told.index((*checked, Status.OK))
    estimate = told.index((Stage.ESTIMATE, "profiling", None))
    assert estimate < told.index((Stage.CHECKING, "toy-live/toy-eager", None))
    assert not any(event.reused for event in events)


def test_the_status_can_be_read_after_every_finished_row(run_toy: Run, workdir: Any) -> None:
    rows: list[int] = []
    status = workdir / "navigator_model.nav.workspace" / "status.yaml"

    def look(_event: Event) -> None:
        if status.exists():
            rows.append(len(read_status(status).results))

    package = run_toy(targets="toy-beta", run_profiling=False, progress=look)
    assert sorted(set(rows)) == [1, 2]
    assert rows == sorted(rows)
    assert len(package.results) == 3


class Interrupted(BaseException):
    """Stands for the user's Ctrl-C."""


@pytest.mark.parametrize("where", ["alpha", "run toy-alpha", "beta"])
def test_an_interrupt_ends_the_children_and_comes_through(run_toy: Run, toy: Any, where: str) -> None:
    """The fixture ``toy`` sees to it that no child remains."""

    def interrupt(event: Event) -> None:
        if event.status is not None and event.stage == Stage.MAKING:
            raise Interrupted

    with pytest.raises(Interrupted):
        run_toy(toy.ToyModel(mischief={where: "raise"}), progress=interrupt)


def executors() -> dict[str, Callable[[], Executor]]:
    return {
        "threads": lambda: ThreadPoolExecutor(2),
        "processes": lambda: ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")),
    }


@pytest.mark.parametrize("kind", executors())
def test_steps_run_in_the_users_executor(run_toy: Run, toy: Any, kind: str) -> None:
    model = toy.ToyModel(mischief={"beta": "segfault"})
    with executors()[kind]() as executor:
        package = run_toy(model, targets="toy-beta", run_profiling=False, executor=executor)
        assert executor.submit(os.getpid).result() > 0  # the crash was not the executor's
    row = row_of(package, "toy-beta")
    assert row.status == Status.OK
    assert_told(package, row.attempts[0].outcome, "segfault", "conversion")


def test_an_executor_that_is_gone_is_one_sentence(run_toy: Any, toy: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    closed = ThreadPoolExecutor(1)
    closed.shutdown()
    with pytest.raises(nav.StepError, match="The executor could not run a step: RuntimeError"):
        run_toy(toy.ToyModel(), executor=closed)


@pytest.mark.processes
def test_what_cannot_be_made_here_is_said_before_anything_is_made_or_measured(run_toy: Any) -> None:
    events: list[nav.Event] = []
    package = run_toy(targets=["toy-alpha", "trt"], progress=events.append)
    assert (events[0].stage, events[0].subject) == ("estimate", "run")  # how long all of it takes, before the samples
    after_samples = [event for event in events[1:] if event.stage != "sampling"]
    unreachable = {row.format.name for row in package.results if row.status == "unavailable"}
    assert unreachable
    first = after_samples[: len(unreachable)]
    assert {event.subject for event in first} == unreachable
    assert {(event.stage, event.status) for event in first} == {("making", "unavailable")}
    assert all(event.text for event in first)
