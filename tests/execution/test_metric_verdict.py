"""A metric with a bound judges rows of quantised formats, and no others, in place of their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import navcore as nav
from navcore.contract import Format
from navcore.execution.metric_verdict import judged_rows
from navcore.registry import load_registry
from navcore.testing import toy
from navcore.workspace import (
    Attempt,
    Failure,
    FormatResult,
    MetricResult,
    Outcome,
    RuntimeResult,
    Status,
    Verification,
    read_status,
)

LEVELS, RUNTIME = "toy-levels", "toy-levels"
NEAR = [{"x": toy.ToyTensor(np.full((2, 3), number, np.float32))} for number in (1.0, 1.1, 1.2)]
OFF = toy.ToyModel(factor=3.1, offset=-3.0)
"""On these data the two nearly cancel, so that its rounded form is off by half and more."""


def mean(outputs: Any, item: Any) -> float:
    return float(outputs["y"].mean())


class Levels:
    def choose(self, candidates: Sequence[nav.Choice]) -> nav.Choice | None:
        return next((one for one in candidates if one.format.name == LEVELS), None)


def asked(bound: float | None, **more: Any) -> dict[str, Any]:
    held: dict[str, Any] = {} if bound is None else {"metrics": {"mean": mean}, "verified_when": {"mean": bound}}
    return {"targets": [LEVELS], "dataloader": NEAR, "run_profiling": False, **held, **more}


def only(package: nav.PackageDescriptor) -> tuple[FormatResult, RuntimeResult]:
    row = next(one for one in package.results if one.format == LEVELS)
    return row, row.runtimes[0]


@pytest.mark.processes
@pytest.mark.usefixtures("toy")
class TestInARun:
    def test_without_a_metric_the_numbers_decide(self, run_toy: Any) -> None:
        row, one = only(run_toy(OFF, **asked(None)))
        assert (row.status, one.status, one.judged_by) == (Status.FAILED, Status.FAILED, ())
        assert one.verification is not None
        assert one.verification.only_numbers

    def test_a_metric_without_a_bound_decides_nothing(self, run_toy: Any) -> None:
        row, one = only(run_toy(OFF, **asked(None, metrics={"mean": mean})))
        assert (row.status, one.judged_by, len(one.metrics)) == (Status.FAILED, (), 1)

    def test_a_metric_that_holds_lets_it_pass(self, run_toy: Any) -> None:
        package = run_toy(OFF, **asked(0.2))
        row, one = only(package)
        assert (row.status, row.failure, one.status, one.failure) == (Status.OK, None, Status.OK, None)
        assert one.judged_by == ("mean",)
        assert [attempt.outcome.status for attempt in row.attempts] == [Status.OK]
        assert package.get_status(LEVELS)
        assert package.get_verified_status(LEVELS, RUNTIME)
        assert "ok by mean ✓ verified" in str(package)
        assert "was tried" not in str(package)
        told = read_status(package.workspace / "status.yaml")
        assert next(each for each in told.results if each.format == LEVELS).runtimes[0].judged_by == ("mean",)
        assert (package.workspace / LEVELS / "config.yaml").exists()

    def test_a_metric_that_does_not_hold_fails_it_though_the_numbers_are_fine(self, run_toy: Any) -> None:
        model = toy.ToyModel(factor=3.0, offset=1.0)
        assert only(run_toy(model, **asked(None)))[1].status == Status.OK
        package = run_toy(model, **asked(-0.01), override_workdir=True)
        row, one = only(package)
        assert (row.status, one.status, one.judged_by) == (Status.FAILED, Status.FAILED, ("mean",))
        assert one.failure is not None
        assert one.failure.cause == (
            "By the user's metric: mean is 4.2375, 0.0625 below the source's, and 0.01 below is allowed."
        )
        assert package.best() is None
        assert one.failure.cause in " ".join(str(package).split())

    def test_it_is_measured_and_may_be_the_best(self, run_toy: Any) -> None:
        package = run_toy(OFF, **asked(0.2, run_profiling=True, budget=1.0, batch_sizes=[1]))
        assert only(package)[1].performance
        best = package.best(Levels())
        assert best is not None
        assert not best.coarser

    def test_windows_measure_it_too(self, run_toy: Any) -> None:
        config = nav.ProfilerConfig(batch_sizes=[1], measurement_interval=20)
        package = run_toy(OFF, **asked(0.2, run_profiling=True, ranking=False, profiler_config=config))
        assert only(package)[1].performance

    def test_the_next_run_finds_the_verdict_again(self, run_toy: Any) -> None:
        run_toy(OFF, **asked(0.2))
        row, one = only(run_toy(OFF, **asked(None)))
        assert (row.status, one.judged_by) == (Status.OK, ("mean",))
        row, one = only(run_toy(OFF, **asked(0.05)))
        assert (row.status, one.judged_by) == (Status.FAILED, ("mean",))

    def test_a_format_of_floats_keeps_the_verdict_of_its_numbers(self, run_toy: Any) -> None:
        package = run_toy(toy.ToyModel(mischief={"alpha": "numbers"}), **{**asked(1e9), "targets": ["toy-alpha"]})
        row = next(one for one in package.results if one.format == "toy-alpha")
        assert (row.status, row.runtimes[0].judged_by) == (Status.FAILED, ())

    def test_evaluate_judges_and_takes_its_word_back(self, run_toy: Any) -> None:
        package = run_toy(OFF, **asked(None))
        package.evaluate({"mean": mean}, NEAR, verified_when={"mean": 0.2})
        assert only(package)[0].status == Status.OK
        package.evaluate({"mean": mean}, NEAR, verified_when={"mean": 0.05})
        row, one = only(package)
        assert (row.status, one.status, row.attempts[-1].outcome.status) == (Status.FAILED,) * 3
        package.evaluate({"mean": mean}, NEAR)
        row, one = only(package)
        assert (row.status, one.judged_by) == (Status.FAILED, ())
        assert row.failure is not None
        assert "relative L2" in row.failure.cause

    def test_elsewhere_it_is_judged_by_a_metric_that_is_given_there(self, run_toy: Any, tmp_path: Path) -> None:
        run_toy(OFF, **asked(0.2)).save(tmp_path / "model.nav")
        loaded = nav.load(tmp_path / "model.nav", workdir=tmp_path / "a", run_profiling=False)
        row, one = only(loaded)
        assert row.status == Status.FAILED
        assert [note for note in one.notes if note.startswith("Recorded as ok by the user's metric mean; here its")]
        held: Any = {"metrics": {"mean": mean}, "metrics_data": NEAR, "verified_when": {"mean": 0.2}}
        again = nav.load(tmp_path / "model.nav", workdir=tmp_path / "b", run_profiling=False, trust=True, **held)
        assert only(again)[1].judged_by == ("mean",)


DIFFERENT = MetricResult("mean", 1.0, 3, -0.1, -0.2)
WRONG = Verification(Status.FAILED, precision="int8", failure=Failure("far off", "verification"), only_numbers=True)


def quantised(verification: Verification, *metrics: MetricResult, precision: str = "int8") -> FormatResult:
    status = verification.status
    one = RuntimeResult("r", status, verification=verification, metrics=metrics)
    attempt = Attempt("x:made", Outcome(status, failure=verification.failure))
    return FormatResult(
        Format("x", precision=precision), status, path="x/m", route="x:made", attempts=(attempt,), runtimes=(one,),
        failure=verification.failure,
    )  # fmt: skip


def verdict(row: FormatResult) -> Status:
    (judged,) = judged_rows([row], load_registry())
    assert judged_rows([judged], load_registry()) == (judged,)  # what was judged once is judged alike
    return judged.status


def test_all_bounds_have_to_hold() -> None:
    other = attrs.evolve(DIFFERENT, metric="other")
    assert verdict(quantised(WRONG, DIFFERENT, other)) == Status.OK
    assert verdict(quantised(WRONG, DIFFERENT, attrs.evolve(other, difference=-0.3))) == Status.FAILED
    assert verdict(quantised(WRONG, DIFFERENT, attrs.evolve(other, bound=None))) == Status.OK


def test_what_was_not_compared_judges_nothing() -> None:
    right = Verification(Status.OK, precision="int8")
    unknown = attrs.evolve(DIFFERENT, difference=None)
    assert verdict(quantised(WRONG, unknown)) == Status.FAILED
    assert verdict(quantised(right, unknown)) == Status.OK


def test_what_is_wrong_beyond_its_numbers_stays_wrong() -> None:
    assert verdict(quantised(attrs.evolve(WRONG, only_numbers=False), DIFFERENT)) == Status.FAILED


def test_numbers_that_prove_nothing_are_no_hindrance() -> None:
    silent = Verification(Status.UNVERIFIED, precision="int8", failure=Failure("no signal", "verification"))
    assert verdict(quantised(silent, DIFFERENT)) == Status.OK


@pytest.mark.parametrize(
    ("precision", "status"), [("int8", Status.OK), ("fp8", Status.FAILED), ("fp16", Status.FAILED)]
)
def test_integers_alone_are_judged_so(precision: str, status: Status) -> None:
    assert verdict(quantised(attrs.evolve(WRONG, precision=precision), DIFFERENT, precision=precision)) == status
