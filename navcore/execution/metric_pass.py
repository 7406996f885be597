"""Run the user's metrics on every model that gave a result: a pass over the data, each stored model in a child."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from navcore.contract import Name
from navcore.errors import InputError, StepError
from navcore.evaluation import Scores, Scoring, write_scores
from navcore.execution.call_server import served
from navcore.execution.check_settings import run_key
from navcore.execution.contestants import Contestant, Place, contestants_of
from navcore.execution.run_context import RunContext
from navcore.execution.source_call import source_route
from navcore.execution.step import StepLimits, StepPlace
from navcore.execution.threads import most_threads, opening
from navcore.sampling import feeds_of, iterate, length, numbered
from navcore.workspace import (
    Event,
    FormatResult,
    Metric,
    MetricResult,
    RuntimeResult,
    Stage,
    Status,
    advancing,
    describe,
    digest,
    fresh_folder,
    from_older_data,
    metrics_file,
    remove,
    to_data,
)

Arrays = Mapping[str, np.ndarray]
Call = Callable[[Arrays], Arrays]

NO_METRICS = "The metrics could not be computed:"
"""How the note of a row begins whose metrics are missing."""
OTHER_DATA = "The metrics saw other data than for the source, so that there is no difference:"
_SHUFFLED = "are they other items, in other batches each time, or changed at random?"
_HELD = "metrics"
_DATASET = "The dataset of the metrics"


@attrs.frozen(eq=False)
class MetricsAsked:
    """The user's metrics by name, the data that they are computed on, and bounds against the source by metric.

    ``data`` has ``len()`` and items as the dataloader's, which may hold more than the inputs; ``None`` means the
    correctness samples of the workspace, each a mapping of the inputs by name.
    """

    metrics: Mapping[str, Metric]
    data: Any = None
    bounds: Mapping[str, float] = attrs.field(factory=dict)


def source_metrics(context: RunContext, asked: MetricsAsked) -> dict[str, MetricResult]:
    """What each metric comes to for the source, before anything is made: a metric that fails does so here.

    With the samples of the workspace as data the source's own outputs are there, and it is not run. Raises
    :class:`InputError` for a metric that fails and for an item that cannot be read, :class:`StepError` where the source
    cannot be run, and what a live source raises.
    """
    source = _source(context)
    if asked.data is None:
        scores = _passed(context, asked, None, "")
    elif source is None:
        return {}
    else:
        context.announce(Event(Stage.SCORING, source.name))
        with _calling(context, source) as call:
            scores = _passed(context, asked, call, source.name)
        context.announce(Event(Stage.SCORING, source.name, _told(scores.results({}, {})), Status.OK))
    if source is not None:
        _write(context, source, scores)
    return {one.metric: one for one in scores.results({}, {})}


def rows_with_metrics(
    context: RunContext,
    rows: Sequence[FormatResult],
    keys: Mapping[str, str],
    asked: MetricsAsked | None,
    source: Mapping[str, MetricResult],
) -> tuple[FormatResult, ...]:
    """The rows with what each metric came to, for every runtime that gave a result here.

    ``keys`` are the recipes of the formats, by name: under them what is found is remembered, and where nothing is
    ``asked`` what an earlier run found of the same models is in the rows again. ``source`` is what
    :func:`source_metrics` returned, or what is known of the source from elsewhere. A model that fails has a note.
    """
    found: dict[Place, RuntimeResult] = {}
    reference = _source(context) if asked is not None and source else None
    runtimes = {(Name(row.format.name), one.runtime): one for row in rows for one in row.runtimes}
    for one in contestants_of(context, rows, gave_a_result):
        before = runtimes[one.place]
        recipe = keys.get(one.artifact.format.name)
        key = None if recipe is None else digest("scored", run_key(context, recipe, one.route))
        if asked is not None:
            if reference is not None and one.place == reference.place:  # it has been run on the data already
                known = tuple(attrs.evolve(each, difference=0.0) for each in source.values())
                after = attrs.evolve(before, metrics=known)
            else:
                after = _scored(context, one, before, asked, source)
            if key is not None:
                context.journal.append("scored", key, to_data(_Remembered(after.metrics)))
            found[one.place] = after
        elif key is not None:
            held = from_older_data(context.journal.find("scored", key), _Remembered)
            found[one.place] = before if held is None else attrs.evolve(before, metrics=held.metrics)
    return tuple(
        attrs.evolve(row, runtimes=tuple(found.get((Name(row.format.name), one.runtime), one) for one in row.runtimes))
        for row in rows
    )


_PASS = "over the data"


@attrs.frozen
class _Remembered:
    metrics: tuple[MetricResult, ...]


def gave_a_result(runtime: RuntimeResult) -> bool:
    """Whether the runtime ran the model, whatever its numbers were."""
    return runtime.status in (Status.OK, Status.UNVERIFIED) or runtime.verification is not None


def _scored(
    context: RunContext,
    one: Contestant,
    runtime: RuntimeResult,
    asked: MetricsAsked,
    source: Mapping[str, MetricResult],
) -> RuntimeResult:
    notes = tuple(note for note in runtime.notes if not note.startswith((NO_METRICS, OTHER_DATA)))
    context.announce(Event(Stage.SCORING, one.name))
    try:
        with _calling(context, one) as call:
            scores = _passed(context, asked, call, one.name)
        _write(context, one, scores)
    except Exception as error:
        cause = describe(error).cause
        context.announce(Event(Stage.SCORING, one.name, cause, Status.FAILED))
        return attrs.evolve(runtime, metrics=(), notes=(*notes, f"{NO_METRICS} {cause}"))
    results = scores.results(source, asked.bounds)
    context.announce(Event(Stage.SCORING, one.name, _told(results), Status.OK))
    if any(each.metric in source and each.difference is None for each in results):
        notes = (*notes, f"{OTHER_DATA} {_SHUFFLED}")
    return attrs.evolve(runtime, metrics=results, notes=notes)


def _told(results: Sequence[MetricResult]) -> str:
    return ", ".join(f"{one.metric} {one.value:.6g}" for one in results)


def _passed(context: RunContext, asked: MetricsAsked, call: Call | None, name: str) -> Scores:
    """One pass over the data by the model of that name, which the observer is told as it goes on.

    Without a ``call`` the answers are the source's, from the samples of the workspace.
    """
    scoring = Scoring(asked.metrics)
    told = advancing(context.observer, Stage.SCORING, name)
    signature = context.samples.signature
    if asked.data is None:
        for number in range(count := context.store.count("correctness")):
            told(_PASS, number / count)
            feeds = context.store.inputs(signature, "correctness", number)
            stored = context.store.outputs(signature, "correctness", number) if call is None else call(feeds)
            scoring.add(feeds, stored, feeds)
        return scoring.scores()
    assert call is not None, "only samples of the workspace have the source's answers beside them"
    count = length(asked.data, _DATASET)
    for index, item in numbered(iterate(asked.data, _DATASET), count, called=_DATASET):
        told(_PASS, index / count)
        feeds = feeds_of(item, index, signature.input_names, context.registry.to_array)
        scoring.add(feeds, call(feeds), item)
    return scoring.scores()


def _source(context: RunContext) -> Contestant | None:
    """The source, to be run before anything is known of it; ``None`` where it is not at hand."""
    if context.source.model is None and context.source.path is None:
        return None
    route = source_route(context.source.format, context.settings, context.registry)
    return Contestant(context.source_artifact(), route, is_source=True)


def _write(context: RunContext, one: Contestant, scores: Scores) -> None:
    folder = context.workspace.format_folder(Name(one.artifact.format.name))
    write_scores(metrics_file(folder, Name(one.route.runtime)), scores)


@contextlib.contextmanager
def _calling(context: RunContext, one: Contestant) -> Iterator[Call]:
    """The model, to be called: a live one here, a stored one in a child of its own."""
    threads = most_threads(context.settings.threads)
    if one.artifact.model is not None:
        live = context.call(one.route, one.artifact, threads, context.workspace.root)
        with opening(live, context.registry)(threads) as runner:
            yield runner
        return
    form, runtime = one.place
    place = StepPlace(
        fresh_folder(context.workspace.unfinished(Name(_HELD)) / f"{form}-{runtime}"),
        context.workspace.log_of(form, Name(f"{runtime}.{_HELD}")),
        one.route.who,
        StepLimits(memory_limit=context.settings.memory_limit),
    )
    loading = context.call(one.route, one.artifact, threads, context.workspace.format_folder(form))
    try:
        with served(loading, place, patience=context.settings.timeout, whose=f"{form} in {runtime}") as line:

            def call_child(feeds: Arrays) -> Arrays:
                try:
                    return line.call(context.samples.signature, feeds)
                except InputError as error:  # the model's own failure: the user's item and metric are not to blame
                    raise StepError(error.what, hint=error.hint) from None

            yield call_child
    finally:
        remove(context.workspace.unfinished(Name(_HELD)))
