"""Makes what a check needs to try a route on: samples, artifacts, products, each once, in whichever process this is."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from navcore.api import run
from navcore.contract import Artifact, Format, Route, Signature
from navcore.errors import NavcoreError, PluginError, first_line
from navcore.execution import Workbench, workbench_of
from navcore.package import PackageDescriptor
from navcore.registry import OFFER, Plugin, load_registry
from navcore.testing import crashing
from navcore.testing.busy import Doing, Tell, busy
from navcore.testing.offers import Offer, Offers
from navcore.testing.own_plugins import announced
from navcore.testing.telling import agrees, made, ran, runners_of, source_runner, telling
from navcore.testing.trial import Trial, try_live, try_stored
from navcore.testing.verdicts import NotHere, NotMet, Reported
from navcore.testing.watching import watched
from navcore.workspace import FormatResult, Outcome, RuntimeResult, Status, Workspace, digest_of_file, digest_of_state

_SAMPLES = 6


@attrs.frozen(eq=False)
class Ready:
    """An artifact to start from, where more is made of it, and the id of the route that made it (``""``: a source)."""

    bench: Workbench
    artifact: Artifact
    maker: str = ""


@attrs.frozen(eq=False)
class Product:
    """What a route made of an artifact: how it ended, what is where now, and what else it touched.

    Its log is in ``folder``.
    """

    ready: Ready
    outcome: Outcome
    artifact: Artifact | None
    strays: tuple[str, ...]
    source_changed: bool
    folder: Path


class Ground:
    """Where one plugin is tried: everything is made once, in ``folder``, when a check first needs it.

    ``timeout`` is how many seconds each step may take; ``allowed_imports`` are names of distributions that the
    plugin's module may import although they are none of its own. ``tell`` is told which foreign code is about to be
    called in this process, ``reported`` is what was told to be wrong already.
    """

    def __init__(
        self,
        plugin: str,
        folder: Path,
        *,
        timeout: float = 300.0,
        allowed_imports: Sequence[str] = (),
        tell: Tell = lambda _: None,
        reported: Mapping[str, str] | None = None,
    ) -> None:
        self.name = plugin
        self.folder = folder
        self.timeout = timeout
        self.allowed_imports = tuple(allowed_imports)
        self.reported = Reported(reported)
        self._tell = tell
        with self.busy(f"importing the plugin {plugin}", about=("plugin",)):
            self.registry = load_registry()
        self.offers = Offers(plugin, self.registry, self.busy)
        self._asked: dict[str, dict[str, bool]] = {}
        self._ready: dict[tuple[str, bool], Ready] = {}
        self._unready: dict[tuple[str, bool], NotMet | NotHere] = {}
        self._products: dict[str, Product] = {}
        self._checked: dict[str, tuple[RuntimeResult, ...]] = {}
        self._trials: dict[str, Trial] = {}

    def busy(self, who: str, *, about: tuple[str, ...] = ()) -> contextlib.AbstractContextManager[None]:
        """Announce that foreign code is called in this process, which may take no longer than a step.

        Raises :class:`NotHere` where it was told already how that ends.
        """
        self.reported.refuse(*about)
        return busy(self._tell, Doing(who, about, self.timeout))

    @property
    def plugin(self) -> Plugin:
        """The plugin under test. Raises :class:`NotMet` when it cannot be used at all."""
        found = self.registry.plugin(self.name)
        if found is None:
            raise NotMet(
                f"no installed distribution brings a plugin named {self.name!r}",
                advice="Install it, and look at the entry-point group 'navcore.v1' in its pyproject.toml.",
                about=("plugin",),
            )
        if not found.loaded:
            raise NotMet(
                f"{found.problem.rstrip('.')}: the plugin {self.name!r} cannot be used",
                advice="Make its module importable by itself: python -c 'import "
                f"{found.target.partition(':')[0]}'. What it needs belongs to its dependencies, and a framework is "
                "imported inside the functions that use it.",
                about=("plugin",),
            )
        return found

    def require(self, route: Route) -> None:
        """Raises :class:`NotHere` when the route's own probe says that this machine cannot use it."""
        with self.busy(f"{route.who}, available=", about=(f"probed {route.id}",)):
            reason = self.registry.unavailable(route)
        if reason:
            raise NotHere(reason)

    def ready(self, format_name: str, *, verified: bool = False) -> Ready:
        """An artifact of that format, made from the cheapest offered model by whatever plugins are installed.

        A model that the plugin under test offers itself comes before any other that leads there. What the plugin's own
        route makes of it is made once, under the eye that is kept on it; what leads to that comes from a user's run.
        With ``verified`` the artifact has to have passed wherever it can be run. Raises :class:`NotHere` when nothing
        installed leads there, and :class:`NotMet` when what leads there fails.
        """
        key = (format_name, verified)
        if key in self._unready:
            raise self._unready[key]
        if key not in self._ready:
            try:
                self._ready[key] = self._prepare(self._known(format_name), verified)
            except (NotMet, NotHere) as error:
                self._unready[key] = error
                raise
        return self._ready[key]

    def product(self, route: Route) -> Product:
        """What the route makes, with an eye on everything that it should not touch."""
        if route.id not in self._products:
            self.reported.refuse(made(route))
            self._products[route.id] = self._make(route)
        product = self._products[route.id]
        failure = product.outcome.failure
        if product.outcome.status == Status.UNAVAILABLE and failure is not None:
            raise NotHere(failure.cause)
        return product

    def made(self, route: Route) -> tuple[Product, Artifact]:
        """The product of a route that succeeded; raises :class:`NotMet` with the cause when it did not."""
        product = self.product(route)
        if product.artifact is None:
            failure = product.outcome.failure
            raise NotMet(
                failure.cause if failure else f"{route.who} made nothing, and gave no reason",
                advice=_of_failure(failure.hint if failure else "", product.folder),
                about=(made(route),),
            )
        return product, product.artifact

    def checked(self, route: Route) -> tuple[RuntimeResult, ...]:
        """The verification that users get, of what the route made, in each runtime that a run would use here."""
        product, artifact = self.made(route)
        if route.id not in self._checked:
            runners = runners_of(self.registry, route.goal)
            self._checked[route.id] = tuple(product.ready.bench.check(one, artifact) for one in runners)
        return self._checked[route.id]

    def trial(self, route: Route) -> Trial:
        """What a runner did when it was opened, called and closed; raises :class:`NotMet` when that went wrong."""
        ready = self.ready(route.source)
        if route.id not in self._trials:
            self.reported.refuse(ran(route))
            where = self.folder / "trials" / plain(route.id)
            if ready.artifact.model is not None:
                with self.busy(route.who, about=(ran(route),)):
                    self._trials[route.id] = try_live(ready.bench, ready.artifact, route)
            else:
                self._trials[route.id] = try_stored(ready.bench, ready.artifact, route, where)
        return _went_well(self._trials[route.id], (ran(route), agrees(ready.maker, route)))

    def trial_as_a_source(self, route: Route) -> Trial:
        """The same for a file of which nothing is known. Raises :class:`NotHere` where no file can be a source."""
        ready = self.ready(route.source)
        format = ready.artifact.format
        if not format.suffixes and format.recognises is None:
            raise NotHere(f"no file is recognised as {format.name}, so none can be the source of a run")
        self.reported.refuse(ran(route))
        unknown = Artifact(format, Signature(()), ready.artifact.path)
        where = self.folder / "sources" / plain(route.id)
        return _went_well(try_stored(ready.bench, unknown, route, where), ())

    @contextmanager
    def crashing(self, bench: Workbench) -> Iterator[Workbench]:
        """The same bench, on which every step of a child process ends in a real segmentation fault."""
        with announced(crashing.NAME, crashing.__name__):
            yield bench.knowing(load_registry())

    def _known(self, format_name: str) -> Format:
        """The format of that name. Raises :class:`NotHere`: its plugin is missing, or the name is misspelt."""
        names = [format.name for format in self.registry.formats]
        if format_name in names:
            return self.registry.format(format_name)
        near = difflib.get_close_matches(format_name, names, n=1)
        told = f"; did you mean {near[0]!r}?" if near else ""
        raise NotHere(f"no installed plugin knows the format {format_name!r}, from which the route starts{told}")

    def _prepare(self, format: Format, verified: bool) -> Ready:
        broken = {route.id for route in self.registry.routes if self.reported.knows(made(route))}
        try:
            offer, way = self.offers.way_to(format, broken)
        except NotHere:
            # Where a route that is known to fail was the only one, that is what there is to say.
            _, way = self.offers.way_to(format)
            self.reported.refuse(*(made(route) for route in way))
            raise
        if way and way[-1].owner == self.name:
            return self._from_product(way[-1], verified, offer)
        asked = self._asked.setdefault(offer.id, {})
        for route in way:
            asked[route.goal.name] = asked.get(route.goal.name, False) or verified or route.goal.name != format.name
        unproven = [name for name, is_verified in asked.items() if not is_verified]
        package = self.run(offer, sorted(asked), runtimes=dict.fromkeys(unproven, ()))
        rows = {row.format.name: row for row in package.results}
        row = rows[format.name]
        bench = workbench_of(package.record, Workspace(package.workspace), offer.source, self.registry)
        if way:
            _refuse_unusable([rows[route.goal.name] for route in way if route.goal.name in rows], verified, offer)
        return Ready(bench, bench.artifact_of(row), row.route)

    def _from_product(self, route: Route, verified: bool, offer: Offer) -> Ready:
        try:
            product, artifact = self.made(route)
        except NotHere as reason:
            raise NotHere(f"{route.goal.name} could not be made from the model of {offer.plugin}: {reason}") from None
        except NotMet as error:
            raise _unprepared(route.goal, offer, str(error), about=error.about) from error
        rows = self.checked(route) if verified else ()
        failed = [row for row in rows if row.status == Status.FAILED]
        if failed and not any(row.status == Status.OK for row in rows):
            cause = failed[0].failure.cause if failed[0].failure else "no reason was given"
            about = tuple(f"{route.id} agrees in {row.route}" for row in failed)
            raise _unprepared(route.goal, offer, cause, about=about)
        return Ready(product.ready.bench, artifact, route.id)

    def run(self, offer: Offer, targets: Sequence[str], **arguments: Any) -> PackageDescriptor:
        """Take an offered model to the targets as a user would; raises :class:`NotMet` where it cannot be begun.

        Each offer has one workspace, so that what was made of it once is not made again.
        """
        source, runner = offer.source, source_runner(self.registry, offer.source.format.name)
        if runner is not None:
            self.reported.refuse(ran(runner))
        try:
            with self.busy(f"running {offer.id}", about=(f"ran {offer.id}",)):
                return run(
                    source.model if source.is_live else source.path,
                    offer.data,
                    targets=list(targets),
                    model_name=offer.id,
                    workdir=self.folder / "workspaces",
                    sample_count=_SAMPLES,
                    run_profiling=False,
                    timeout=self.timeout,
                    git_info=False,
                    progress=telling(self.registry, runner, self._tell, self.timeout),
                    **arguments,
                )
        except NavcoreError as error:
            raise _unprepared(source.format, offer, first_line(error), about=(f"ran {offer.id}",)) from error

    def _make(self, route: Route) -> Product:
        ready = self.ready(route.source, verified=True)
        workspace, before = ready.bench.workspace, _state(ready.artifact)
        place, kept = self.folder / "watched", self.folder / "products" / plain(route.id)
        written = (workspace.private, workspace.format_folder(route.goal.name))
        here = ready.bench.is_exported_here(route, ready.artifact)
        around = self.busy(route.who, about=(made(route),)) if here else contextlib.nullcontext()
        with around, watched(place, workspace.root, except_for=written) as strays:
            outcome, artifact = ready.bench.make(route, ready.artifact, kept)
        return Product(ready, outcome, artifact, tuple(strays), _state(ready.artifact) != before, kept)


def _went_well(trial: Trial, about: tuple[str, ...]) -> Trial:
    if trial.unavailable:
        raise NotHere(trial.unavailable)
    if trial.problem:
        raise NotMet(
            trial.problem,
            advice="The runner is opened and called as in a run: make navcore.run reach this format and give a result "
            "first. Its log is trial.log, below the folder of this test.",
            about=about,
        )
    return trial


def _refuse_unusable(way: Sequence[FormatResult], verified: bool, offer: Offer) -> None:
    """Raises :class:`NotHere` or :class:`NotMet` when the last format was not made, or is not what it has to be."""
    row = way[-1]
    lost = next((one for one in way if one.path is None), None)
    if lost is not None:
        cause = lost.failure.cause if lost.failure else "no reason was given"
        about = tuple(f"made {one.route}" for one in lost.attempts)
        unprepared = _unprepared(row.format, offer, cause, about=about)
        if lost.status in (Status.UNAVAILABLE, Status.SKIPPED):
            raise NotHere(f"{row.format.name} could not be made from the model of {offer.plugin}: {cause}")
        raise unprepared
    if verified and row.status == Status.FAILED:
        cause = row.failure.cause if row.failure else "no reason was given"
        about = tuple(f"{row.route} agrees in {one.route}" for one in row.runtimes if one.status == Status.FAILED)
        raise _unprepared(row.format, offer, cause, about=about)


def _unprepared(format: Format, offer: Offer, cause: str, *, about: tuple[str, ...]) -> NotMet:
    """The check could not begin: what it starts from is missing, which is not what its own advice is about."""
    return NotMet(
        f"{cause.rstrip('.')}: {format.name} of the model that {offer.plugin} offers is what this check starts from",
        advice=f"Make {format.name} work first. A plugin that does not take every model offers one that it takes, with "
        f"a function {OFFER}() in its module, which then comes before all others.",
        about=about,
    )


def _of_failure(hint: str, folder: Path) -> str:
    return f"This is the route's own error, as users see it. {hint} Its log is in {folder}."


def _state(artifact: Artifact) -> str:
    """What must be the same afterwards: a live model's weights, or a file's bytes."""
    if artifact.model is None:
        return digest_of_file(artifact.file)
    if artifact.format.live is None:
        raise PluginError(f"The format {artifact.format.name} has a live model and no functions to handle it.")
    return digest_of_state(artifact.format.live.state(artifact.model))


def plain(identity: str) -> str:
    """A route's id as the name of a folder."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in identity)
