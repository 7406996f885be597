"""Verifying and measuring one format in one runtime, in a child of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

import attrs
import numpy as np
import pytest

import navcore as nav
from navcore.workspace.results import Status

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]
Run = Callable[..., nav.PackageDescriptor]


def test_each_runtime_reports_what_it_used(run_toy: Run) -> None:
    package = run_toy(targets="toy-alpha")
    row = package.results[1].runtimes[0]
    assert (row.runtime, row.provider, row.route) == ("toy-runtime", "toy-runtime", "toy:run_toy_file[toy-alpha]")
    assert row.threads
    assert row.outcome is not None
    assert row.outcome.contained
    assert row.outcome.peak_memory
    assert (package.workspace / row.outcome.log).is_file()


def test_batch_sizes_reported_are_those_asked_for(run_toy: Run, quick: nav.ProfilerConfig) -> None:
    package = run_toy(targets="toy-alpha", profiler_config=attrs.evolve(quick, batch_sizes=(8, 1)))
    for row in package.results:
        assert [one.batch_size for one in row.runtimes[0].performance] == [8, 1]


def test_a_process_that_dies_while_measuring_has_still_verified(
    run_toy: Run, toy: Any, quick: nav.ProfilerConfig
) -> None:
    model = toy.ToyModel(mischief={"large toy-alpha": "segfault"})
    config = attrs.evolve(quick, batch_sizes=(1, 64))
    package = run_toy(model, targets="toy-alpha", profiler_config=config)
    row = package.results[1].runtimes[0]
    assert row.status == Status.OK
    assert row.verification is not None
    assert row.profiling is not None
    assert row.failure is not None
    assert row.failure.cause.startswith("at batch size 64: ")
    assert "SIGSEGV" in row.failure.cause
    assert [one.batch_size for one in row.performance] == [1]
    best = package.best()
    assert best is not None
    assert best.batch_size == 1


def test_a_batch_size_that_fails_leaves_the_others_their_numbers(
    run_toy: Run, toy: Any, quick: nav.ProfilerConfig
) -> None:
    model = toy.ToyModel(mischief={"large toy-alpha": "raise"})
    config = attrs.evolve(quick, batch_sizes=(64, 1, 4))
    row = run_toy(model, targets="toy-alpha", profiler_config=config).results[1].runtimes[0]
    assert row.status == Status.OK
    assert [one.batch_size for one in row.performance] == [1, 4]
    assert row.failure is not None
    assert row.failure.cause == "at batch size 64: ValueError: mischief was asked for"


def test_a_death_in_measuring_alone_does_not_undo_the_verdict(
    run_toy: Run, toy: Any, quick: nav.ProfilerConfig
) -> None:
    """Verified by an earlier run, the format is measured by a later one."""
    model = toy.ToyModel(mischief={"large toy-alpha": "exit"})
    config = attrs.evolve(quick, batch_sizes=(64,))
    assert run_toy(model, targets="toy-alpha", run_profiling=False, profiler_config=config).get_status("toy-alpha")
    row = run_toy(model, targets="toy-alpha", profiler_config=config).results[1].runtimes[0]
    assert row.status == Status.OK
    assert row.performance == ()
    assert row.profiling is not None
    assert row.failure is not None
    assert row.failure.category == "no-result"


def test_the_source_is_measured_and_not_contained(run_toy: Run) -> None:
    row = run_toy(targets="toy-alpha").results[0].runtimes[0]
    assert row.runtime == "toy-eager"
    assert row.performance
    assert row.outcome is not None
    assert not row.outcome.contained


class TestLiveCandidates:
    """A live source runs in further runtimes, which are held against the one that says what is right."""

    BOTH = ("toy-eager", "toy-compiled")

    def test_it_is_verified_measured_and_found_again(self, run_toy: Run, toy: Any) -> None:
        package = run_toy(targets="toy-alpha", runtimes={"toy-live": self.BOTH})
        source, candidate = package.results[0].runtimes
        assert (source.runtime, candidate.runtime) == self.BOTH
        assert source.verification is None
        assert candidate.status == Status.OK
        assert candidate.verification is not None
        assert candidate.verification.compared
        assert candidate.performance[0].cold_start >= 1000 * toy.COMPILING > source.performance[0].cold_start
        assert candidate.performance[1].cold_start < 1000 * toy.COMPILING, "it is prepared once"
        told: list[Any] = []
        run_toy(targets="toy-alpha", runtimes={"toy-live": self.BOTH}, progress=told.append)
        assert [one.reused for one in told if one.subject == "toy-live/toy-compiled" and one.status] == [True]

    def test_nobody_is_offered_it(self, run_toy: Run) -> None:
        package = run_toy(targets="toy-alpha", runtimes={"toy-live": self.BOTH})
        best = package.best()
        assert best is not None
        assert best.format == "toy-alpha"

    @pytest.mark.parametrize("asked", [BOTH, BOTH[1:]], ids=["beside the source", "alone"])
    @pytest.mark.parametrize(
        ("mischief", "status", "cause"),
        [
            ("numbers", Status.FAILED, "y"),
            ("raise", Status.FAILED, "mischief was asked for"),
            ("unavailable", Status.UNAVAILABLE, "the toy accelerator is not there"),
        ],
    )
    def test_one_that_is_wrong_says_nothing_about_the_source(
        self, run_toy: Run, toy: Any, asked: tuple[str, ...], mischief: str, status: Status, cause: str
    ) -> None:
        model = toy.ToyModel(mischief={"run toy-compiled": mischief})
        package = run_toy(model, targets="toy-alpha", runtimes={"toy-live": asked}, run_profiling=False)
        row = package.results[0].runtimes[-1]
        assert (row.runtime, row.status) == ("toy-compiled", status)
        assert row.failure is not None
        assert cause in row.failure.cause
        assert package.get_status("toy-alpha"), "the numbers to compare with are those of the source itself"

    def test_alone_it_is_no_source_either(self, run_toy: Run) -> None:
        """Who takes the source's own runtime out of the rows has it run all the same, to know what is right."""
        package = run_toy(
            targets="toy-alpha", runtimes={"toy-live": "toy-compiled"}, ranking=True, profiler_config=None
        )
        (row,) = package.results[0].runtimes
        assert (row.runtime, row.status) == ("toy-compiled", Status.OK)
        assert row.verification is not None
        assert package.ranking is not None
        assert not package.ranking.is_source

    def test_it_is_ranked_against_the_source(self, run_toy: Run, toy: Any) -> None:
        package = run_toy(targets="toy-alpha", runtimes={"toy-live": self.BOTH}, ranking=True, profiler_config=None)
        assert package.ranking is not None
        assert package.ranking.reference == ("toy-live", "toy-eager")
        assert ("toy-live", "toy-compiled") in {(one.format, one.runtime) for one in package.ranking.ratios}
        candidate = package.results[0].runtimes[1]
        assert candidate.performance[0].cold_start >= 1000 * toy.COMPILING


def test_only_the_runtimes_asked_for_are_checked(run_toy: Run) -> None:
    package = run_toy(targets="toy-alpha", runtimes={"toy-alpha": "toy-runtime"}, run_profiling=False)
    assert [one.runtime for one in package.results[1].runtimes] == ["toy-runtime"]


def test_tolerances_decide_when_they_are_given(run_toy: Run) -> None:
    assert run_toy(targets="toy-alpha", run_profiling=False, atol=0.0, rtol=0.0).get_status("toy-alpha")


def _become_another_machine() -> None:
    import navcore.workspace.environment

    navcore.workspace.environment.hardware_key = lambda: "another machine"


class TestMeasuringElsewhere:
    """With ``executor=`` a measurement belongs to the machine of the worker that made it."""

    @pytest.fixture
    def elsewhere(self) -> Iterator[Executor]:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context, initializer=_become_another_machine) as pool:
            yield pool

    def test_the_row_says_so_and_speeds_are_not_compared(self, run_toy: Run, elsewhere: Executor) -> None:
        package = run_toy(targets="toy-alpha", executor=elsewhere)
        source, alpha = (row.runtimes[0] for row in package.results)
        assert (source.machine, alpha.machine) == ("", "another machine")
        assert any("another machine than the source" in note for note in alpha.notes)
        lines = [line for line in str(package).splitlines() if line.split()[:2] == ["toy-alpha", "toy-runtime"]]
        assert lines
        assert "×" not in lines[0]

    def test_it_is_found_again_there_and_made_anew_at_home(self, run_toy: Run, elsewhere: Executor) -> None:
        def measured(**arguments: Any) -> tuple[str, bool]:
            told: list[nav.Event] = []
            package = run_toy(targets="toy-alpha", progress=told.append, **arguments)
            ended = [one for one in told if one.stage == "checking" and one.status and "alpha" in one.subject]
            row = package.results[1].runtimes[0]
            assert any("another machine" in note for note in row.notes) == (row.machine != "")
            return row.machine, ended[0].reused

        assert measured(executor=elsewhere) == ("another machine", False)
        assert measured(executor=elsewhere) == ("another machine", True)
        assert measured() == ("", False)
        assert measured() == ("", True)
        assert measured(executor=elsewhere) == ("another machine", True)

    def test_the_live_source_is_measured_at_home_once(self, run_toy: Run, elsewhere: Executor) -> None:
        told: list[nav.Event] = []
        for _ in range(2):
            run_toy(targets="toy-alpha", progress=told.append, executor=elsewhere)
        assert [one.reused for one in told if one.subject == "toy-live/toy-eager" and one.status] == [False, True]

    def test_an_executor_that_is_gone_is_one_sentence(self, run_toy: Run) -> None:
        with ProcessPoolExecutor(1) as pool:
            pass
        with pytest.raises(nav.StepError, match="The executor could not run a step: RuntimeError"):
            run_toy(targets="toy-alpha", executor=pool)


class TestSpotChecks:
    """A runtime that interprets a model slowly proves a few numbers, and is never measured."""

    def test_it_verifies_on_few_comparisons_and_is_not_measured(self, run_toy: Run) -> None:
        both = {"toy-alpha": ("toy-runtime", "toy-oracle")}
        told: list[nav.Event] = []
        quick, oracle = run_toy(targets="toy-alpha", runtimes=both, progress=told.append).results[1].runtimes
        assert (quick.runtime, oracle.runtime) == ("toy-runtime", "toy-oracle")
        assert oracle.status == Status.OK
        assert oracle.verification is not None
        assert quick.verification is not None
        assert oracle.verification.compared == 2 < quick.verification.compared
        assert quick.performance
        assert oracle.performance == ()
        assert oracle.profiling is None
        assert oracle.notes == ("A spot check: toy-oracle is too slow for more than 2 of the comparisons.",)
        (estimate,) = [event.text for event in told if (event.stage, event.subject) == ("estimate", "profiling")]
        assert estimate.startswith("measuring 2 runtimes")  # the source and toy-runtime

    def test_wrong_numbers_fail(self, run_toy: Run) -> None:
        options = {"toy-alpha/toy-oracle": {"mischief": "numbers"}}
        row = run_toy(targets="toy-alpha", runtimes={"toy-alpha": "toy-oracle"}, options=options).results[1]
        assert row.status == Status.FAILED
        assert row.failure is not None
        assert "relative L2 difference" in row.failure.cause

    def test_no_answer_in_time_is_unverified_not_failed(self, run_toy: Run) -> None:
        options = {"toy-alpha/toy-oracle": {"mischief": "hang"}}
        package = run_toy(targets="toy-alpha", runtimes={"toy-alpha": "toy-oracle"}, options=options)
        row = package.results[1]
        assert row.status == Status.UNVERIFIED
        assert row.runtimes[0].status == Status.UNVERIFIED
        assert row.runtimes[0].failure is not None
        assert row.runtimes[0].failure.cause == "toy-oracle did not answer within 5 s"
        assert not package.get_status("toy-alpha")
        assert "toy-oracle did not answer within 5 s" in str(package)


def test_every_error_is_kept_beside_the_model_also_of_a_row_that_failed(run_toy: Run, toy: Any) -> None:
    package = run_toy(toy.ToyModel(mischief={"gamma": "numbers"}), targets=["toy-alpha", "toy-gamma"])
    for name, right in (("toy-alpha", True), ("toy-gamma", False)):
        row = next(one for one in package.results if one.format.name == name)
        (judged,) = [one.verification for one in row.runtimes if one.verification is not None]
        with np.load(package.workspace / name / "measurements" / "toy-runtime.errors.npz") as kept:
            assert kept["errors"].shape == (len(judged.differences), judged.compared)
            assert kept["errors"].max() == judged.differences[0].relative_l2
            assert (kept["errors"] == 0).all() == right
