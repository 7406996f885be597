"""Check one format in one runtime: verify once, measure once, and find again in the journal what was done before."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import attrs

from navcore.contract import Artifact
from navcore.execution.check_row import ON_ANOTHER, check_live, check_stored, unavailable_row
from navcore.execution.check_settings import (
    hardware_of,
    measure_settings,
    measured_key,
    verified_key,
    verify_settings,
)
from navcore.execution.run_context import RunContext
from navcore.execution.source_call import source_route
from navcore.execution.step import StepLimits
from navcore.execution.step_children import RunStep, run_step
from navcore.planning import Check
from navcore.workspace import RuntimeResult, Status, from_older_data, hardware_key, is_chance, to_data


@attrs.frozen
class CheckResult:
    """The row of a check; ``reused`` when an earlier run had found all of it."""

    row: RuntimeResult
    reused: bool = False


@attrs.frozen
class _Entry:
    """What the journal remembers of a verification or a measurement."""

    row: RuntimeResult
    limits: StepLimits


_MEASURABLE = (Status.OK, Status.UNVERIFIED)
"""How a verification ended after which it makes sense to measure."""


def check_runtime(
    context: RunContext,
    artifact: Artifact,
    artifact_key: str,
    planned: Check,
    run: RunStep = run_step,
    threads: int | None = None,
) -> CheckResult:
    """Verify once, then measure once; one child does what the journal does not know. Never raises for the runtime.

    ``threads`` are the compute threads of a check that only verifies; ``None`` means all.
    """
    if planned.reason:
        return CheckResult(unavailable_row(planned))
    verifying, measuring = (
        verify_settings(context, artifact, planned.route),
        measure_settings(context, artifact, planned),
    )
    verdict = verified_key(context, artifact_key, planned, verifying)
    measurement = None if measuring is None else partial(measured_key, context, artifact_key, planned, measuring)
    if artifact.model is not None and is_reference(context, planned):
        live = partial(check_live, context, artifact, planned, None, measuring)
        return CheckResult(live()) if measurement is None else measure_once(context, measurement, hardware_key, live)
    here = hardware_key if artifact.model is not None else cache(lambda: hardware_of(context))

    @cache
    def child() -> RuntimeResult:
        is_verified = recall(context, "verified", verdict) is not None
        is_measured = measurement is None or recall(context, "measured", measurement(here())) is not None
        missing = (None if is_verified else verifying, None if is_measured else measuring)
        if artifact.model is not None:
            return check_live(context, artifact, planned, *missing)
        return check_stored(context, artifact, planned, *missing, run, threads)

    verified = verify_once(context, verdict, child)
    if measurement is None or verified.row.status not in _MEASURABLE:
        return verified
    measured = measure_once(context, measurement, here, lambda: _joined(verified.row, _measured_alone(child())))
    return CheckResult(_joined(verified.row, measured.row), verified.reused and measured.reused)


def is_reference(context: RunContext, planned: Check) -> bool:
    """Whether the source is right by definition in that runtime; in any other it is held against that one."""
    return planned.route.id == source_route(context.source.format, context.settings, context.registry).id


def verify_once(context: RunContext, key: str, check: Callable[[], RuntimeResult]) -> CheckResult:
    """The verdict that the journal has under ``key``, or else that of ``check``, which is then remembered."""
    known = recall(context, "verified", key)
    if known is not None:
        return CheckResult(_verdict_alone(known), reused=True)
    row = check()
    verdict = _verdict_alone(row)
    if not is_chance(verdict.failure):
        _remember(context, "verified", key, verdict)
    return CheckResult(row)


def measure_once(
    context: RunContext, key_on: Callable[[str], str], here: Callable[[], str], check: Callable[[], RuntimeResult]
) -> CheckResult:
    """The measurement that the journal has of the machine ``here``, or else that of ``check``.

    A row of ``check`` is remembered for the machine that made it, which may be another worker's than the one that was
    asked. ``key_on`` is the key on a machine.
    """
    known = recall(context, "measured", key_on(here()))
    if known is not None:
        return CheckResult(known, reused=True)
    row = check()
    if row.status in _MEASURABLE and not (row.profiling is not None and is_chance(row.profiling.failure)):
        _remember(context, "measured", key_on(row.machine or hardware_key()), row)
    return CheckResult(row)


def measure_runtime(context: RunContext, artifact: Artifact, planned: Check) -> RuntimeResult:
    """Measure alone, without verifying and without looking into the journal."""
    measuring = measure_settings(context, artifact, planned)
    if artifact.model is not None:
        return _measured_alone(check_live(context, artifact, planned, None, measuring))
    return _measured_alone(check_stored(context, artifact, planned, None, measuring, run_step))


def is_refused(context: RunContext, artifact: Artifact, artifact_key: str, planned: Check) -> bool:
    """Whether an earlier run recorded a failed verification: then the product itself is not needed any more."""
    key = verified_key(context, artifact_key, planned, verify_settings(context, artifact, planned.route))
    known = recall(context, "verified", key)
    return known is not None and known.status == Status.FAILED


def recall(context: RunContext, event: str, key: str) -> RuntimeResult | None:
    """What an earlier run recorded; what was unavailable may be there now, and other limits may let a step succeed."""
    entry = from_older_data(context.journal.find(event, key), _Entry)
    if entry is None:
        return None
    died = any(one is not None and one.failure is not None for one in (entry.row.outcome, entry.row.profiling))
    if entry.row.status == Status.UNAVAILABLE or (died and entry.limits != context.limits):
        return None
    return entry.row


def _remember(context: RunContext, event: str, key: str, row: RuntimeResult) -> None:
    context.journal.append(event, key, to_data(_Entry(row, context.limits)))


def _verdict_alone(row: RuntimeResult) -> RuntimeResult:
    """The row without what was measured beside verifying, and on which machine."""
    notes = tuple(note for note in row.notes if note != ON_ANOTHER)
    return attrs.evolve(row, performance=(), profiling=None, machine="", notes=notes)


def _measured_alone(row: RuntimeResult) -> RuntimeResult:
    """The row of a check that had only to measure: its failure is one of measuring, not of the format."""
    if row.status in _MEASURABLE:
        return row
    return attrs.evolve(row, profiling=row.profiling or row.outcome)


def _joined(verified: RuntimeResult, measured: RuntimeResult) -> RuntimeResult:
    notes = tuple(dict.fromkeys((*verified.notes, *(note for note in measured.notes if note == ON_ANOTHER))))
    return attrs.evolve(
        verified,
        performance=measured.performance,
        profiling=measured.profiling,
        threads=measured.threads,
        machine=measured.machine,
        notes=notes,
    )
