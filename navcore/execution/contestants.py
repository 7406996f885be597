"""Which rows are measured in turn, and how what was measured becomes part of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from navcore.contract import Artifact, Name, Route
from navcore.errors import PackageIncomplete
from navcore.evaluation import DOUBLED
from navcore.execution.artifacts import artifact_of
from navcore.execution.run_context import RunContext
from navcore.execution.source_call import source_route
from navcore.workspace import BatchPerformance, Failure, FormatResult, Outcome, RuntimeResult, Status

Place = tuple[Name, Name]
"""Format and runtime."""


@attrs.frozen(eq=False)
class Contestant:
    """One format in one runtime that takes part. ``memory`` is what its process used when it was checked, in bytes.

    ``performance`` is what windows of its own came to in this run.
    """

    artifact: Artifact
    route: Route
    is_source: bool
    memory: int | None = None
    performance: tuple[BatchPerformance, ...] = ()

    @property
    def place(self) -> Place:
        return Name(self.artifact.format.name), Name(self.route.runtime)

    @property
    def name(self) -> str:
        return "/".join(self.place)


@attrs.frozen
class Timed:
    """What was measured of one contestant, and why the rest of it was not."""

    performance: tuple[BatchPerformance, ...] = ()
    threads: int | None = None
    failure: Failure | None = None
    notes: tuple[str, ...] = ()


def was_verified(runtime: RuntimeResult) -> bool:
    """Whether it may be measured: it verified, or nothing could be held against it."""
    return runtime.status in (Status.OK, Status.UNVERIFIED)


def contestants_of(
    context: RunContext, rows: Sequence[FormatResult], takes_part: Callable[[RuntimeResult], bool] = was_verified
) -> tuple[Contestant, ...]:
    """Every runtime of the rows that takes part, the source among them, as far as it can be opened here."""
    routes = {route.id: route for route in context.registry.routes}
    found = []
    for row in rows:
        from_source = row.format.name == context.source.format.name and not row.route
        if (row.live and context.source.model is None) or row.elsewhere:
            continue
        try:
            artifact = artifact_of(
                row, context.samples.signature, context.workspace.root, context.registry, context.source.model
            )
        except PackageIncomplete:
            continue
        # A live source is what it is in the runtime that says what is right; in others it is a candidate.
        right = source_route(context.source.format, context.settings, context.registry) if row.live else None
        for runtime in row.runtimes:
            route = routes.get(runtime.route)
            if route is not None and takes_part(runtime) and _is_usable(context, runtime, route):
                memory = runtime.outcome.peak_memory if runtime.outcome is not None else None
                measured = () if context.settings.windows is None else runtime.performance
                is_source = from_source and right in (None, route)
                found.append(Contestant(artifact, route, is_source, memory, measured))
    return tuple(found)


def _is_usable(context: RunContext, runtime: RuntimeResult, route: Route) -> bool:
    if runtime.elsewhere or route.spot_check is not None:
        return False
    return not context.registry.unavailable(route)


def with_times(
    rows: Sequence[FormatResult], timed: Mapping[Place, Timed], *, windows: bool
) -> tuple[FormatResult, ...]:
    """The rows with what was measured; where each was measured by ``windows`` of its own, those numbers stay."""

    def completed(row: FormatResult, runtime: RuntimeResult) -> RuntimeResult:
        found = timed.get((Name(row.format.name), runtime.runtime))
        if found is None or (windows and runtime.performance):
            return runtime
        profiling = None if found.failure is None else Outcome(Status.FAILED, failure=found.failure)
        return attrs.evolve(
            runtime,
            performance=found.performance,
            profiling=profiling,
            threads=found.threads if found.threads is not None else runtime.threads,
            machine="",
            notes=(*(note for note in runtime.notes if not note.startswith(DOUBLED)), *found.notes),
        )

    return tuple(attrs.evolve(row, runtimes=tuple(completed(row, one) for one in row.runtimes)) for row in rows)
