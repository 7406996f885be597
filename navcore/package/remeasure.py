"""Measure a package again: every ok runtime, on the stored profiling sample."""

from __future__ import annotations

import attrs

from navcore.contract import ProfilerConfig, resolve_batch_sizes
from navcore.errors import PackageIncomplete
from navcore.execution import RunContext, artifact_of, measure_runtime, new_context
from navcore.planning import Check, Source, settings_here
from navcore.registry import Registry
from navcore.workspace import FormatResult, Record, RuntimeResult, Status, Workspace, logged

_KEPT = "not measured again:"


def reprofile(
    workspace: Workspace,
    record: Record,
    registry: Registry,
    source: Source | None,
    config: ProfilerConfig | None,
    *,
    trust: bool,
) -> Record:
    """The record with new performances; a row that cannot be measured here keeps what it had, and says so.

    The caller holds the workspace's lock. Raises :class:`PackageIncomplete` when the package holds no samples, and
    :class:`OptionError` for batch sizes of a model that does not batch.
    """
    if record.samples is None or not (workspace.root / "model_input").is_dir():
        raise PackageIncomplete("The package holds no samples, so there is nothing to measure with.")
    config = config or record.settings.profiler_config
    resolve_batch_sizes(config, batch_dim=record.settings.batch_dim, dataloader_batch=1)
    settings = attrs.evolve(settings_here(record.settings, registry), run_profiling=True, profiler_config=config)
    source = source or Source(record.source)
    context = new_context(registry, workspace, settings, source, record.source_key, record.samples)
    with logged(workspace.log_file):
        rows = tuple(
            attrs.evolve(row, runtimes=tuple(_measured(context, row, one, trust) for one in row.runtimes))
            for row in record.results
        )
    asked = attrs.evolve(record.settings, run_profiling=True, profiler_config=config)
    return attrs.evolve(record, results=rows, settings=asked)


def _measured(context: RunContext, row: FormatResult, runtime: RuntimeResult, trust: bool) -> RuntimeResult:
    if runtime.status != Status.OK:
        return runtime
    why = _why_not(context, row, runtime, trust)
    if why:
        return attrs.evolve(runtime, notes=(*_without(runtime.notes, _KEPT), f"{_KEPT} {why}"))
    artifact = artifact_of(
        row, context.samples.signature, context.workspace.root, context.registry, context.source.model
    )
    route = context.registry.route(runtime.route)
    fresh = measure_runtime(context, artifact, Check(row.format, runtime.runtime, route))
    return attrs.evolve(
        runtime,
        performance=fresh.performance,
        profiling=fresh.profiling,
        threads=fresh.threads,
        notes=_without(runtime.notes, _KEPT),
    )


def _without(notes: tuple[str, ...], beginning: str) -> tuple[str, ...]:
    return tuple(note for note in notes if not note.startswith(beginning))


def _why_not(context: RunContext, row: FormatResult, runtime: RuntimeResult, trust: bool) -> str:
    routes = {route.id: route for route in context.registry.routes}
    if row.live and context.source.model is None:
        return "the source model is not in the package"
    if not row.live and (row.path is None or not (context.workspace.root / row.path).exists()):
        return "its file is not in the workspace"
    if not (row.live or trust or context.registry.is_data(row.format)):
        return "loading it can execute code: needs trust=True"
    if runtime.route not in routes:
        return f"the plugin of {runtime.route} is not installed"
    return context.registry.unavailable(routes[runtime.route])
