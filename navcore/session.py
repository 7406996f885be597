"""What the steps of one run stand on, gathered in one frozen value."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

import attrs

from navcore.errors import OptionError
from navcore.jobs import Artifact
from navcore.journal import Journal
from navcore.keys import digest
from navcore.options import settle_options
from navcore.progress import Event, Observer, announce
from navcore.registry import Registry
from navcore.results import FormatResult, Status
from navcore.routes import Route
from navcore.sampling import Samples, SampleStore
from navcore.serial import to_data
from navcore.settings import Settings
from navcore.sources import Source
from navcore.workspace import Workspace, size_of_model


@attrs.frozen(eq=False)
class Session:
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
class Kept:
    """A format that exists before the run: the source, or what a loaded package brought. ``row`` is what is known."""

    artifact: Artifact
    key: str
    row: FormatResult


def the_source(session: Session) -> Kept:
    """The source as the first row, on which everything else is built."""
    artifact, source = session.source_artifact(), session.source
    row = FormatResult(
        source.format,
        Status.UNVERIFIED,
        None if artifact.path is None else session.workspace.relative(artifact.path),
        live=source.is_live,
        calling=artifact.calling,
        size=None if artifact.path is None else size_of_model(artifact.path.parent),
        notes=session.samples.notes,
    )
    return Kept(artifact, session.source_key, row)


def settings_here(settings: Settings, registry: Registry) -> Settings:
    """Recorded settings, less what names a plugin, an option or a runtime that is not installed here."""
    owners = {route.owner for route in registry.routes} | {route.distribution for route in registry.routes}
    runtimes = {route.runtime for route in registry.routes if route.hook == "make_runner"}
    limited = {name: tuple(one for one in wanted if one in runtimes) for name, wanted in settings.runtimes.items()}
    options = {}
    for key, values in settings.options.items():
        with contextlib.suppress(OptionError):
            settle_options({key: values}, registry.routes, registry.formats)
            options[key] = values
    profilers = {route.owner for route in registry.routes if route.hook == "profile"}
    return attrs.evolve(
        settings,
        prefer={target: owner for target, owner in settings.prefer.items() if owner in owners},
        runtimes={name: wanted for name, wanted in limited.items() if wanted},
        options=options,
        profiler=settings.profiler if settings.profiler in profilers else Settings().profiler,
    )


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))
