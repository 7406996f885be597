"""One step, one check or one runner by itself, done as a run does it: for whoever tries a route and not a model."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from navcore.contract import Artifact, ExportJob, Made, Name, Route, Runner, Signature
from navcore.execution.artifacts import artifact_of
from navcore.execution.build_format import can_fork, in_caller, make
from navcore.execution.check_format import check_runtime
from navcore.execution.resources import processors
from navcore.execution.run_context import RunContext, new_context
from navcore.execution.step import StepPlace, runner_job
from navcore.execution.step_children import run_step_forked
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
    fresh_folder,
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

    def is_exported_here(self, route: Route, artifact: Artifact) -> bool:
        """Whether :meth:`make` calls the route in this very process, where nothing contains it."""
        return route.hook == "export_model" and not can_fork(self._context, _step(route, artifact), artifact)

    def make(self, route: Route, artifact: Artifact, into: Path) -> tuple[Outcome, Artifact | None]:
        """Make the route's format of ``artifact``, and move what was made into the new folder ``into``.

        What the run itself made of that format is there again afterwards.
        """
        folder, aside = self.workspace.format_folder(route.goal.name), into.with_name(f"{into.name} aside")
        folder.mkdir(exist_ok=True)
        aside.mkdir(parents=True)
        move_contents(folder, aside)
        built = make(self._context, _step(route, artifact), artifact, _new_key(), processors())
        into.mkdir(parents=True)
        move_contents(folder, into)
        move_contents(aside, folder)
        if built.made is None:
            return built.outcome, None
        return built.outcome, built.made.artifact(route.goal, artifact.signature, into / route.goal.filename)

    def export(self, route: Route, artifact: Artifact) -> Outcome:
        """Hand an exporter whatever stands in for a live model, where a run would export one on the processor."""
        private = fresh_folder(self.workspace.unfinished(Name("exporting"), route.goal.name, Name(route.name)))
        job = self._export_job(route, artifact, private / "product")
        job.output.parent.mkdir()

        def export() -> Made:
            made: Made = self._context.registry.ask("export_model", job, route)
            return made

        log = private / "export.log"
        if route.isolation == "fork":
            return run_step_forked(export, StepPlace(private, log, route.who, self._context.limits)).outcome
        return in_caller(export, log).outcome

    def check(self, route: Route, artifact: Artifact) -> RuntimeResult:
        """Verify the artifact in the route's runtime."""
        return check_runtime(self._context, artifact, _new_key(), Check(artifact.format, route.runtime, route)).row

    def _export_job(self, route: Route, source: Artifact, folder: Path) -> ExportJob[Any]:
        return ExportJob(
            source=source,
            target=route.goal,
            output=folder / route.goal.filename,
            signature=source.signature,
            example=self.store.example(source.signature),
            options=self._context.options.get(route.id),
            forked=route.isolation == "fork",
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


def _step(route: Route, artifact: Artifact) -> Step:
    return Step(route, artifact.format, route.goal)


def _new_key() -> str:
    return f"workbench {uuid.uuid4().hex}"
