"""One step, one check or one runner by itself, done as a run does it: for whoever tries a route and not a model."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from navcore.contract import Artifact, ExportJob, Route, Runner, Signature
from navcore.execution.artifacts import artifact_of
from navcore.execution.build_format import make
from navcore.execution.check_format import check_runtime
from navcore.execution.resources import processors
from navcore.execution.run_context import RunContext, new_context
from navcore.execution.step import runner_job
from navcore.execution.step_data import announced_in, call_from_data, call_to_data
from navcore.planning import Check, Source, Step
from navcore.registry import Registry, candidates, load_registry
from navcore.sampling import SampleStore
from navcore.workspace import (
    FormatResult,
    Outcome,
    Record,
    RuntimeResult,
    Workspace,
    from_data,
    move_contents,
    to_data,
)


@attrs.frozen(eq=False)
class Workbench:
    """The place of a finished run, where its routes are tried once more. Nothing is remembered from trial to trial."""

    _context: RunContext

    @property
    def workspace(self) -> Workspace:
        return self._context.workspace

    @property
    def signature(self) -> Signature:
        return self._context.samples.signature

    @property
    def store(self) -> SampleStore:
        return self._context.store

    @property
    def timeout(self) -> float | None:
        return self._context.settings.timeout

    def knowing(self, registry: Registry) -> Workbench:
        """The same place, with other plugins."""
        return Workbench(attrs.evolve(self._context, registry=registry))

    def artifact_of(self, row: FormatResult) -> Artifact:
        """What the run left of a format: the live source, or a file that is kept."""
        if row.live:
            return self._context.source_artifact()
        return artifact_of(row, self.signature, self.workspace.root, self._context.registry)

    def make(self, route: Route, artifact: Artifact, into: Path) -> tuple[Outcome, Artifact | None]:
        """Make the route's format of ``artifact``, and move what was made into the new folder ``into``."""
        step = Step(route, artifact.format, route.goal)
        built = make(self._context, step, artifact, _new_key(), processors())
        if built.made is None:
            return built.outcome, None
        into.mkdir(parents=True)
        move_contents(self.workspace.format_folder(route.goal.name), into)
        return built.outcome, built.made.artifact(route.goal, artifact.signature, into / route.goal.filename)

    def check(self, route: Route, artifact: Artifact) -> RuntimeResult:
        """Verify the artifact in the route's runtime."""
        return check_runtime(self._context, artifact, _new_key(), Check(artifact.format, route.runtime, route)).row

    def export_job(self, route: Route, source: Artifact, folder: Path) -> ExportJob[Any]:
        """What an exporter is handed; it writes into ``folder``."""
        return ExportJob(
            source=source,
            target=route.goal,
            output=folder / route.goal.filename,
            signature=source.signature,
            example=self.store.example(source.signature),
            options=self._context.options.get(route.id),
            log_dir=folder,
            usual_batch=self._context.samples.usual_batch,
        )

    def opening(self, route: Route, artifact: Artifact) -> Callable[[], Runner]:
        """A function that opens the runner in this process."""
        registry = self._context.registry
        job = runner_job(self._context.call(route, artifact, processors(), self.workspace.root), registry)
        return lambda: registry.ask("make_runner", job, route)

    def request(self, route: Route, artifact: Artifact, folder: Path) -> dict[str, Any]:
        """The same for a child, which :func:`opening_in` understands; ``folder`` is for logs."""
        return {
            **call_to_data(self._context.call(route, artifact, processors(), folder)),
            "reference": to_data(self.signature),
            "workspace": str(self.workspace.root),
            "announced": to_data(tuple(candidates())),
        }


def workbench_of(record: Record, workspace: Workspace, source: Source, registry: Registry) -> Workbench:
    """The workbench of a run that took samples, whose workspace nobody else uses as long as this is used."""
    assert record.samples is not None
    return Workbench(new_context(registry, workspace, record.settings, source, record.source_key, record.samples))


def opening_in(request: Mapping[str, Any]) -> tuple[Callable[[], Runner], SampleStore, Signature]:
    """What a :meth:`Workbench.request` asks for: a function that opens the runner, the samples, and their signature."""
    registry = load_registry(announced_in(request))
    call = call_from_data(request, registry)
    route, job = registry.route(call.route), runner_job(call, registry)
    store = SampleStore(Path(request["workspace"]))
    return lambda: registry.ask("make_runner", job, route), store, from_data(request["reference"], Signature)


def _new_key() -> str:
    return f"workbench {uuid.uuid4().hex}"
