"""How the source is run on host arrays: a live model where it lives, a file in a child that keeps it loaded."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from navcore.contract import Artifact, Format, Route, Runner, RunnerJob, Signature
from navcore.errors import OptionError, StepError
from navcore.execution.build_format import announce_placing
from navcore.execution.repeated_call import answers_in_a_row
from navcore.execution.resources import processors
from navcore.execution.source_server import Call, served
from navcore.planning import Source
from navcore.registry import Registry, resolve_options
from navcore.workspace import Journal, Settings, Workspace, fresh_folder, remove, to_data

if TYPE_CHECKING:
    import numpy as np


Twice = Callable[[Signature, Mapping[str, "np.ndarray"]], tuple[Any, Any]]
"""Runs a source twice on the same inputs, nothing reset in between, and returns both answers."""


@contextlib.contextmanager
def source_call(
    source: Source, settings: Settings, registry: Registry, workspace: Workspace
) -> Iterator[tuple[Call, tuple[str, ...], Twice | None]]:
    """How the source is run on host arrays: a live model where it lives, a file in a child that keeps it loaded.

    Beside the function come the names that a stored model itself gives its inputs, and for a live model a function that
    runs it twice in a row.
    """
    route = source_route(source.format, settings, registry)
    options = resolve_options(settings.options, registry.routes, registry.formats)[route.id]
    if (live := source.format.live) is not None and source.is_live:

        def opened(signature: Signature) -> Runner:
            artifact = Artifact(source.format, signature, None, source.model, "structure")
            job: RunnerJob[Any] = RunnerJob(artifact, route.runtime, options, settings.device, log_dir=workspace.root)
            runner: Runner = registry.ask("make_runner", job, route)
            return runner

        def call(signature: Signature, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            with opened(signature) as runner:
                return runner(feeds)

        def twice(signature: Signature, feeds: Mapping[str, np.ndarray]) -> tuple[Any, Any]:
            with opened(signature) as runner:
                return answers_in_a_row(runner, live, signature, feeds)

        yield call, (), twice
        return
    path = _copy_source(source, workspace)
    request = {
        "route": route.id,
        "artifact": to_data(Artifact(source.format, Signature(()), path)),
        "options": to_data(options),
        "device": settings.device,
        "threads": processors(),
        "log_dir": str(path.parent),
    }
    step = {
        "folder": str(fresh_folder(workspace.private / "source")),
        "log": str(path.parent / f"{route.runtime}.source.log"),
        "who": route.who,
        "memory_limit": settings.memory_limit,
        "request": request,
    }
    with served(step, patience=settings.timeout) as serve:
        yield *serve, None


def _copy_source(source: Source, workspace: Workspace) -> Path:
    """The source file in its format's folder, with the files it refers to."""
    assert source.path is not None
    folder = workspace.format_folder(source.format.name)
    target = folder / source.format.filename
    if target.exists() and target.samefile(source.path):
        return target
    private = fresh_folder(workspace.private / "copying")
    if source.format.copy is not None:
        source.format.copy(source.path, private / source.format.filename)
    elif source.path.is_dir():
        shutil.copytree(source.path, private / source.format.filename)
    else:
        shutil.copyfile(source.path, private / source.format.filename)
    folder.mkdir(exist_ok=True)
    announce_placing(Journal(workspace.journal_file), source.format.name)
    for entry in sorted(private.iterdir()):
        remove(folder / entry.name)
        entry.rename(folder / entry.name)
    return target


def source_route(format: Format, settings: Settings, registry: Registry) -> Route:
    """The runner that says what is right: the cheapest available one of the source's format, default ones first.

    Raises :class:`StepError` when none is available, and :class:`OptionError` when the one wanted is not there.
    """
    routes = [route for route in registry.routes if route.hook == "make_runner" and route.source == format.name]
    routes.sort(key=lambda route: (not route.default, route.cost, route.id))
    wanted = settings.runtimes.get(format.name)
    if wanted:
        routes = [route for route in routes if route.runtime in wanted]
        if not routes:
            raise OptionError(f"No installed plugin runs {format.name} in {', '.join(wanted)}.")
    reasons = []
    for route in routes:
        reason = registry.unavailable(route)
        if not reason:
            return route
        reasons.append(f"{route.runtime}: {reason}")
    told = "; ".join(reasons) or "no installed plugin runs it"
    raise StepError(f"The source ({format.name}) cannot be run, so there is nothing to compare with: {told}.")
