"""Check one format in one runtime: in a child for files, in the caller for the live source; once, like everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from navcore.checking import CheckResult, MeasureRequest, VerifyRequest, check
from navcore.environment import hardware_key
from navcore.failures import describe
from navcore.jobs import Artifact, RunnerJob
from navcore.keys import digest, versions_behind
from navcore.planning import Check
from navcore.profiling import resolve_batch_sizes
from navcore.results import Failure, Outcome, RuntimeResult, Status
from navcore.serial import from_data, to_data
from navcore.session import Session, processors
from navcore.steps import run_step
from navcore.workspace import fresh_folder

RunStep = Callable[[Mapping[str, Any]], dict[str, Any]]


def check_runtime(
    session: Session, artifact: Artifact, artifact_key: str, planned: Check, run: RunStep = run_step
) -> RuntimeResult:
    """Verify, then measure, unless the journal already knows. Never raises for what the runtime did."""
    if planned.reason:
        failure = Failure(planned.reason, "unavailable")
        outcome = Outcome(Status.UNAVAILABLE, failure=failure)
        return RuntimeResult(planned.runtime, Status.UNAVAILABLE, planned.route.id, outcome=outcome)
    reference = artifact.model is not None
    verifying = None if reference else _verify_request(session, artifact)
    measuring = _measure_request(session)
    verified_key = _verified_key(session, artifact_key, planned, verifying)
    measured_key = digest("measured", verified_key, to_data(measuring), hardware_key())
    known = session.journal.find("verified", verified_key)
    if known is not None and not reference:
        row = from_data(known, RuntimeResult)
        if row.status in (Status.FAILED, Status.UNAVAILABLE) or measuring is None:
            return row
        verifying = None
    else:
        row = None
    measured = None if measuring is None else session.journal.find("measured", measured_key)
    if measured is not None and (row is not None or reference):
        return from_data(measured, RuntimeResult)
    fresh = _run_check(session, artifact, planned, verifying, measuring, run)
    if row is not None:  # verified by an earlier run, measured by this one
        fresh = attrs.evolve(fresh, verification=row.verification, status=row.status, outcome=row.outcome)
    elif not reference:
        session.journal.record("verified", verified_key, to_data(attrs.evolve(fresh, performance=(), profiling=None)))
    if measuring is not None and fresh.status in (Status.OK, Status.UNVERIFIED):
        session.journal.record("measured", measured_key, to_data(fresh))
    return fresh


def measure_runtime(session: Session, artifact: Artifact, planned: Check) -> RuntimeResult:
    """Measure alone, without verifying and without looking into the journal."""
    return _run_check(session, artifact, planned, None, _measure_request(session), run_step)


def is_checked(session: Session, artifact: Artifact, artifact_key: str, planned: Check) -> bool:
    """Whether an earlier run recorded a failed verification: then the product itself is not needed any more."""
    known = session.journal.find(
        "verified", _verified_key(session, artifact_key, planned, _verify_request(session, artifact))
    )
    return known is not None and from_data(known, RuntimeResult).status == Status.FAILED


def _verify_request(session: Session, artifact: Artifact) -> VerifyRequest:
    settings = session.settings
    return VerifyRequest(artifact.format.precision, dict(session.samples.noise), settings.atol, settings.rtol)


def _measure_request(session: Session) -> MeasureRequest | None:
    settings = session.settings
    if not settings.run_profiling:
        return None
    sizes = resolve_batch_sizes(
        settings.profiler_config, batch_dim=settings.batch_dim, dataloader_batch=session.samples.batch_size
    )
    return MeasureRequest(settings.profiler_config, sizes, profiler_route(session))


def profiler_route(session: Session) -> str:
    """The id of the profiler route that the settings name."""
    return next(
        route.id
        for route in session.registry.routes
        if route.hook == "profile" and session.settings.profiler in (route.owner, route.distribution)
    )


def _verified_key(session: Session, artifact_key: str, planned: Check, verifying: VerifyRequest | None) -> str:
    route = planned.route
    versions = dict(versions_behind(route))
    return digest(
        "verified",
        artifact_key,
        route.id,
        versions,
        session.options_key(route),
        to_data(verifying),
        processors(),
        session.device,
    )


def _run_check(
    session: Session,
    artifact: Artifact,
    planned: Check,
    verifying: VerifyRequest | None,
    measuring: MeasureRequest | None,
    run: RunStep,
) -> RuntimeResult:
    if artifact.model is not None:
        return _check_live(session, artifact, planned, measuring)
    folder = session.workspace.format_folder(artifact.format.name)
    private = fresh_folder(session.workspace.private / "checking" / f"{artifact.format.name}-{planned.runtime}")
    request = {
        "kind": "check",
        "route": planned.route.id,
        "artifact": to_data(artifact),
        "reference": to_data(session.samples.signature),
        "workspace": str(session.workspace.root),
        "options": to_data(session.options.get(planned.route.id)),
        "device": session.device,
        "threads": processors(),
        "log_dir": str(folder),
        "verifying": to_data(verifying),
        "measuring": to_data(measuring),
    }
    answer = run(
        {
            "folder": str(private),
            "log": str(folder / f"{planned.runtime}.log"),
            "who": planned.route.who,
            **session.limits(),
            "request": request,
        }
    )
    return _row(session, planned, answer)


def _row(session: Session, planned: Check, answer: Mapping[str, Any]) -> RuntimeResult:
    """The row of a check that ran in a child; a child that died while measuring has still verified."""
    outcome = from_data(answer["outcome"], Outcome)
    if outcome.log:
        outcome = attrs.evolve(outcome, log=session.workspace.relative(Path(outcome.log)))
    result = None
    if answer["result"] is not None and "check" in answer["result"]:
        result = from_data(answer["result"]["check"], CheckResult)
    if result is None:
        return RuntimeResult(planned.runtime, outcome.status, planned.route.id, outcome=outcome)
    return settled(planned, result, outcome)


def settled(planned: Check, result: CheckResult, outcome: Outcome) -> RuntimeResult:
    """The row for what a check found. ``outcome`` may say that the process died after verifying."""
    status = Status.OK if result.verification is None else result.verification.status
    profiling = None
    if outcome.failure is not None:
        profiling, outcome = outcome, attrs.evolve(outcome, status=Status.OK, failure=None)
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
    session: Session, artifact: Artifact, planned: Check, measuring: MeasureRequest | None
) -> RuntimeResult:
    """Measure the live source where it lives."""
    started = time.monotonic()
    job: RunnerJob[Any] = RunnerJob(
        artifact=artifact,
        runtime=planned.runtime,
        options=session.options.get(planned.route.id),
        device=session.device,
        threads=processors(),
    )
    try:
        with session.registry.ask("make_runner", job, planned.route) as runner:
            result = check(
                runner,
                artifact.signature,
                artifact.signature,
                session.store,
                session.registry,
                verifying=None,
                measuring=measuring,
            )
    except Exception as error:
        outcome = Outcome(Status.FAILED, time.monotonic() - started, None, "", describe(error), contained=False)
        return RuntimeResult(planned.runtime, Status.FAILED, planned.route.id, outcome=outcome)
    outcome = Outcome(Status.OK, time.monotonic() - started, contained=False)
    return settled(planned, result, outcome)
