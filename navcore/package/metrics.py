"""The user's own metrics on the models of a package: computed when asked for, and kept in its rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import attrs

from navcore.contract import Format, Name
from navcore.errors import InputError, PackageIncomplete
from navcore.execution import (
    NO_METRICS,
    OTHER_DATA,
    MetricsAsked,
    RunContext,
    judged_rows,
    new_context,
    rows_with_metrics,
    source_metrics,
)
from navcore.package.why_not import why_not
from navcore.planning import Obeyed, Source
from navcore.registry import Registry
from navcore.workspace import FormatResult, MetricResult, Record, RuntimeResult, Workspace, logged


@attrs.frozen
class MetricValue:
    """What one metric came to for one format in one runtime, over ``items`` items of the dataset.

    ``difference`` is the value less the source's on the same items, ``None`` where the source's is not known.
    """

    metric: str
    format: Format
    runtime: str
    value: float
    items: int
    difference: float | None = None


def evaluated(
    workspace: Workspace,
    record: Record,
    registry: Registry,
    source: Source | None,
    here: Obeyed,
    asked: MetricsAsked,
    *,
    trust: bool,
) -> tuple[Record, tuple[MetricValue, ...]]:
    """The record with what the metrics came to, for every row that can be run here, and the same as values.

    The caller holds the workspace's lock. Raises :class:`InputError` when a metric or an item cannot be used, and where
    no model could be run to the end, with the first reason; :class:`PackageIncomplete` without samples where those are
    the data.
    """
    if record.samples is None or (asked.data is None and not (workspace.root / "model_input").is_dir()):
        raise PackageIncomplete(
            "The package holds no samples, so there is nothing to compute metrics on.", hint="Give a dataset."
        )
    context = new_context(
        registry, workspace, here.settings, source or Source(record.source), record.source_key, record.samples
    )
    with logged(workspace.log_file):
        known = metrics_of_the_source(context, record, asked, trust=trust)
        rows = rows_with_metrics(context, _runnable(context, record.results, trust), {}, asked, known)
    found = {(Name(row.format.name), one.runtime): one for row in rows for one in row.runtimes}
    if found and not any(one.metrics for one in found.values()):
        causes = [note for one in found.values() for note in one.notes if note.startswith(NO_METRICS)]
        raise InputError(causes[0] if causes else f"{NO_METRICS} nothing here can run the models.")
    results = judged_rows([_with_metrics(row, found) for row in record.results], registry)
    values = tuple(
        MetricValue(each.metric, row.format, one.runtime, each.value, each.items, each.difference)
        for row in rows
        for one in row.runtimes
        for each in one.metrics
    )
    return attrs.evolve(record, results=metrics_kept(results, (), known, ())), values


def _runnable(context: RunContext, results: Sequence[FormatResult], trust: bool) -> tuple[FormatResult, ...]:
    """The rows less the runtimes that cannot be run here; what was recorded elsewhere may well be."""
    return tuple(
        attrs.evolve(
            row,
            elsewhere=False,
            runtimes=tuple(
                attrs.evolve(one, elsewhere=False, metrics=())
                for one in row.runtimes
                if not why_not(context, row, one, trust=trust)
            ),
        )
        for row in results
    )


def _with_metrics(row: FormatResult, found: Mapping[tuple[Name, Name], RuntimeResult]) -> FormatResult:
    def told(one: RuntimeResult) -> RuntimeResult:
        new = found.get((Name(row.format.name), one.runtime))
        if new is None:
            return one
        about = (NO_METRICS, OTHER_DATA)
        notes = tuple(note for note in one.notes if not note.startswith(about))
        notes += tuple(note for note in new.notes if note.startswith(about))
        return attrs.evolve(one, metrics=new.metrics, notes=notes)

    return attrs.evolve(row, runtimes=tuple(told(one) for one in row.runtimes))


def metrics_of_the_source(
    context: RunContext, record: Record, asked: MetricsAsked | None, *, trust: bool
) -> Mapping[str, MetricResult]:
    """What each metric comes to for the source: computed where it can be, else as recorded in a package one trusts."""
    if asked is None:
        return {}
    found = source_metrics(context, asked)
    if found or not trust:
        return found
    recorded = (one for row in record.results if row.live for one in row.runtimes)
    return {each.metric: each for one in recorded for each in one.metrics}


def metrics_kept(
    results: Sequence[FormatResult],
    recorded: Sequence[FormatResult],
    source: Mapping[str, MetricResult],
    as_they_lay: Collection[str],
) -> tuple[FormatResult, ...]:
    """The rows with what is known of metrics beyond what was computed here.

    A live source that is not here has what ``source`` says of it. Formats that are taken ``as_they_lay`` in a package
    keep what was ``recorded`` of them: their files are the same.
    """
    before = {(row.format.name, one.runtime): one.metrics for row in recorded for one in row.runtimes}

    def completed(row: FormatResult, one: RuntimeResult) -> RuntimeResult:
        if row.live and source:
            return attrs.evolve(one, metrics=tuple(attrs.evolve(each, difference=0.0) for each in source.values()))
        if not one.metrics and row.format.name in as_they_lay:
            return attrs.evolve(one, metrics=before.get((row.format.name, one.runtime), ()))
        return one

    return tuple(attrs.evolve(row, runtimes=tuple(completed(row, one) for one in row.runtimes)) for row in results)
