"""Test again on this machine what a package holds, by what of its record may be obeyed."""

from __future__ import annotations

from concurrent.futures import Executor

import attrs

from navcore.contract import ProfilerConfig
from navcore.execution import RunContext, StartingPoint, artifact_of, execute, new_context
from navcore.package.reading import NOT_HERE, Told
from navcore.planning import NOT_USED, Limits, Obeyed, Source, bounded_batch, obeyed
from navcore.registry import Registry
from navcore.workspace import (
    FormatResult,
    Observer,
    Record,
    Samples,
    Status,
    Workspace,
    describe_environment,
    digest,
    digest_of_file,
    keep_verified,
)

_ELSEWHERE = "recorded elsewhere:"


def retest(
    record: Record,
    workspace: Workspace,
    registry: Registry,
    told: Told,
    *,
    trust: bool,
    measurement: ProfilerConfig | None,
    limits: Limits,
    executor: Executor | None,
    observer: Observer | None,
) -> Record:
    """Check every format that is kept, rebuild those that were converted, keep as recorded what cannot be redone."""
    if record.samples is None or not told.holds_samples:
        reason = "the package holds no samples, so nothing was tested again here"
        return attrs.evolve(record, results=tuple(elsewhere(row, reason) for row in record.results))
    here = obeyed(record.settings, registry, trust=trust, limits=limits, weights=told.weights, measurement=measurement)
    reasons, wanted = _sorted_out(record, registry, trust)
    again = [row for row in record.results if not reasons[row.format.name]]
    context = new_context(
        registry,
        workspace,
        attrs.evolve(here.settings, targets=wanted),
        Source(record.source),
        record.source_key,
        record.samples if trust else bounded(record.samples),
        observer=observer,
        executor=executor,
    )
    kept = [_kept(context, row) for row in again if row.format.name not in wanted]
    fresh = {str(row.format): row for row in execute(context, kept, lambda _rows: None)}
    results = [
        told_of(merged(row, fresh.get(row.format.name), reasons[row.format.name]), here) for row in record.results
    ]
    known = {row.format.name for row in record.results}
    results += [told_of(row, here) for name, row in fresh.items() if name not in known]
    return attrs.evolve(
        record,
        results=keep_verified(record, tuple(results), context.journal),
        environment=describe_environment(),
        settings=attrs.evolve(record.settings, profiler_config=here.settings.profiler_config),
    )


def bounded(samples: Samples) -> Samples:
    """The samples with a batch size that may be measured at."""
    return attrs.evolve(samples, batch_size=bounded_batch(samples.batch_size))


def told_of(row: FormatResult, here: Obeyed) -> FormatResult:
    """The row with what its record asked for and was not obeyed, where the row was tested here."""
    runtimes = tuple(
        one
        if one.elsewhere
        else attrs.evolve(one, notes=(*without(one.notes, NOT_USED), *here.notes(row.format, one.runtime)))
        for one in row.runtimes
    )
    if row.elsewhere:
        return row
    return attrs.evolve(row, runtimes=runtimes, notes=(*without(row.notes, NOT_USED), *here.notes(row.format)))


def without(notes: tuple[str, ...], beginning: str) -> tuple[str, ...]:
    """The notes less those that begin so."""
    return tuple(note for note in notes if not note.startswith(beginning))


def _is_converted(row: FormatResult, record: Record) -> bool:
    """Made from another file, so that it can be made again without the live source."""
    return bool(row.made_from) and not (record.live and row.made_from == record.source.name)


def _sorted_out(record: Record, registry: Registry, trust: bool) -> tuple[dict[str, str], tuple[str, ...]]:
    """Why each row cannot be redone here (``""``: it can), and the formats to be made again from another file.

    A converted file whose own source is out of reach is tested as it is, where loading it needs no trust.
    """
    reasons: dict[str, str] = {}
    wanted = []
    for row in record.results:  # a row stands behind the one that it was made from
        reason = _why_not(row, record, registry, trust)
        blocked = reasons.get(row.made_from, "")
        if not reason and _is_converted(row, record):
            if not blocked:
                wanted.append(row.format.name)
            elif row.path is None or not (trust or registry.is_data(row.format)):
                reason = f"its source, {row.made_from}, cannot be used here: {blocked}"
        reasons[row.format.name] = reason
    return reasons, tuple(wanted)


def _why_not(row: FormatResult, record: Record, registry: Registry, trust: bool) -> str:
    """Why a row cannot be redone here, or ``""``."""
    if row.live:
        return "the source model is not in the package"
    if row.format not in registry.formats:
        return "no installed plugin knows this format"
    if _is_converted(row, record):
        return ""
    if row.path is None and any(note.startswith(NOT_HERE) for note in row.notes):
        return NOT_HERE
    if row.path is None:
        return "it can only be made from the source model, which is not in the package"
    if not registry.is_data(row.format) and not trust:
        return "loading it can execute code: needs trust=True"
    return ""


def _kept(context: RunContext, row: FormatResult) -> StartingPoint:
    row = attrs.evolve(row, elsewhere=False, notes=without(row.notes, _ELSEWHERE))
    artifact = artifact_of(row, context.samples.signature, context.workspace.root, context.registry)
    key = digest("kept", context.source_key, row.format.name, digest_of_file(artifact.file))
    return StartingPoint(artifact, key, row)


def elsewhere(row: FormatResult, reason: str) -> FormatResult:
    """The row as it was recorded, saying so and why it was not redone."""
    runtimes = tuple(attrs.evolve(runtime, elsewhere=True) for runtime in row.runtimes)
    return attrs.evolve(
        row, runtimes=runtimes, elsewhere=True, notes=(*without(row.notes, _ELSEWHERE), f"{_ELSEWHERE} {reason}")
    )


def merged(recorded: FormatResult, fresh: FormatResult | None, reason: str) -> FormatResult:
    """What was found here, completed by what only the other machine could find out."""
    if fresh is None:
        return elsewhere(recorded, reason or "it could not be redone here")
    if fresh.path is None and recorded.path is not None and fresh.status in (Status.UNAVAILABLE, Status.SKIPPED):
        return elsewhere(recorded, fresh.failure.cause if fresh.failure else "it cannot be made here")
    here = {runtime.runtime: runtime for runtime in fresh.runtimes}
    rows = []
    for old in recorded.runtimes:
        new = here.pop(old.runtime, None)
        if new is None or (new.status == Status.UNAVAILABLE and old.status == Status.OK):
            why = new.failure.cause if new is not None and new.failure is not None else "its runtime is not installed"
            note = f"{_ELSEWHERE} here {why}"
            rows.append(attrs.evolve(old, elsewhere=True, notes=(*without(old.notes, _ELSEWHERE), note)))
        else:
            rows.append(new)
    runtimes = (*rows, *here.values())
    status = fresh.status
    if status == Status.UNVERIFIED and any(row.status == Status.OK for row in runtimes):
        status = Status.OK
    return attrs.evolve(fresh, runtimes=runtimes, status=status, requested=recorded.requested)
