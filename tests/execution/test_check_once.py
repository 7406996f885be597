"""Verify once, measure once: one child does what the journal does not know, and nothing is asked twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from navcore import ProfilerConfig
from navcore.contract.jobs import Artifact
from navcore.contract.signature import Signature, TensorSpec
from navcore.evaluation.verify_and_measure import Evaluation
from navcore.execution.check_format import CheckResult, check_runtime, is_refused, measure_runtime
from navcore.execution.run_context import RunContext, new_context
from navcore.execution.step import CheckStep, ChildStep, StepLimits, StepPlace
from navcore.execution.step_children import StepAnswer
from navcore.planning.plan import Check
from navcore.planning.source import Source
from navcore.registry.loading import load_registry
from navcore.testing import toy
from navcore.workspace.folder import opened
from navcore.workspace.journal import Journal
from navcore.workspace.results import BatchPerformance, Failure, Outcome, Status, Verification
from navcore.workspace.samples import Samples
from navcore.workspace.settings import Settings

SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("y", "float32", ("batch", 4)),))
SAMPLES = Samples(SIGNATURE, {"correctness": 1}, 2, {}, True, (), "0")
NUMBERS = BatchPerformance(1, 1.0, 0.1, 1.0, None, None, None, 1000.0, 50)
BOTH, VERIFYING, MEASURING = ("verify", "measure"), ("verify",), ("measure",)


@pytest.fixture
def context(tmp_path: Path, toy: Any) -> RunContext:
    """A run that profiles, in a workspace of its own."""
    settings = Settings(profiler="toy", profiler_config=ProfilerConfig(batch_sizes=(1,)), timeout=60.0)
    with opened(tmp_path / "once.nav.workspace") as workspace:
        return new_context(load_registry(), workspace, settings, Source(toy.TOY), "source", SAMPLES)


@attrs.define
class Children:
    """Stands for the children: answers as told, and notes what each was asked for."""

    verdict: Status = Status.OK
    death: str = ""
    hardware: str = ""
    asked: list[tuple[str, ...]] = attrs.field(factory=list)
    limits: list[StepLimits] = attrs.field(factory=list)

    def run(self, step: ChildStep, place: StepPlace) -> StepAnswer:
        assert isinstance(step, CheckStep)
        parts = {"verify": step.verifying, "measure": step.measuring}
        self.asked.append(tuple(part for part, settings in parts.items() if settings is not None))
        self.limits.append(place.limits)
        failure = Failure("it died", self.death) if self.death else None
        if self.death and self.verdict != Status.OK:  # before it came to anything
            return StepAnswer(Outcome(self.verdict, failure=failure))
        wrong = Failure("far off", "verification") if self.verdict == Status.FAILED else None
        found = Evaluation(
            verification=None if step.verifying is None else Verification(self.verdict, compared=3, failure=wrong),
            performance=() if step.measuring is None or wrong or failure else (NUMBERS,),
            provider="toy",
        )
        status = Status.FAILED if failure else Status.OK
        return StepAnswer(Outcome(status, failure=failure), evaluation=found, hardware=self.hardware)


Checked = Callable[..., CheckResult]


@pytest.fixture
def checked() -> Checked:
    """Check one artifact in the toy's runtime, in a new run that finds the journal of those before it."""

    def check(context: RunContext, children: Children, **changes: Any) -> CheckResult:
        run = again(context, **changes)
        return check_runtime(run, ARTIFACT, "artifact", planned(run), children.run)

    return check


ARTIFACT = Artifact(toy.ALPHA, SIGNATURE, Path("toy-alpha/model.toy"))


def again(context: RunContext, **changes: Any) -> RunContext:
    """The next run in the same workspace, with other settings."""
    journal = Journal(context.workspace.journal_file)
    return attrs.evolve(context, settings=attrs.evolve(context.settings, **changes), journal=journal)


def planned(context: RunContext) -> Check:
    return Check(toy.ALPHA, "toy-runtime", context.registry.route("toy:run_toy_file[toy-alpha]"))


@pytest.mark.parametrize(
    ("before", "then", "asked"),
    [
        ([], {}, BOTH),
        ([], {"run_profiling": False}, VERIFYING),
        ([{}], {}, None),
        ([{}], {"run_profiling": False}, None),
        ([{"run_profiling": False}], {}, MEASURING),
        ([{}], {"atol": 1.0}, VERIFYING),
        ([{}], {"profiler_config": ProfilerConfig(batch_sizes=(8,))}, MEASURING),
        ([{}], {"atol": 1.0, "profiler_config": ProfilerConfig(batch_sizes=(8,))}, BOTH),
        ([{}, {"atol": 1.0}], {}, None),
        ([{}], {"timeout": 5.0}, None),
        ([{}], {"device": "toy:1"}, BOTH),
    ],
)
def test_one_child_does_what_the_journal_does_not_know(
    context: RunContext, checked: Checked, before: list[Any], then: Any, asked: tuple[str, ...] | None
) -> None:
    children = Children()
    for changes in before:
        checked(context, children, **changes)
    children.asked.clear()
    result = checked(context, children, **then)
    assert children.asked == ([] if asked is None else [asked])
    assert result.reused == (asked is None)
    assert result.row.status == Status.OK
    assert result.row.verification is not None
    assert result.row.performance == (() if then.get("run_profiling") is False else (NUMBERS,))


def test_what_failed_is_not_measured_and_not_done_again(context: RunContext, checked: Checked) -> None:
    children = Children(verdict=Status.FAILED)
    first = checked(context, children)
    second = checked(context, children)
    assert children.asked == [BOTH]
    assert first.row == second.row
    assert (first.reused, second.reused) == (False, True)
    assert is_refused(again(context), ARTIFACT, "artifact", planned(context))
    assert not is_refused(again(context), ARTIFACT, "another", planned(context))


def test_what_was_unavailable_is_tried_again(context: RunContext, checked: Checked) -> None:
    children = Children(verdict=Status.UNAVAILABLE, death="unavailable")
    assert checked(context, children).row.status == Status.UNAVAILABLE
    assert not checked(context, children).reused
    assert children.asked == [BOTH, BOTH]


def test_a_death_counts_under_the_same_limits_only(context: RunContext, checked: Checked) -> None:
    children = Children(verdict=Status.FAILED, death="timeout")
    for timeout, reused in ((60.0, False), (60.0, True), (90.0, False), (90.0, True)):
        assert checked(context, children, timeout=timeout).reused is reused
    assert [limits.timeout for limits in children.limits] == [60.0, 90.0]


@pytest.mark.parametrize("found", [Status.OK, Status.FAILED])
def test_a_death_while_measuring_leaves_the_verdict(context: RunContext, checked: Checked, found: Status) -> None:
    """Whether or not it had left word before."""
    checked(context, Children(), run_profiling=False)
    children = Children(verdict=found, death="crash")
    first, second = checked(context, children), checked(context, children)
    assert children.asked == [MEASURING]
    for result in (first, second):
        assert result.row.status == Status.OK
        assert result.row.verification is not None
        assert result.row.profiling is not None
        assert result.row.failure == Failure("it died", "crash")
    assert not checked(context, children, run_profiling=False).row.failure


def test_a_measurement_made_elsewhere_is_no_measurement_of_this_machine(context: RunContext, checked: Checked) -> None:
    there, here = Children(hardware="another machine"), Children()
    row = checked(context, there).row
    assert row.machine == "another machine"
    assert any("another machine than the source" in note for note in row.notes)
    verdict = checked(context, here, run_profiling=False)
    assert (verdict.reused, verdict.row.machine, verdict.row.notes) == (True, "", ())
    row = checked(context, here).row
    assert here.asked == [MEASURING]
    assert (row.machine, row.notes) == ("", ())


def test_a_check_that_the_plan_rules_out_starts_no_child(context: RunContext) -> None:
    children = Children()
    absent = attrs.evolve(planned(context), reason="there is no accelerator")
    result = check_runtime(context, ARTIFACT, "artifact", absent, children.run)
    assert result.row.status == Status.UNAVAILABLE
    assert result.row.failure == Failure("there is no accelerator", "unavailable")
    assert children.asked == []
    assert not context.workspace.journal_file.exists()


def test_measuring_again_does_not_look_into_the_journal(context: RunContext, monkeypatch: Any) -> None:
    children = Children()
    monkeypatch.setattr("navcore.execution.check_format.run_step", children.run)
    for _ in range(2):
        assert measure_runtime(context, ARTIFACT, planned(context)).performance == (NUMBERS,)
    assert children.asked == [MEASURING, MEASURING]
    assert not context.workspace.journal_file.exists()


def test_a_workspace_of_an_earlier_version_is_continued(context: RunContext, checked: Checked) -> None:
    """The journal's entries are what they were: a row as plain data, and the limits under which it was found."""
    checked(context, Children())
    entries = list(Journal(context.workspace.journal_file).entries())
    assert [entry["event"] for entry in entries] == ["verified", "measured"]
    for entry in entries:
        assert set(entry["data"]) == {"row", "limits"}
        assert entry["data"]["limits"] == {"timeout": 60.0, "memory_limit": None}
