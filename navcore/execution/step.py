"""A step as plain data, run in a child process wherever this is called: here, in a thread, on a cluster's worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from navcore.errors import StepError, first_line
from navcore.registry import candidates
from navcore.workspace import Failure, Outcome, Status, describe, died, from_data, to_data

if TYPE_CHECKING:
    from navcore.execution.isolation import ChildReport, Limits

WORKER = "navcore.execution.worker"


def run_step(step: Mapping[str, Any]) -> dict[str, Any]:
    """Run one step in a child of its own, and say how it ended.

    ``step`` has the keys ``folder`` (private to the step), ``log``, ``who``, ``timeout`` (seconds or ``None``),
    ``memory_limit`` (bytes or ``None``) and ``request``, which :mod:`navcore.execution.worker` reads. Returns
    ``{"outcome": …, "result": … or None, "hardware": …}``, plain data: ``hardware`` is the key of the machine that a
    step measured on, else empty. Never raises for what the step did.
    """
    from navcore.execution.isolation import run_module

    folder, log = Path(step["folder"]), Path(step["log"])
    # To look for plugins is to import and read a lot: it is done here, not in each child.
    request = {**step["request"], "announced": to_data(tuple(candidates()))}
    report = run_module(WORKER, request, folder=folder, log=log, limits=_limits(step))
    hardware = _hardware() if step["request"].get("measuring") else ""
    return {**_conclude(report, step["who"]), "hardware": hardware}


def _hardware() -> str:
    from navcore.workspace import hardware_key  # not before it is needed: children import this module too

    return hardware_key()


def executor_failed(error: Exception) -> StepError:
    """What to raise when the user's executor itself could not run a step: a step never raises."""
    return StepError(
        f"The executor could not run a step: {type(error).__name__}: {first_line(error)}",
        hint="Each of its workers needs the same packages, and the workspace folder at the same path.",
    )


def run_step_forked(step: Mapping[str, Any], work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The same for work on a live model: in a fork of the caller, where the model already is."""
    from navcore.execution.isolation import run_forked

    report = run_forked(
        work,
        folder=Path(step["folder"]),
        log=Path(step["log"]),
        limits=_limits(step),
        describe=failed_result,
    )
    return _conclude(report, step["who"])


def failed_result(error: BaseException) -> dict[str, Any]:
    """The result of a step that raised."""
    return {"failure": to_data(describe(error))}


def _limits(step: Mapping[str, Any]) -> Limits:
    from navcore.execution.isolation import Limits

    return Limits(seconds=step.get("timeout"), memory_bytes=step.get("memory_limit"))


def _conclude(report: ChildReport, who: str) -> dict[str, Any]:
    failure = None
    status = Status.OK
    if report.ended != "ok":
        failure = died(report.ended, report.cause, who)
    elif report.result is not None and report.result.get("failure"):
        failure = from_data(report.result["failure"], Failure)
    if failure is not None:
        status = Status.UNAVAILABLE if failure.category == "unavailable" else Status.FAILED
        if status == Status.FAILED and not failure.hint:
            failure = attrs.evolve(failure, hint="The step's log has the whole story.")
    outcome = Outcome(status, report.seconds, report.peak_memory, str(report.log), failure)
    return {"outcome": to_data(outcome), "result": report.result}
