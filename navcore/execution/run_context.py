"""What the steps of one run stand on, gathered in one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import attrs

from navcore.contract import Artifact, Route
from navcore.execution.artifacts import live_artifact
from navcore.execution.same_numbers import framework_of
from navcore.execution.step import RouteCall, StepLimits
from navcore.planning import Source
from navcore.registry import Registry, resolve_options
from navcore.sampling import SampleStore
from navcore.workspace import (
    Event,
    FormatResult,
    Journal,
    Observer,
    Samples,
    Settings,
    Status,
    Workspace,
    announce,
    digest,
    size_of_model,
    to_data,
)


@attrs.frozen(eq=False)
class RunContext:
    """One run: what was asked for, what is installed, where it happens, and the samples it is judged by.

    :func:`new_context` builds it. ``options`` holds the options value of every route by its id. ``journal`` is what
    the workspace remembers, read once for the whole run. ``executor`` is where steps that need no live model run;
    ``None`` means threads of this process, each of which supervises one child.
    """

    registry: Registry
    workspace: Workspace
    settings: Settings
    source: Source
    source_key: str
    samples: Samples
    options: Mapping[str, Any]
    journal: Journal
    observer: Observer | None = None
    executor: Executor | None = None

    @property
    def store(self) -> SampleStore:
        return SampleStore(self.workspace.root)

    @property
    def device(self) -> str | None:
        return self.settings.device

    def announce(self, event: Event) -> None:
        announce(self.observer, event)

    def source_artifact(self) -> Artifact:
        """The source as the steps see it: live, or the copy of the file in the workspace."""
        source = self.source
        if source.is_live:
            return live_artifact(source.format, self.samples.signature, source.model)
        path = self.workspace.format_folder(source.format.name) / source.format.filename
        return Artifact(source.format, self.samples.signature, path)

    def options_key(self, route: Route) -> str:
        return digest(to_data(self.options.get(route.id)))

    @property
    def limits(self) -> StepLimits:
        return StepLimits(self.settings.timeout, self.settings.memory_limit)

    def call(self, route: Route, artifact: Artifact, threads: int, log_dir: Path) -> RouteCall:
        """The route with that model, under the options and on the device of this run."""
        live = framework_of(route, self.registry)
        framework = "" if live is None else live.framework
        options, cache = self.options.get(route.id), self.workspace.cache
        imports = imports_of(route, self.registry)
        return RouteCall(route.id, artifact, options, self.device, threads, log_dir, framework, cache, imports)


def imports_of(route: Route, registry: Registry) -> tuple[str, ...]:
    """The modules of its framework that a process may import before it is forked for the route.

    What is not the framework's own is left to the fork: another's import must not happen in the caller.
    """
    live = framework_of(route, registry)
    own = "" if live is None else live.framework
    return tuple(name for name in route.imports if own and name.startswith(f"{own}."))


def new_context(
    registry: Registry,
    workspace: Workspace,
    settings: Settings,
    source: Source,
    source_key: str,
    samples: Samples,
    *,
    journal: Journal | None = None,
    observer: Observer | None = None,
    executor: Executor | None = None,
) -> RunContext:
    """The context of a run in ``workspace``, whose lock the caller holds as long as the context is used.

    Raises :class:`OptionError` for options that no installed route takes.
    """
    return RunContext(
        registry=registry,
        workspace=workspace,
        settings=settings,
        source=source,
        source_key=source_key,
        samples=samples,
        options=resolve_options(settings.options, registry.routes, registry.formats),
        journal=journal or Journal(workspace.journal_file),
        observer=observer,
        executor=executor,
    )


@attrs.frozen
class StartingPoint:
    """A format that exists before the run: the source, or what a loaded package brought. ``row`` is what is known."""

    artifact: Artifact
    key: str
    row: FormatResult


def source_point(context: RunContext) -> StartingPoint:
    """The source as the first row, on which everything else is built."""
    artifact, source = context.source_artifact(), context.source
    row = FormatResult(
        source.format,
        Status.UNVERIFIED,
        None if artifact.path is None else context.workspace.relative(artifact.path),
        live=source.is_live,
        calling=artifact.calling,
        size=None if artifact.path is None else size_of_model(artifact.path.parent),
        notes=context.samples.notes,
    )
    return StartingPoint(artifact, context.source_key, row)
