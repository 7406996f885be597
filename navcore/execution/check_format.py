"""Check one format in one runtime: in a child for files, in the caller for the live source; once, like everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from navcore.contract import Artifact, Name, RunnerJob, resolve_batch_sizes
from navcore.evaluation import Evaluation, MeasureSettings, VerifySettings, evaluate
from navcore.execution.resources import processors
from navcore.execution.run_context import RunContext
from navcore.execution.step import executor_failed, run_step
from navcore.planning import Check
from navcore.workspace import (
    Failure,
    Outcome,
    RuntimeResult,
    Status,
    describe,
    digest,
    fresh_folder,
    from_data,
    hardware_key,
    to_data,
    versions_behind,
)

RunStep = Callable[[Mapping[str, Any]], dict[str, Any]]


@attrs.frozen
class CheckResult:
    """The row of a check; ``reused`` when an earlier run had found all of it."""

    row: RuntimeResult
    reused: bool = False


def check_runtime(
    context: RunContext,
    artifact: Artifact,
    artifact_key: str,
    planned: Check,
    run: RunStep = run_step,
    threads: int | None = None,
) -> CheckResult:
    """Verify, then measure, each unless the journal already knows. Never raises for what the runtime did.

    ``threads`` are the compute threads of a check that only verifies; ``None`` means all.
    """
    if planned.reason:
        failure = Failure(planned.reason, "unavailable")
        outcome = Outcome(Status.UNAVAILABLE, failure=failure)
        return CheckResult(RuntimeResult(planned.runtime, Status.UNAVAILABLE, planned.route.id, outcome=outcome))
    reference = artifact.model is not None
    verifying = None if reference else _verify_settings(context, artifact, planned)
    measuring = _measure_settings(context, planned)
    verified_key = _verified_key(context, artifact_key, planned, verifying)
    verified = None if reference else _recall(context, "verified", verified_key)
    if verified is not None and (measuring is None or verified.status == Status.FAILED):
        return CheckResult(verified, reused=True)
    measured_key = _measured_key(context, artifact_key, planned, measuring, _hardware(context, measuring))
    measured = None if measuring is None else _recall(context, "measured", measured_key)
    if measured is not None and reference:
        return CheckResult(measured, reused=True)
    if measured is not None and verified is not None:
        return CheckResult(_joined(verified, measured), reused=True)
    fresh = _run_check(
        context, artifact, planned, None if verified else verifying, None if measured else measuring, run, threads
    )
    if verified is None and not reference:
        _remember(context, "verified", verified_key, attrs.evolve(fresh, performance=(), profiling=None))
    if verified is not None:
        fresh = _joined(verified, _measured_alone(fresh))
    elif measured is not None:
        return CheckResult(fresh if fresh.status not in _MEASURED else _joined(fresh, measured))
    if measuring is not None and fresh.status in _MEASURED:
        where = fresh.machine or hardware_key()  # it may be another worker's than the one that was asked
        _remember(context, "measured", _measured_key(context, artifact_key, planned, measuring, where), fresh)
    return CheckResult(fresh)


_MEASURED = (Status.OK, Status.UNVERIFIED)
_ON_ANOTHER = "Measured on another machine than the source: the two speeds are not compared."


def _recall(context: RunContext, event: str, key: str) -> RuntimeResult | None:
    """What an earlier run recorded; what was unavailable may be there now, and other limits may let a step succeed."""
    data = context.journal.find(event, key)
    if data is None:
        return None
    row = from_data(data["row"], RuntimeResult)
    died = any(outcome is not None and outcome.failure is not None for outcome in (row.outcome, row.profiling))
    if row.status == Status.UNAVAILABLE or (died and data["limits"] != context.limits()):
        return None
    return row


def _remember(context: RunContext, event: str, key: str, row: RuntimeResult) -> None:
    context.journal.append(event, key, {"row": to_data(row), "limits": context.limits()})


def _measured_alone(fresh: RuntimeResult) -> RuntimeResult:
    """The row of a check that had only to measure: its failure is one of measuring, not of the format."""
    if fresh.status in _MEASURED:
        return fresh
    return attrs.evolve(fresh, profiling=fresh.profiling or fresh.outcome)


def _joined(verified: RuntimeResult, measured: RuntimeResult) -> RuntimeResult:
    notes = tuple(dict.fromkeys((*verified.notes, *(note for note in measured.notes if note == _ON_ANOTHER))))
    return attrs.evolve(
        verified,
        performance=measured.performance,
        profiling=measured.profiling,
        threads=measured.threads,
        machine=measured.machine,
        notes=notes,
    )


def measure_runtime(context: RunContext, artifact: Artifact, planned: Check) -> RuntimeResult:
    """Measure alone, without verifying and without looking into the journal."""
    return _measured_alone(_run_check(context, artifact, planned, None, _measure_settings(context, planned), run_step))


def is_refused(context: RunContext, artifact: Artifact, artifact_key: str, planned: Check) -> bool:
    """Whether an earlier run recorded a failed verification: then the product itself is not needed any more."""
    key = _verified_key(context, artifact_key, planned, _verify_settings(context, artifact, planned))
    known = _recall(context, "verified", key)
    return known is not None and known.status == Status.FAILED


def _verify_settings(context: RunContext, artifact: Artifact, planned: Check) -> VerifySettings:
    settings, spot = context.settings, planned.route.spot_check
    return VerifySettings(
        artifact.format.precision,
        dict(context.samples.noise),
        settings.atol,
        settings.rtol,
        at_most=None if spot is None else spot.comparisons,
    )


def _measure_settings(context: RunContext, planned: Check) -> MeasureSettings | None:
    settings = context.settings
    if not settings.run_profiling or planned.route.spot_check is not None:
        return None
    sizes = resolve_batch_sizes(
        settings.profiler_config, batch_dim=settings.batch_dim, dataloader_batch=context.samples.batch_size
    )
    return MeasureSettings(settings.profiler_config, sizes, profiler_route(context))


def profiler_route(context: RunContext) -> str:
    """The id of the profiler route that the settings name."""
    return next(
        route.id
        for route in context.registry.routes
        if route.hook == "profile" and context.settings.profiler in (route.owner, route.distribution)
    )


def _verified_key(context: RunContext, artifact_key: str, planned: Check, verifying: VerifySettings | None) -> str:
    return digest("verified", _run_key(context, artifact_key, planned), to_data(verifying))


def _hardware(context: RunContext, measuring: MeasureSettings | None) -> str:
    """What a measurement would be made on: this machine, or whichever the user's executor gives a step to."""
    if context.executor is None or measuring is None:
        return hardware_key()
    try:
        return str(context.executor.submit(hardware_key).result())
    except Exception as error:
        raise executor_failed(error) from error


def _measured_key(
    context: RunContext, artifact_key: str, planned: Check, measuring: MeasureSettings | None, hardware: str
) -> str:
    versions = {} if measuring is None else dict(versions_behind(context.registry.route(measuring.profiler)))
    run_key = _run_key(context, artifact_key, planned)
    return digest("measured", run_key, to_data(measuring), versions, hardware)


def _run_key(context: RunContext, artifact_key: str, planned: Check) -> str:
    route = planned.route
    versions = dict(versions_behind(route))
    return digest(artifact_key, route.id, versions, context.options_key(route), processors(), context.device)


def _run_check(
    context: RunContext,
    artifact: Artifact,
    planned: Check,
    verifying: VerifySettings | None,
    measuring: MeasureSettings | None,
    run: RunStep,
    threads: int | None = None,
) -> RuntimeResult:
    if artifact.model is not None:
        return _check_live(context, artifact, planned, measuring)
    folder = context.workspace.format_folder(artifact.format.name)
    runtime = Name(planned.runtime)
    private = fresh_folder(context.workspace.unfinished(Name("checking"), artifact.format.name, runtime))
    request = {
        "kind": "check",
        "route": planned.route.id,
        "artifact": to_data(artifact),
        "reference": to_data(context.samples.signature),
        "workspace": str(context.workspace.root),
        "options": to_data(context.options.get(planned.route.id)),
        "device": context.device,
        "threads": processors() if threads is None or measuring is not None else threads,
        "log_dir": str(folder),
        "verifying": to_data(verifying),
        "measuring": to_data(measuring),
    }
    answer = run(
        {
            "folder": str(private),
            "log": str(context.workspace.log_of(artifact.format.name, runtime)),
            "who": planned.route.who,
            **_limits(context, planned),
            "request": request,
        }
    )
    return _placed(answer, _spotted(planned, _row(context, planned, answer)))


def _placed(answer: Mapping[str, Any], row: RuntimeResult) -> RuntimeResult:
    """A row that was measured on another machine than this one says so."""
    machine = answer.get("hardware", "")
    if not row.performance or machine in ("", hardware_key()):
        return row
    return attrs.evolve(row, machine=machine, notes=(*row.notes, _ON_ANOTHER))


def _limits(context: RunContext, planned: Check) -> dict[str, Any]:
    limits = context.limits()
    if planned.route.spot_check is not None:
        given = limits["timeout"]
        seconds = planned.route.spot_check.seconds
        limits["timeout"] = seconds if given is None else min(given, seconds)
    return limits


def _spotted(planned: Check, row: RuntimeResult) -> RuntimeResult:
    """A spot check says how little it saw; one that found no time to prove anything has disproved nothing."""
    spot = planned.route.spot_check
    if spot is None:
        return row
    failure = row.failure
    if failure is not None and failure.category == "timeout":
        told = Failure(f"{planned.runtime} did not answer within {spot.seconds:g} s", "unverified")
        outcome = None if row.outcome is None else attrs.evolve(row.outcome, status=Status.UNVERIFIED, failure=told)
        return attrs.evolve(row, status=Status.UNVERIFIED, outcome=outcome)
    if row.verification is None or not row.verification.compared:
        return row
    note = f"A spot check: {planned.runtime} is too slow for more than {row.verification.compared} of the comparisons."
    return attrs.evolve(row, notes=(*row.notes, note))


def _row(context: RunContext, planned: Check, answer: Mapping[str, Any]) -> RuntimeResult:
    """The row of a check that ran in a child; a child that died while measuring has still verified."""
    outcome = from_data(answer["outcome"], Outcome)
    if outcome.log:
        outcome = attrs.evolve(outcome, log=context.workspace.relative(Path(outcome.log)))
    result = None
    if answer["result"] is not None and "check" in answer["result"]:
        result = from_data(answer["result"]["check"], Evaluation)
    if result is None:
        return RuntimeResult(planned.runtime, outcome.status, planned.route.id, outcome=outcome)
    return row_of(planned, result, outcome)


def row_of(planned: Check, result: Evaluation, outcome: Outcome) -> RuntimeResult:
    """The row for what a check found. ``outcome`` may say that the process died after verifying."""
    status = Status.OK if result.verification is None else result.verification.status
    profiling = None
    if outcome.failure is not None:
        cause = outcome.failure.cause if result.at is None else f"at batch size {result.at}: {outcome.failure.cause}"
        profiling = attrs.evolve(outcome, failure=attrs.evolve(outcome.failure, cause=cause))
        outcome = attrs.evolve(outcome, status=Status.OK, failure=None)
    elif result.measuring is not None:
        profiling = attrs.evolve(outcome, status=Status.FAILED, failure=result.measuring)
    return RuntimeResult(
        runtime=planned.runtime,
        status=status,
        route=planned.route.id,
        verification=result.verification,
        performance=result.performance,
        provider=result.provider,
        precision=result.precision,
        threads=result.threads,
        notes=result.notes,
        outcome=outcome,
        profiling=profiling,
    )


def _check_live(
    context: RunContext, artifact: Artifact, planned: Check, measuring: MeasureSettings | None
) -> RuntimeResult:
    """Measure the live source where it lives."""
    started = time.monotonic()
    job: RunnerJob[Any] = RunnerJob(
        artifact=artifact,
        runtime=planned.runtime,
        options=context.options.get(planned.route.id),
        device=context.device,
        threads=processors(),
        log_dir=context.workspace.root,  # a live model has no folder of its own
    )
    try:
        with context.registry.ask("make_runner", job, planned.route) as runner:
            result = evaluate(
                runner,
                artifact.signature,
                artifact.signature,
                context.store,
                context.registry,
                verifying=None,
                measuring=measuring,
                log_dir=job.log_dir,
            )
    except Exception as error:
        outcome = Outcome(Status.FAILED, time.monotonic() - started, None, "", describe(error), contained=False)
        return RuntimeResult(planned.runtime, Status.FAILED, planned.route.id, outcome=outcome)
    outcome = Outcome(Status.OK, time.monotonic() - started, contained=False)
    return row_of(planned, result, outcome)
