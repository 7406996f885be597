"""Runs one step in a child process of its own: here, in a thread, in a fork, or wherever the user's executor is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from typing import Any, TypeAlias

import attrs

from navcore.contract import Made
from navcore.errors import StepError, first_line
from navcore.evaluation import Evaluation
from navcore.execution.isolation import ChildReport, Limits, run_forked, run_module
from navcore.execution.step import ChildStep, StepLimits, StepPlace
from navcore.execution.step_data import failed_result, request_of
from navcore.registry import candidates
from navcore.workspace import Failure, Outcome, Status, died, from_data, hardware_key, to_data, without_room

WORKER = "navcore.execution.worker"
IMPORTED_BY_STEPS = (
    WORKER,
    "navcore.evaluation.verify_and_measure",
    "navcore.evaluation.closed_loop",
    "cattrs",
    "ml_dtypes",
    "numpy.random",
)
"""What every step imports sooner or later: that it runs at all, checks, measures, reads its request."""


@attrs.frozen
class StepAnswer:
    """How a step ended, and what came of it.

    ``made`` is what an export or a conversion told, ``evaluation`` what a check found, also when its process ended
    before it was done. ``hardware`` is the key of the machine that a step measured on, else empty.
    """

    outcome: Outcome
    made: Made | None = None
    evaluation: Evaluation | None = None
    hardware: str = ""


RunStep: TypeAlias = Callable[[ChildStep, StepPlace], StepAnswer]
RunForked: TypeAlias = Callable[[Callable[[], Made], StepPlace], StepAnswer]


def run_step(step: ChildStep, place: StepPlace) -> StepAnswer:
    """Run one step in a child of its own, and say how it ended. Never raises for what the step did."""
    return _run(request_of(step), place)


def run_step_forked(export: Callable[[], Made], place: StepPlace) -> StepAnswer:
    """The same for work on a live model: in a fork of the caller, where the model already is."""
    report = run_forked(
        lambda: {"made": to_data(export())},
        folder=place.folder,
        log=place.log,
        limits=_limits(place.limits),
        describe=failed_result,
    )
    return _conclude(report, place)


def submit_step(executor: Executor, step: ChildStep, place: StepPlace) -> Future[dict[str, Any]]:
    """Hand a step to the user's executor, as plain data; :func:`answer_from` understands what comes of it."""
    return executor.submit(run_plain, request_of(step), to_data(place))


def run_plain(request: Mapping[str, Any], place: Mapping[str, Any]) -> dict[str, Any]:
    """What the executor calls in whichever process it has: plain data in and out, and only a child reads the step."""
    return dict(to_data(_run(request, from_data(place, StepPlace))))


def answer_from(data: Mapping[str, Any]) -> StepAnswer:
    """The answer that :func:`run_plain` returned."""
    return from_data(data, StepAnswer)


def executor_failed(error: Exception) -> StepError:
    """What to raise when the user's executor itself could not run a step: a step never raises."""
    return StepError(
        f"The executor could not run a step: {type(error).__name__}: {first_line(error)}",
        hint="Each of its workers needs the same packages, and the workspace folder at the same path.",
    )


def _run(request: Mapping[str, Any], place: StepPlace) -> StepAnswer:
    # To look for plugins is to import and read a lot: it is done here, not in each child.
    told = {**request, "announced": to_data(tuple(candidates()))}
    report = run_module(
        WORKER,
        told,
        folder=place.folder,
        log=place.log,
        limits=_limits(place.limits),
        framework=request["framework"],
        imports=request["imports"],
    )
    answer = _conclude(report, place)
    return attrs.evolve(answer, hardware=hardware_key()) if request.get("measuring") else answer


def _limits(limits: StepLimits) -> Limits:
    return Limits(seconds=limits.timeout, memory_bytes=limits.memory_limit)


def _conclude(report: ChildReport, place: StepPlace) -> StepAnswer:
    result = report.result or {}
    failure = None
    status = Status.OK
    if report.ended != "ok":
        failure = died(report.ended, report.cause, place.who)
    elif result.get("failure"):
        failure = from_data(result["failure"], Failure)
    if failure is not None:
        failure = without_room(failure, place.folder)
        status = Status.UNAVAILABLE if failure.category == "unavailable" else Status.FAILED
        if status == Status.FAILED and not failure.hint:
            failure = attrs.evolve(failure, hint="The step's log has the whole story.")
    return StepAnswer(
        Outcome(status, report.seconds, report.peak_memory, str(report.log), failure),
        made=from_data(result["made"], Made) if "made" in result else None,
        evaluation=from_data(result["check"], Evaluation) if "check" in result else None,
    )
