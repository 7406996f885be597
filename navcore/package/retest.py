"""Test again on this machine what a package holds, by what of its record may be obeyed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Executor

import attrs

from navcore.contract import Format
from navcore.execution import (
    Executed,
    MetricsAsked,
    RunContext,
    StartingPoint,
    artifact_of,
    execute,
    judged_rows,
    measured_rows,
    new_context,
    rows_with_metrics,
)
from navcore.package.metrics import metrics_kept, metrics_of_the_source
from navcore.package.reading import Told
from navcore.package.replanning import missing_row, replanned, superseded
from navcore.planning import (
    NOT_USED,
    Asked,
    Obeyed,
    Source,
    bounded_batch,
    effort_here,
    named_formats,
    obeyed,
    without_unused,
)
from navcore.registry import Registry
from navcore.workspace import (
    FormatResult,
    Observer,
    Record,
    RuntimeResult,
    Samples,
    Status,
    Workspace,
    describe_environment,
    digest,
    digest_of_file,
    keep_verified,
)

_ELSEWHERE = "recorded elsewhere:"
MEASURING = ("profiler_config", "batch_sizes", "ranking", "budget", "callers")
_UNUSED = "its file is the package's own and not made again here, so these options were not used:"
_NO_SAMPLES_TO_TEST = "the package holds no samples, so nothing was tested again here"
_NO_SAMPLES_TO_MAKE = "the package holds no samples to test it with, so it was not made here"
_JUDGED = "Recorded as"
_NOT_INSTALLED = "its runtime is not installed"


def retest(
    record: Record,
    workspace: Workspace,
    registry: Registry,
    told: Told,
    *,
    trust: bool,
    asked: Asked,
    executor: Executor | None,
    observer: Observer | None,
    metrics: MetricsAsked | None = None,
) -> tuple[Record, Asked]:
    """Check every format that is kept, make of them what was asked for, keep as recorded what cannot be redone.

    Returns the record, and what was asked for less the options that nothing here takes; each is a note of its row.
    """
    if record.samples is None or not told.holds_samples:
        return _without_samples(record, registry, asked), asked
    effort = effort_here(record.settings, trust=trust, asked=asked)
    plan = replanned(record, registry, trust=trust, asked=asked.targets, effort=effort)
    asked, unused = without_unused(asked, [row.format.name for row in plan.kept], plan.wanted, registry)
    here = obeyed(record.settings, registry, trust=trust, weights=told.weights, asked=asked)
    context = new_context(
        registry,
        workspace,
        attrs.evolve(here.settings, targets=plan.wanted, ranking=here.settings.ranking and executor is None),
        Source(record.source),
        record.source_key,
        record.samples if trust else bounded(record.samples),
        observer=observer,
        executor=executor,
    )
    as_they_lay = [row.format.name for row in plan.kept]
    kept = [_kept(context, row, unused.get(row.format.name, ())) for row in plan.kept]
    source = metrics_of_the_source(context, record, metrics, trust=trust)
    done = execute(context, kept, lambda _rows: None) if kept else Executed()
    kept_metrics = as_they_lay if trust and metrics is None else ()
    rows = rows_with_metrics(context, done.rows, done.keys, metrics, source)
    rows = judged_rows(metrics_kept(rows, record.results, source, kept_metrics), registry)
    rows, ranking = measured_rows(context, rows, done.keys)
    fresh = {str(row.format): row for row in rows}
    own = {format.name for target in asked.targets for format in named_formats(target, registry, effort)}
    results = [
        told_of(
            merged(
                row, fresh.get(row.format.name), plan.reasons.get(row.format.name, ""), own,
                _installed(row.format, registry),
            ),
            here,
        )
        for row in record.results
    ]  # fmt: skip
    known = {row.format.name for row in record.results}
    results += [told_of(row, here) for name, row in fresh.items() if name not in known]
    results += plan.missing
    results = list(metrics_kept(results, record.results, source, kept_metrics))
    record = attrs.evolve(
        record,
        results=keep_verified(record, tuple(row for row in results if not superseded(row, results)), context.journal),
        environment=describe_environment(),
        settings=attrs.evolve(record.settings, **{name: getattr(here.settings, name) for name in MEASURING}),
        ranking=ranking,
    )
    return record, asked


def _without_samples(record: Record, registry: Registry, asked: Asked) -> Record:
    """The record as it is, with a row for every format that is asked for here, and why it is not made."""
    there = {row.format.name for row in record.results}
    wanted = dict.fromkeys(format for target in asked.targets for format in named_formats(target, registry))
    missing = [missing_row(format, _NO_SAMPLES_TO_MAKE) for format in wanted if format.name not in there]
    rows = [elsewhere(row, _NO_SAMPLES_TO_TEST) for row in record.results]
    return attrs.evolve(record, results=(*rows, *missing))


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


def _kept(context: RunContext, row: FormatResult, unused: Sequence[str]) -> StartingPoint:
    notes = without(without(row.notes, _ELSEWHERE), _UNUSED)
    if unused:
        notes = (*notes, f"{_UNUSED} {', '.join(unused)}")
    row = attrs.evolve(row, elsewhere=False, notes=notes)
    artifact = artifact_of(row, context.samples.signature, context.workspace.root, context.registry)
    key = digest("kept", context.source_key, row.format.name, digest_of_file(artifact.file))
    return StartingPoint(artifact, key, row)


def elsewhere(row: FormatResult, reason: str) -> FormatResult:
    """The row as it was recorded, saying so and why it was not redone."""
    runtimes = tuple(attrs.evolve(runtime, elsewhere=True) for runtime in row.runtimes)
    return attrs.evolve(
        row, runtimes=runtimes, elsewhere=True, notes=(*without(row.notes, _ELSEWHERE), f"{_ELSEWHERE} {reason}")
    )


def _installed(format: Format, registry: Registry) -> set[str]:
    routes = registry.routes
    return {one.runtime for one in routes if one.hook == "make_runner" and one.source == format.name}


def _told_of_metric(recorded: RuntimeResult, fresh: RuntimeResult) -> RuntimeResult:
    """The fresh row; where the user's metric had judged it before, and did not here, it says so."""
    if not recorded.judged_by or fresh.judged_by or recorded.status == fresh.status:
        return fresh
    note = (
        f"{_JUDGED} {recorded.status} by the user's metric {', '.join(recorded.judged_by)}; "
        "here its numbers decided, and metrics= with verified_when= lets the metric decide again."
    )
    return attrs.evolve(fresh, notes=(*without(fresh.notes, _JUDGED), note))


def merged(
    recorded: FormatResult,
    fresh: FormatResult | None,
    reason: str,
    own: Collection[str] = (),
    installed: Collection[str] = (),
) -> FormatResult:
    """What was found here, completed by what only the other machine could find out.

    ``own`` are the formats that are asked for here, ``installed`` the runtimes that this machine has for the format.
    """
    if fresh is None:
        return elsewhere(recorded, reason or "it could not be redone here")
    if fresh.path is None and recorded.path is not None and fresh.status in (Status.UNAVAILABLE, Status.SKIPPED):
        return elsewhere(recorded, fresh.failure.cause if fresh.failure else "it cannot be made here")
    here = {runtime.runtime: runtime for runtime in fresh.runtimes}
    rows = []
    for old in recorded.runtimes:
        new = here.pop(old.runtime, None)
        if new is None or (new.status == Status.UNAVAILABLE and old.status == Status.OK):
            absent = "the format is limited to other runtimes" if old.runtime in installed else _NOT_INSTALLED
            why = new.failure.cause if new is not None and new.failure is not None else absent
            note = f"{_ELSEWHERE} here {why}"
            rows.append(attrs.evolve(old, elsewhere=True, notes=(*without(old.notes, _ELSEWHERE), note)))
        else:
            rows.append(_told_of_metric(old, new))
    runtimes = (*rows, *here.values())
    status = fresh.status
    if status == Status.UNVERIFIED and any(row.status == Status.OK for row in runtimes):
        status = Status.OK
    requested = recorded.requested or recorded.format.name in own
    return attrs.evolve(fresh, runtimes=runtimes, status=status, requested=requested)
