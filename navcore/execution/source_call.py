"""How the source is run on host arrays: a live model where it lives, a file in a child that keeps it loaded."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from navcore.contract import Artifact, Effort, Format, Name, Route, Runner, RunnerJob, Signature
from navcore.errors import OptionError, StepError
from navcore.evaluation import distance, is_floating
from navcore.execution.artifacts import live_artifact
from navcore.execution.build_format import announce_placing
from navcore.execution.call_server import Call, OwnInputs, served
from navcore.execution.same_numbers import answers_in_a_row, same_numbers
from navcore.execution.step import RouteCall, StepLimits, StepPlace
from navcore.execution.threads import most_threads
from navcore.planning import Source
from navcore.registry import Registry, resolve_options
from navcore.workspace import Journal, Settings, Workspace, fresh_folder, remove

if TYPE_CHECKING:
    import numpy as np


_ROUNDED = 1e-5
"""Relative L2 difference of two answers that may be the same but for the order of a sum."""

Twice = Callable[[Signature, Mapping[str, "np.ndarray"]], tuple[Any, Any]]
"""Runs a source twice on the same inputs, nothing reset in between, and returns both answers."""


@attrs.frozen
class SourceCalls:
    """The ways to run a source on host arrays.

    ``plain`` calls it, ``seeded`` does while random numbers are held. ``twice`` runs it twice in a row from how it is
    when it has just been loaded. ``inputs`` is what a stored model itself says of its inputs.
    """

    plain: Call
    seeded: Call
    twice: Twice
    inputs: OwnInputs = attrs.field(factory=OwnInputs)


@contextlib.contextmanager
def source_call(
    source: Source, settings: Settings, registry: Registry, workspace: Workspace, journal: Journal
) -> Iterator[SourceCalls]:
    """How the source is run on host arrays: a live model where it lives, a file in a child that keeps it loaded."""
    route = source_route(source.format, settings, registry)
    options = resolve_options(settings.options, registry.routes, registry.formats)[route.id]
    if (live := source.format.live) is not None and source.is_live:

        def opened(signature: Signature) -> Runner:
            artifact = live_artifact(source.format, signature, source.model)
            job: RunnerJob[Any] = RunnerJob(artifact, route.runtime, options, settings.device, log_dir=workspace.root)
            runner: Runner = registry.ask("make_runner", job, route)
            return runner

        # A runner puts back whatever a call changed, the framework's random generators too: without another seed each
        # time a source that draws would seem to repeat itself.
        seeds = count(1)

        def call(signature: Signature, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            with opened(signature) as runner, same_numbers(live, next(seeds))():
                return runner(feeds)

        def seeded(signature: Signature, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            with opened(signature) as runner, same_numbers(live)():
                return runner(feeds)

        def twice(signature: Signature, feeds: Mapping[str, np.ndarray]) -> tuple[Any, Any]:
            with opened(signature) as runner:
                first, second = answers_in_a_row(runner, live, signature, feeds)
            return first, second if live.seeds_all else _unless_drawn(first, second, seeded(signature, feeds))

        yield SourceCalls(call, seeded, twice)
        return
    path = _copy_source(source, workspace, journal)
    artifact = Artifact(source.format, Signature(()), path)
    place = StepPlace(
        fresh_folder(workspace.unfinished(Name("source"))),
        path.parent / f"{route.runtime}.source.log",
        route.who,
        StepLimits(memory_limit=settings.memory_limit),  # a run may call it for hours
    )
    call_of_file = RouteCall(route.id, artifact, options, settings.device, most_threads(settings.threads), path.parent)
    with served(call_of_file, place, patience=settings.timeout) as line:
        yield SourceCalls(line.call, line.seeded, partial(_fresh_twice, call_of_file, place, settings), line.inputs)


def _fresh_twice(
    loading: RouteCall,
    place: StepPlace,
    settings: Settings,
    signature: Signature,
    feeds: Mapping[str, np.ndarray],
) -> tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]:
    """The first two answers of a stored model in a process of its own, the random numbers being the same in both.

    The other first answer, of another process, says whether there is something that no seed reaches.
    """
    folder = place.folder.with_name(f"{place.folder.name}-fresh")

    def answers(number: int) -> list[Mapping[str, np.ndarray]]:
        again = attrs.evolve(place, folder=fresh_folder(folder))
        with served(loading, again, patience=settings.timeout) as line:
            return [line.seeded(signature, feeds) for _ in range(number)]

    (first, second), (other,) = answers(2), answers(1)
    remove(folder)
    return first, _unless_drawn(first, second, other)


def _unless_drawn(
    first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]
) -> Mapping[str, np.ndarray]:
    """The second answer in a row, or the first in its place where an ``other`` first answer differs from that.

    Two first answers from one seed that differ are drawn where no seed reaches: then what a model remembers cannot be
    told from what it draws.
    """
    return second if all(_alike(first[name], other[name]) for name in first) else first


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two answers are the same; of numbers that are rounded, as far as a device that adds in any order goes."""
    if one.shape != other.shape or one.tobytes() == other.tobytes():
        return one.shape == other.shape
    return is_floating(one.dtype) and distance(one, other) <= _ROUNDED


def _copy_source(source: Source, workspace: Workspace, journal: Journal) -> Path:
    """The source file in its format's folder, with the files it refers to."""
    assert source.path is not None
    folder = workspace.format_folder(source.format.name)
    target = folder / source.format.filename
    if target.exists() and target.samefile(source.path):
        return target
    private = fresh_folder(workspace.unfinished(Name("copying")))
    if source.format.copy is not None:
        source.format.copy(source.path, private / source.format.filename)
    elif source.path.is_dir():
        shutil.copytree(source.path, private / source.format.filename)
    else:
        shutil.copyfile(source.path, private / source.format.filename)
    folder.mkdir(exist_ok=True)
    announce_placing(journal, source.format.name)
    for entry in sorted(private.iterdir()):
        remove(folder / entry.name)
        entry.rename(folder / entry.name)
    return target


def source_route(format: Format, settings: Settings, registry: Registry) -> Route:
    """The runner that says what is right: the cheapest available one of the source's format, quick ones first.

    Runtimes that were asked for come before others. One that is not in every quick run says what is right only where
    there is no other: it may compute in less than the source does.

    Raises :class:`StepError` when none is available, and :class:`OptionError` when the one wanted is not there.
    """
    routes = [route for route in registry.routes if route.hook == "make_runner" and route.source == format.name]
    routes.sort(key=lambda route: (not route.is_within(Effort.QUICK), route.cost, route.id))
    wanted = settings.runtimes.get(format.name)
    if wanted:
        asked = [route for route in routes if route.runtime in wanted]
        if not asked:
            raise OptionError(f"No installed plugin runs {format.name} in {', '.join(wanted)}.")
        usual = [route for route in routes if route.is_within(Effort.QUICK)]
        routes = list(dict.fromkeys((*(one for one in asked if one in usual), *usual))) if usual else asked
    reasons = []
    for route in routes:
        reason = registry.unavailable(route)
        if not reason:
            return route
        reasons.append(f"{route.runtime}: {reason}")
    told = "; ".join(reasons) or "no installed plugin runs it"
    raise StepError(f"The source ({format.name}) cannot be run, so there is nothing to compare with: {told}.")
