"""The models of a package, opened: what may be loaded here, by which route, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from navcore.contract import Artifact, Format, Route, Runner, RunnerJob
from navcore.errors import PackageIncomplete, TrustRequired, Unavailable
from navcore.evaluation import fastest_runtime
from navcore.execution import artifact_of
from navcore.package.choosing import nothing_made, row_meant
from navcore.planning import Asked, Limits, Measuring, Obeyed, Source, obeyed, settled_for_package
from navcore.registry import Registry
from navcore.workspace import FormatResult, Record, Workspace


@attrs.frozen(eq=False)
class Models:
    """What the record of a package, its workspace and the installed plugins allow to be opened."""

    record: Record
    workspace: Workspace
    registry: Registry
    source: Source | None
    trust: bool
    asked: Asked

    def live_model(self) -> Any:
        """The source, where it lives. Raises :class:`PackageIncomplete` for a package that was loaded."""
        if self.source is None:
            raise PackageIncomplete("The source model is not in the package.", hint="Take one of the stored formats.")
        return self.source.model

    def file(self, row: FormatResult) -> Path:
        """Where the row's model lies. Raises :class:`PackageIncomplete` and :class:`TrustRequired`."""
        if row.path is None or not self.workspace.file(row.path).exists():
            raise nothing_made(row)
        if not (self.trust or self.registry.is_data(row.format)):
            raise TrustRequired(
                f"Loading {row.format.name} can execute code, and this package was loaded without trust.",
                code="trust",
                hint="If you know where it comes from: nav.load(path, trust=True).",
            )
        return self.workspace.file(row.path)

    def loadable(
        self, format: Format | str, jit_type: str | None, precision: str | None, runtime: str | None
    ) -> tuple[Artifact, Route]:
        """The row that is meant, and the route that runs it. Raises as :meth:`file` does, and :class:`Unavailable`."""
        row = row_meant(self.record.results, format, jit_type, precision)
        samples = self.record.samples
        if samples is None:
            raise PackageIncomplete("The package does not say how its models are called.")
        model = self.live_model() if row.live else None
        if not row.live:
            self.file(row)  # there, and trusted
        artifact = artifact_of(row, samples.signature, self.workspace.root, self.registry, model)
        return artifact, self._runner_route(row, runtime)

    def _runner_route(self, row: FormatResult, runtime: str | None) -> Route:
        offered = {
            route.runtime: route
            for route in sorted(self.registry.routes, key=lambda route: (route.cost, route.id), reverse=True)
            if route.hook == "make_runner" and route.source == row.format.name
        }
        if runtime is None:
            runtime = fastest_runtime(row, offered)
        else:
            settled_for_package(runtime=runtime)
        route = offered.get(str(runtime))
        if route is None:
            names = ", ".join(sorted(offered)) or "none: the plugin is not installed"
            raise Unavailable(
                f"Nothing installed here runs {row.format.name} in {runtime}.", hint=f"Runtimes: {names}."
            )
        reason = self.registry.unavailable(route)
        if reason:
            raise Unavailable(f"{row.format.name} cannot run in {runtime} here: {reason}")
        return route

    def open(self, artifact: Artifact, route: Route, threads: int | None) -> Runner:
        """The runner, in this process, with what of the record is obeyed."""
        runner: Runner = self.registry.ask("make_runner", self._job(artifact, route, threads), route)
        return runner

    def job(
        self, format: Format | str, jit_type: str | None, precision: str | None, runtime: str | None
    ) -> RunnerJob[Any]:
        """What the runner of a row would be given; raises as :meth:`loadable` does."""
        artifact, route = self.loadable(format, jit_type, precision, runtime)
        tested = next(row for row in self.record.results if row.format == artifact.format).runtime(route.runtime)
        return self._job(artifact, route, None if tested is None else tested.threads)

    def _job(self, artifact: Artifact, route: Route, threads: int | None) -> RunnerJob[Any]:
        here = self.obeyed(Measuring(), Limits())
        return RunnerJob(
            artifact,
            route.runtime,
            here.options[route.id],
            here.settings.device,
            threads,
            self.workspace.root,
            self.workspace.cache,
        )

    def obeyed(self, measurement: Measuring, limits: Limits) -> Obeyed:
        """What of the record may be acted upon: all of it for a run's own package and for one that is trusted."""
        weights = sum(row.size or 0 for row in self.record.results if not row.live)
        asked = attrs.evolve(self.asked, measurement=measurement, limits=limits)
        return obeyed(self.record.settings, self.registry, trust=self.trust, weights=weights, asked=asked)
