"""Measure a package again: every ok runtime, on the stored profiling sample."""

from __future__ import annotations

import attrs

from navcore.contract import resolve_batch_sizes
from navcore.errors import PackageIncomplete
from navcore.evaluation import DOUBLED
from navcore.execution import (
    RunContext,
    artifact_of,
    available_memory,
    measure_runtime,
    measured_rows,
    new_context,
    refuse_batch_beyond_memory,
)
from navcore.package.retest import MEASURING, bounded, told_of, without
from navcore.package.why_not import why_not
from navcore.planning import Check, Obeyed, Source
from navcore.registry import Registry
from navcore.workspace import FormatResult, Ranking, Record, RuntimeResult, Status, Workspace, hardware_key, logged

_KEPT = "not measured again:"


def reprofile(
    workspace: Workspace,
    record: Record,
    registry: Registry,
    source: Source | None,
    here: Obeyed,
    *,
    trust: bool,
) -> Record:
    """The record with new performances; a row that cannot be measured here keeps what it had, and says so.

    ``here`` is what of the record's settings is obeyed, with the measurement that is asked for.
    The caller holds the workspace's lock. Raises :class:`PackageIncomplete` when the package holds no samples, and
    :class:`OptionError` for batch sizes of a model that does not batch.
    """
    if record.samples is None or not (workspace.root / "model_input").is_dir():
        raise PackageIncomplete("The package holds no samples, so there is nothing to measure with.")
    config = here.settings.measuring
    resolve_batch_sizes(config, batch_dim=record.settings.batch_dim, dataloader_batch=1)
    refuse_batch_beyond_memory(config, record.samples.signature, available_memory())
    settings = attrs.evolve(here.settings, run_profiling=True)
    samples = record.samples if trust else bounded(record.samples)
    source = source or Source(record.source)
    context = new_context(registry, workspace, settings, source, record.source_key, samples)
    with logged(workspace.log_file):
        rows = tuple(
            attrs.evolve(row, runtimes=tuple(_measured(context, row, one, trust) for one in row.runtimes))
            for row in record.results
        )
        rows, ranking = _ranked(context, rows, trust)
    asked = attrs.evolve(
        record.settings, run_profiling=True, **{name: getattr(here.settings, name) for name in MEASURING}
    )
    rows = tuple(told_of(row, here) for row in rows)
    return attrs.evolve(record, results=rows, settings=asked, ranking=ranking)


def _ranked(
    context: RunContext, rows: tuple[FormatResult, ...], trust: bool
) -> tuple[tuple[FormatResult, ...], Ranking | None]:
    """The rows with a ranking of those that can be measured here; the rest keeps what it had."""
    ranked, ranking = measured_rows(context, [_measurable(context, row, trust) for row in rows], {})
    found = {(row.format.name, one.runtime): one for row in ranked for one in row.runtimes}

    def timed(row: FormatResult, one: RuntimeResult) -> RuntimeResult:
        fresh = found.get((row.format.name, one.runtime))
        return one if fresh is None else attrs.evolve(fresh, elsewhere=one.elsewhere, machine=_machine(one))

    return tuple(attrs.evolve(row, runtimes=tuple(timed(row, one) for one in row.runtimes)) for row in rows), ranking


def _measurable(context: RunContext, row: FormatResult, trust: bool) -> FormatResult:
    """The row as one of this machine, with the runtimes that can be run here, also where its verdict is another's."""
    here = [one for one in row.runtimes if not why_not(context, row, one, trust=trust)]
    return attrs.evolve(row, elsewhere=False, runtimes=tuple(attrs.evolve(one, elsewhere=False) for one in here))


def _machine(runtime: RuntimeResult) -> str:
    """What measured a runtime anew: another machine than the record's where its verdict is of elsewhere."""
    return hardware_key() if runtime.elsewhere else ""


def _measured(context: RunContext, row: FormatResult, runtime: RuntimeResult, trust: bool) -> RuntimeResult:
    if runtime.status != Status.OK:
        return runtime
    why = why_not(context, row, runtime, trust=trust)
    if why:
        return attrs.evolve(runtime, notes=(*without(runtime.notes, _KEPT), f"{_KEPT} {why}"))
    artifact = artifact_of(
        row, context.samples.signature, context.workspace.root, context.registry, context.source.model
    )
    route = context.registry.route(runtime.route)
    if context.settings.windows is None:
        return attrs.evolve(runtime, notes=without(runtime.notes, _KEPT))
    fresh = measure_runtime(context, artifact, Check(row.format, runtime.runtime, route))
    return attrs.evolve(
        runtime,
        performance=fresh.performance,
        profiling=fresh.profiling,
        threads=fresh.threads,
        machine=_machine(runtime),
        notes=(
            *without(without(runtime.notes, _KEPT), DOUBLED),
            *(note for note in fresh.notes if note.startswith(DOUBLED)),
        ),
    )
