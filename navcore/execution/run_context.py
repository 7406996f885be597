"""What the steps of one run stand on, gathered in one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

import attrs

from navcore.contract import Artifact, Route
from navcore.planning import Source
from navcore.registry import Registry
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

    ``options`` holds the options value of every route by its id. ``executor`` is where steps that need no live model
    run; ``None`` means threads of this process, each of which supervises one child.
    """

    registry: Registry
    workspace: Workspace
    settings: Settings
    source: Source
    source_key: str
    samples: Samples
    options: Mapping[str, Any]
    observer: Observer | None = None
    executor: Executor | None = None

    @property
    def journal(self) -> Journal:
        return Journal(self.workspace.journal_file)

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
            return Artifact(source.format, self.samples.signature, None, source.model, "structure")
        path = self.workspace.format_folder(source.format.name) / source.format.filename
        return Artifact(source.format, self.samples.signature, path)

    def options_key(self, route: Route) -> str:
        return digest(to_data(self.options.get(route.id)))

    def limits(self) -> dict[str, Any]:
        return {"timeout": self.settings.timeout, "memory_limit": self.settings.memory_limit}


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
