"""A run from model and data to the record of everything learned: sample, make, check, write down."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from navcore import __version__
from navcore.errors import NavcoreError, OptionError
from navcore.execution.after_checks import measured_rows
from navcore.execution.batch_memory import refuse_batch_beyond_memory
from navcore.execution.build_format import discard_product
from navcore.execution.leftovers import tidied
from navcore.execution.metric_pass import MetricsAsked, rows_with_metrics, source_metrics
from navcore.execution.metric_verdict import judged_rows
from navcore.execution.resources import available_memory
from navcore.execution.run_context import RunContext, new_context, source_point
from navcore.execution.scheduler import execute
from navcore.execution.source_call import source_call
from navcore.planning import Source, key_of
from navcore.registry import Registry
from navcore.sampling import SampleStore, SamplingSettings, take_samples
from navcore.workspace import (
    Event,
    FormatResult,
    Journal,
    Observer,
    Record,
    Samples,
    Settings,
    Stage,
    Status,
    Workspace,
    advancing,
    announce,
    describe_environment,
    describe_git,
    forget_package,
    keep_verified,
    log_reasons,
    logged,
    opened,
    publish,
    read_status,
    remember_times,
    told_when_full,
    workspace_path,
)


def run_model(
    source: Source,
    dataloader: Any,
    settings: Settings,
    registry: Registry,
    *,
    workdir: Path | str | None,
    override: bool,
    executor: Executor | None,
    observer: Observer | None,
    metrics: MetricsAsked | None = None,
) -> tuple[Record, Workspace]:
    """Do the whole run in the model's workspace, under its lock; the record is on disk after every finished row."""
    root = workspace_path(workdir, settings.model_name)
    if override and source.path is not None and source.path.resolve().is_relative_to(root.resolve()):
        raise OptionError(
            f"override_workdir=True would delete the source itself, {source.path}.",
            hint="Choose another workdir or model_name, or move the model away first.",
        )
    with (
        told_when_full(root),
        opened(root, override=override) as workspace,
        logged(workspace.log_file),
        tidied(workspace),
    ):
        forget_package(workspace)
        journal = Journal(workspace.journal_file)
        samples = _sample(source, dataloader, settings, registry, workspace, journal, observer)
        settings = _for_samples(settings, samples)
        if executor is not None:  # blocks in turn need one machine, and a step may go to any
            settings = attrs.evolve(settings, ranking=False)
        if settings.run_profiling:
            refuse_batch_beyond_memory(settings.measuring, samples.signature, available_memory())
        context = new_context(
            registry,
            workspace,
            settings,
            source,
            key_of(source, samples.digest),
            samples,
            journal=journal,
            observer=observer,
            executor=executor,
        )
        record = new_record(context)
        source_came_to = source_metrics(context, metrics) if metrics is not None else {}
        done = execute(context, [source_point(context)], publisher(context, record))
        results = rows_with_metrics(context, done.rows, done.keys, metrics, source_came_to)
        results, ranking = measured_rows(context, judged_rows(results, registry), done.keys)
        for row in results:
            if row.path is None and not row.live:
                discard_product(context, row.format)
        remember_times(context.journal, results, ranking)
        record = attrs.evolve(record, results=keep_verified(record, results, context.journal), ranking=ranking)
        log_reasons(record.results)
        publish(workspace, record)
        return record, workspace


def new_record(context: RunContext) -> Record:
    """The record of a run that has no results yet; a continued workspace keeps its identity and the user's word."""
    before = None
    if context.workspace.status_file.exists():
        with contextlib.suppress(NavcoreError):
            before = read_status(context.workspace.status_file)
    same = before is not None and before.source_key == context.source_key
    return Record(
        uuid=before.uuid if before is not None and same else str(uuid.uuid4()),
        timestamp=datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds"),
        settings=context.settings,
        source=context.source.format,
        source_key=context.source_key,
        live=context.source.is_live,
        samples=context.samples,
        results=before.results if before is not None and same else (),
        environment=describe_environment(),
        git_info=describe_git(context.settings.git_info),
        navcore_version=__version__,
    )


def publisher(context: RunContext, record: Record) -> Callable[[tuple[FormatResult, ...]], None]:
    """Writes status.yaml, and the config.yaml of each finished variant, every time a row is done."""

    def write(results: tuple[FormatResult, ...]) -> None:
        kept = keep_verified(record, results, context.journal)
        publish(context.workspace, attrs.evolve(record, results=kept))

    return write


def _sample(
    source: Source,
    dataloader: Any,
    settings: Settings,
    registry: Registry,
    workspace: Workspace,
    journal: Journal,
    observer: Observer | None,
) -> Samples:
    announce(observer, Event(Stage.SAMPLING, source.format.name, "reading the dataloader and running the source"))
    with source_call(source, settings, registry, workspace, journal) as calls:
        request = SamplingSettings(
            sample_count=settings.sample_count,
            batch_dim=settings.batch_dim,
            input_names=settings.input_names,
            positional_names=calls.inputs.names,
            output_names=settings.output_names,
            dynamic_axes=settings.dynamic_axes,
            axis_ranges=settings.axis_ranges,
            batch_sizes=None if settings.batch_dim is None else settings.measuring.batch_sizes,
            stored=not source.is_live,
            stored_shapes=calls.inputs.shapes,
        )
        samples = take_samples(
            dataloader,
            request,
            to_array=registry.to_array,
            source=calls.plain,
            store=SampleStore(workspace.root),
            twice=calls.twice,
            seeded=calls.seeded,
            told=advancing(observer, Stage.SAMPLING, source.format.name),
        )
    for note in samples.notes:
        announce(observer, Event(Stage.SAMPLING, source.format.name, note))
    told = ", ".join(f"{count} {kind}" for kind, count in samples.counts.items())
    announce(observer, Event(Stage.SAMPLING, source.format.name, f"samples: {told}", Status.OK))
    return samples


def _for_samples(settings: Settings, samples: Samples) -> Settings:
    """The settings of the run from here on: a model with a batch of its own turned out not to batch."""
    if samples.signature.batch_dim is not None or settings.batch_dim is None:
        return settings
    return settings.without_batch()
