"""Makes what a check needs to try a route on: a source that some plugin offers, samples, artifacts, products."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from navcore.api import run
from navcore.contract import Artifact, Format, Route, Signature
from navcore.errors import NavcoreError, PluginError, first_line
from navcore.execution import BuildResult, RunContext, artifact_of, make, new_context, processors
from navcore.planning import Source, Step, cheapest_paths, identify
from navcore.registry import EXTRA, OFFER, Plugin, load_registry
from navcore.testing import crashing
from navcore.testing.trial import Trial, try_live, try_stored
from navcore.testing.verdicts import NotHere, NotMet
from navcore.testing.watching import watched
from navcore.workspace import FormatResult, Status, Workspace, digest_of_file, digest_of_state, move_contents

_SAMPLES = 6


@attrs.frozen(eq=False)
class Offer:
    """A small model with its data, as the plugin of that name offers it."""

    plugin: str
    source: Source
    data: Any


@attrs.frozen(eq=False)
class Ready:
    """An artifact to start from, and the run in which it was made."""

    context: RunContext
    artifact: Artifact


@attrs.frozen(eq=False)
class Product:
    """What a route made of an artifact: how it ended, what is where now, and what else it touched."""

    ready: Ready
    built: BuildResult
    artifact: Artifact | None
    strays: tuple[str, ...]
    source_changed: bool


class Ground:
    """Where one plugin is tried: everything is made once, in ``folder``, when a check first needs it.

    ``timeout`` is how many seconds each step may take; ``allowed_imports`` are names of distributions that the
    plugin's module may import although they are none of its own.
    """

    def __init__(
        self, plugin: str, folder: Path, *, timeout: float = 300.0, allowed_imports: Sequence[str] = ()
    ) -> None:
        self.name = plugin
        self.folder = folder
        self.timeout = timeout
        self.allowed_imports = tuple(allowed_imports)
        self.registry = load_registry()
        self._offers: tuple[list[Offer], list[str]] | None = None
        self._ready: dict[tuple[str, bool], Ready] = {}
        self._products: dict[str, Product] = {}
        self._trials: dict[str, Trial] = {}

    @property
    def plugin(self) -> Plugin:
        """The plugin under test. Raises :class:`NotMet` when it cannot be used at all."""
        found = self.registry.plugin(self.name)
        if found is None:
            raise NotMet(
                f"no installed distribution brings a plugin named {self.name!r}: install it, and look at the "
                f"entry-point group 'navcore.v1' in its pyproject.toml"
            )
        if not found.loaded:
            raise NotMet(f"the plugin {self.name!r} cannot be used: {found.problem}")
        return found

    def require(self, route: Route) -> None:
        """Raises :class:`NotHere` when the route's own probe says that this machine cannot use it."""
        reason = self.registry.unavailable(route)
        if reason:
            raise NotHere(reason)

    def ready(self, format_name: str, *, verified: bool = False) -> Ready:
        """An artifact of that format, made from the cheapest offered model by whatever plugins are installed.

        A model that the plugin under test offers itself comes before any other that leads there. With ``verified`` the
        artifact has to have passed wherever it can be run. Raises :class:`NotHere` when nothing installed leads there,
        and :class:`NotMet` when what leads there fails.
        """
        key = (format_name, verified)
        if key not in self._ready:
            self._ready[key] = self._prepare(self._known(format_name), verified)
        return self._ready[key]

    def product(self, route: Route) -> Product:
        """What the route makes, with an eye on everything that it should not touch."""
        if route.id not in self._products:
            self._products[route.id] = self._make(route)
        product = self._products[route.id]
        failure = product.built.outcome.failure
        if product.built.outcome.status == Status.UNAVAILABLE and failure is not None:
            raise NotHere(failure.cause)
        return product

    def made(self, route: Route) -> tuple[Product, Artifact]:
        """The product of a route that succeeded; raises :class:`NotMet` with the cause when it did not."""
        product = self.product(route)
        if product.artifact is None:
            failure = product.built.outcome.failure
            raise NotMet(f"the route made nothing: {failure.cause if failure else 'no reason was given'}")
        return product, product.artifact

    def trial(self, route: Route) -> Trial:
        """What a runner did when it was opened, called and closed; raises :class:`NotMet` when it did not open."""
        if route.id not in self._trials:
            ready = self.ready(route.source)
            where = self.folder / "trials" / _plain(route.id)
            if ready.artifact.model is not None:
                self._trials[route.id] = try_live(ready.context, ready.artifact, route)
            else:
                self._trials[route.id] = try_stored(ready.context, ready.artifact, route, where)
        return _opened(self._trials[route.id])

    def trial_as_a_source(self, route: Route) -> Trial:
        """The same for a file of which nothing is known. Raises :class:`NotHere` where no file can be a source."""
        ready = self.ready(route.source)
        format = ready.artifact.format
        if not format.suffixes and format.recognises is None:
            raise NotHere(f"no file is recognised as {format.name}, so none can be the source of a run")
        unknown = Artifact(format, Signature(()), ready.artifact.path)
        return _opened(try_stored(ready.context, unknown, route, self.folder / "sources" / _plain(route.id)))

    @contextmanager
    def crashing(self, context: RunContext) -> Iterator[RunContext]:
        """The same run, in which every step of a child process ends in a real segmentation fault."""
        added = f"{crashing.NAME}={crashing.__name__}"
        before = {name: os.environ.get(name) for name in (EXTRA, crashing.VARIABLE)}
        os.environ[EXTRA] = ",".join(part for part in (before[EXTRA], added) if part)
        os.environ[crashing.VARIABLE] = str(os.getpid())
        try:
            yield attrs.evolve(context, registry=load_registry())
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    def _known(self, format_name: str) -> Format:
        """The format of that name. Raises :class:`NotHere`: its plugin is missing, or the name is misspelt."""
        names = [format.name for format in self.registry.formats]
        if format_name in names:
            return self.registry.format(format_name)
        near = difflib.get_close_matches(format_name, names, n=1)
        told = f"; did you mean {near[0]!r}?" if near else ""
        raise NotHere(f"no installed plugin knows the format {format_name!r}, from which the route starts{told}")

    def _offered(self) -> tuple[list[Offer], list[str]]:
        """The offered models, that of the plugin under test first, and what is to say of offers that failed."""
        if self._offers is None:
            offers, problems = [], []
            for plugin in sorted(self.registry.plugins, key=lambda plugin: (plugin.name != self.name, plugin.name)):
                if plugin.offer is None:
                    continue
                try:
                    model, data = plugin.offer()
                    offers.append(Offer(plugin.name, identify(model, self.registry), data))
                except Exception as error:
                    problems.append(f"{OFFER}() of {plugin.name} failed: {type(error).__name__}: {first_line(error)}")
            self._offers = offers, problems
        return self._offers

    def _chosen(self, format: Format) -> tuple[Offer, tuple[Route, ...]]:
        """The plugin's own offer if it leads there, else the one from which the format is cheapest; and the way."""
        offers, problems = self._offered()
        usable = [
            route for route in self.registry.routes if route.target is not None and not self.registry.unavailable(route)
        ]
        ways: list[tuple[bool, float, int, Offer, tuple[Route, ...]]] = []
        for number, offer in enumerate(offers):
            name = offer.source.format.name
            way = () if name == format.name else cheapest_paths(usable, [name]).get(format.name)
            if way is not None:
                ways.append((offer.plugin != self.name, sum(route.cost for route in way), number, offer, way))
        if not ways:
            told = f"no installed plugin makes {format.name} from a model that a plugin offers with {OFFER}()"
            raise NotHere("; ".join([told, *problems]))
        *_, offer, way = min(ways, key=lambda one: one[:3])
        return offer, way

    def _prepare(self, format: Format, verified: bool) -> Ready:
        offer, way = self._chosen(format)
        source = offer.source
        try:
            package = run(
                source.model if source.is_live else source.path,
                offer.data,
                targets=[route.goal.name for route in way],
                model_name=f"{format.name}{'-verified' if verified else ''}",
                workdir=self.folder / "workspaces",
                sample_count=_SAMPLES,
                runtimes={format.name: ()} if way and not verified else None,
                run_profiling=False,
                timeout=self.timeout,
                git_info=False,
            )
        except NavcoreError as error:
            raise _unprepared(format, offer, str(error)) from error
        row = next(row for row in package.results if row.format == format)
        record = package.record
        assert record.samples is not None
        workspace = Workspace(package.workspace)
        context = new_context(self.registry, workspace, record.settings, source, record.source_key, record.samples)
        if row.live:
            return Ready(context, context.source_artifact())
        return Ready(context, _stored(context, row, verified, offer))

    def _make(self, route: Route) -> Product:
        ready = self.ready(route.source, verified=True)
        context = ready.context
        before = _state(ready.artifact)
        step = Step(route, ready.artifact.format, route.goal)
        target = context.workspace.format_folder(route.goal.name)
        place = self.folder / "watched" / _plain(route.id)
        with watched(place, context.workspace.root, except_for=(context.workspace.private, target)) as strays:
            built = make(context, step, ready.artifact, f"conformance {route.id}", processors())
        changed = _state(ready.artifact) != before
        artifact = None
        if built.made is not None:
            kept = self.folder / "products" / _plain(route.id)
            kept.mkdir(parents=True)
            move_contents(target, kept)
            artifact = built.made.artifact(route.goal, ready.artifact.signature, kept / route.goal.filename)
        return Product(ready, built, artifact, tuple(strays), changed)


def _opened(trial: Trial) -> Trial:
    if trial.unavailable:
        raise NotHere(trial.unavailable)
    if trial.problem:
        raise NotMet(f"the runner did not open: {trial.problem}")
    return trial


def _stored(context: RunContext, row: FormatResult, verified: bool, offer: Offer) -> Artifact:
    cause = row.failure.cause if row.failure else "no reason was given"
    if row.path is None:
        unprepared = _unprepared(row.format, offer, cause)
        raise NotHere(str(unprepared)) if row.status in (Status.UNAVAILABLE, Status.SKIPPED) else unprepared
    if verified and row.status == Status.FAILED:
        raise _unprepared(row.format, offer, f"it is not right itself: {cause}")
    return artifact_of(row, context.samples.signature, context.workspace.root, context.registry)


def _unprepared(format: Format, offer: Offer, cause: str) -> NotMet:
    """The check could not begin: what it starts from is missing, which is not what its own advice is about."""
    return NotMet(
        f"it was not tried, because {format.name} could not be made from the model of {offer.plugin}: {cause}",
        advice=f"make {format.name} work first: it is what this check starts from. A plugin that does not take every "
        f"model offers one that it takes, with a function {OFFER}() in its module, which then comes before all others.",
    )


def _state(artifact: Artifact) -> str:
    """What must be the same afterwards: a live model's weights, or a file's bytes."""
    if artifact.model is None:
        return digest_of_file(artifact.file)
    if artifact.format.live is None:
        raise PluginError(f"The format {artifact.format.name} has a live model and no functions to handle it.")
    return digest_of_state(artifact.format.live.state(artifact.model))


def _plain(identity: str) -> str:
    """A route's id as the name of a folder."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in identity)
