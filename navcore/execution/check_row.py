"""Runs one check, in a child for a file and in the caller for the live source, and tells it as a row."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import attrs

from navcore.contract import Artifact, Name
from navcore.evaluation import Evaluation, MeasureSettings, VerifySettings, doubling_told, evaluate
from navcore.execution.check_settings import check_limits
from navcore.execution.memory_watch import MemoryWatch, room_for_one
from navcore.execution.run_context import RunContext
from navcore.execution.same_numbers import same_numbers
from navcore.execution.step import CheckStep, StepPlace, runner_job
from navcore.execution.step_children import RunStep, StepAnswer
from navcore.execution.threads import fastest_count, opening, thread_counts
from navcore.planning import Check
from navcore.workspace import (
    Failure,
    Outcome,
    RuntimeResult,
    Status,
    bounded_notes,
    describe,
    errors_file,
    fresh_folder,
    hardware_key,
    remove,
    windows_file,
)

ON_ANOTHER = "Measured on another machine than the source: the two speeds are not compared."


def check_stored(
    context: RunContext,
    artifact: Artifact,
    planned: Check,
    verifying: VerifySettings | None,
    measuring: MeasureSettings | None,
    run: RunStep,
    threads: int | None = None,
) -> RuntimeResult:
    """Verify and measure a file in one child; ``None`` leaves one out.

    ``threads`` are the compute threads of a check that only verifies; ``None`` means all.
    """
    folder = context.workspace.format_folder(artifact.format.name)
    runtime = Name(planned.runtime)
    private = fresh_folder(context.workspace.unfinished(Name("checking"), artifact.format.name, runtime))
    log = context.workspace.log_of(artifact.format.name, runtime)
    counts = thread_counts(context.settings.threads)
    if planned.route.threads_per_process and context.settings.memory_limit is not None:
        counts = counts[:1]  # it would be loaded with each of them at once, under one limit
    threads = counts[0] if threads is None or measuring is not None else threads
    call = context.call(planned.route, artifact, threads, folder)
    step = CheckStep(
        call,
        context.samples.signature,
        context.workspace.root,
        verifying,
        measuring,
        () if measuring is None else counts,
    )
    limits = check_limits(context, planned)
    answer = run(step, StepPlace(private, log, planned.route.who, limits))
    with contextlib.suppress(OSError):
        remove(private)
    return _placed(answer, _spotted(planned, _row(context, planned, answer)))


def check_live(
    context: RunContext,
    artifact: Artifact,
    planned: Check,
    verifying: VerifySettings | None,
    measuring: MeasureSettings | None,
) -> RuntimeResult:
    """Verify and measure the live source where it lives; ``None`` leaves one out.

    In the runtime that says what is right there is nothing to verify.
    """
    started = time.monotonic()
    # A live model has no folder of its own.
    counts = thread_counts(context.settings.threads)
    call = context.call(planned.route, artifact, counts[0], context.workspace.root)
    job = runner_job(call, context.registry)
    folder = context.workspace.format_folder(artifact.format.name)
    try:
        if measuring is not None and len(counts) > 1:
            feeds = context.store.profiling_feeds(artifact.signature, measuring.batch_sizes[0])
            job = attrs.evolve(job, threads=fastest_count(opening(call, context.registry), feeds, counts))
        with contextlib.ExitStack() as stack:
            runner = stack.enter_context(context.registry.ask("make_runner", job, planned.route))
            watch = MemoryWatch(artifact.signature, room_for_one())
            if measuring is not None and measuring.doubling is not None:
                stack.enter_context(watch)
            result = evaluate(
                runner,
                artifact.signature,
                artifact.signature,
                context.store,
                context.registry,
                verifying=verifying,
                measuring=measuring,
                log_dir=job.log_dir,
                held=same_numbers(artifact.format.live),
                raw=windows_file(folder, Name(planned.runtime)),
                no_room=watch.no_room,
                errors=errors_file(folder, Name(planned.runtime)),
            )
    except Exception as error:
        failure = describe(error)
        status = Status.UNAVAILABLE if failure.category == "unavailable" else Status.FAILED
        outcome = Outcome(status, time.monotonic() - started, None, "", failure, contained=False)
        return RuntimeResult(planned.runtime, status, planned.route.id, outcome=outcome)
    outcome = Outcome(Status.OK, time.monotonic() - started, contained=False)
    return row_of(planned, result, outcome)


def unavailable_row(planned: Check) -> RuntimeResult:
    """The row of a check that cannot be done on this machine."""
    outcome = Outcome(Status.UNAVAILABLE, failure=Failure(planned.reason, "unavailable"))
    return RuntimeResult(planned.runtime, Status.UNAVAILABLE, planned.route.id, outcome=outcome)


def row_of(planned: Check, result: Evaluation, outcome: Outcome) -> RuntimeResult:
    """The row for what a check found. ``outcome`` may say that the process died after verifying."""
    status = Status.OK if result.verification is None else result.verification.status
    profiling = None
    if outcome.failure is not None and result.doubles is not None:
        result = doubling_told(result, result.doubles, f"at {result.at}: {outcome.failure.cause}")
        outcome = attrs.evolve(outcome, status=Status.OK, failure=None)
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
        notes=bounded_notes(result.notes),
        outcome=outcome,
        profiling=profiling,
    )


def _row(context: RunContext, planned: Check, answer: StepAnswer) -> RuntimeResult:
    """The row of a check that ran in a child; a child that died while measuring has still verified."""
    outcome = answer.outcome
    if outcome.log:
        outcome = attrs.evolve(outcome, log=context.workspace.relative(Path(outcome.log)))
    if answer.evaluation is None:
        return RuntimeResult(planned.runtime, outcome.status, planned.route.id, outcome=outcome)
    return row_of(planned, answer.evaluation, outcome)


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


def _placed(answer: StepAnswer, row: RuntimeResult) -> RuntimeResult:
    """A row that was measured on another machine than this one says so."""
    if not row.performance or answer.hardware in ("", hardware_key()):
        return row
    return attrs.evolve(row, machine=answer.hardware, notes=(*row.notes, ON_ANOTHER))
