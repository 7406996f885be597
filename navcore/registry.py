"""Entry points → plugins, routes, formats and statuses; the only room that knows pluggy and installed distributions."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import attrs
import pluggy

from navcore import hookspecs
from navcore.errors import NavcoreError, PluginError, UnknownFormat
from navcore.formats import Format
from navcore.guards import guarded
from navcore.routes import ROUTES_ATTRIBUTE, Hook, Route

GROUP = "navcore.v1"
DISABLE = "NAVCORE_DISABLE_PLUGINS"
EXTRA = "NAVCORE_EXTRA_PLUGINS"
CORE = "navcore"


@attrs.frozen
class Plugin:
    """One installed plugin: ``module`` when it loaded, else ``problem`` with the reason why not."""

    name: str
    distribution: str
    version: str
    target: str
    module: ModuleType | None = attrs.field(default=None, eq=False, repr=False)
    problem: str = ""
    routes: tuple[Route, ...] = ()

    @property
    def loaded(self) -> bool:
        return self.module is not None and not self.problem

    @property
    def summary(self) -> str:
        """The first line of the module's docstring."""
        return (self.module.__doc__ or "").strip().partition("\n")[0] if self.module else ""


@attrs.frozen
class Candidate:
    """A plugin that is announced, before its module is imported."""

    name: str
    distribution: str
    version: str
    target: str
    problem: str = ""


@attrs.frozen(eq=False)
class Registry:
    """The plugins of this process, and the hooks through which they are asked."""

    plugins: tuple[Plugin, ...]
    hooks: pluggy.HookRelay = attrs.field(repr=False)

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every route of every loaded plugin, in the order of their names."""
        found = [route for plugin in self.plugins if plugin.loaded for route in plugin.routes]
        return tuple(sorted(found, key=lambda route: route.id))

    @property
    def formats(self) -> tuple[Format, ...]:
        """Every format that some route names, once each, in the order of their names."""
        merged: dict[str, Format] = {}
        for route in self.routes:
            for format in route.formats:
                merged[format.name] = _merged(merged.get(format.name), format)
        return tuple(merged[name] for name in sorted(merged))

    def route(self, identity: str) -> Route:
        """The route of that id. Raises :class:`PluginError` when it is not installed (any more)."""
        for route in self.routes:
            if route.id == identity:
                return route
        raise PluginError(f"The route {identity!r} is not installed here.", hint="Install the plugin that brings it.")

    def format(self, name: str) -> Format:
        """The format of exactly that name. Raises :class:`UnknownFormat`."""
        for format in self.formats:
            if format.name == name:
                return format
        raise UnknownFormat(f"No installed plugin knows the format {name!r}.")

    def plugin(self, name: str) -> Plugin | None:
        return next((plugin for plugin in self.plugins if plugin.name == name), None)

    def live_format(self, model: object) -> Format | None:
        """The live format to which the model belongs, or ``None``."""
        return next((form for form in self.formats if form.live is not None and form.live.recognises(model)), None)

    def to_array(self, value: Any) -> Any:
        """The host array of a numpy array or of any plugin's framework tensor; ``None`` when it is neither."""
        import numpy as np

        if isinstance(value, np.ndarray | np.generic):
            return np.asarray(value)
        for format in self.formats:
            if format.live is not None:
                array = format.live.to_array(value)
                if array is not None:
                    return array
        return None

    def ask(self, hook: Hook, job: Any, route: Route) -> Any:
        """Call the hook for one route. Raises :class:`PluginError` when nobody answers it."""
        answer = getattr(self.hooks, hook)(job=job, route=route)
        if answer is None:
            raise PluginError(f"No plugin answered the hook {hook}.", who=route.who, hint="Reinstall the plugin.")
        return answer

    def unavailable(self, route: Route) -> str:
        """The reason why the route cannot be used on this machine, or ``""``."""
        if route.available is None:
            return ""
        try:
            return route.available() or ""
        except Exception as error:  # a probe is foreign code: whatever it raises is its answer
            return f"the probe of {route.who} failed: {type(error).__name__}: {error}"


def _merged(known: Format | None, other: Format) -> Format:
    """The same format as two plugins see it: whichever of them can load it or has it live completes the other."""
    if known is None:
        return other
    return attrs.evolve(
        known,
        live=known.live or other.live,
        load=known.load or other.load,
        files=known.files or other.files,
        copy=known.copy or other.copy,
        summary=known.summary or other.summary,
    )


def load_registry() -> Registry:
    """Import every installed plugin and register its hooks.

    Nothing here raises: a plugin that cannot be used becomes a :class:`Plugin` with a ``problem``. The environment
    variable ``NAVCORE_DISABLE_PLUGINS`` names plugins or distributions to leave out (comma-separated),
    ``NAVCORE_EXTRA_PLUGINS`` adds modules without packaging (``name=module``, comma-separated).
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins = [_load(candidate) for candidate in _candidates()]
    plugins = _refuse_conflicts(plugins)
    for plugin in plugins:
        if plugin.loaded:
            manager.register(_hook_namespace(plugin), name=plugin.name)
    return Registry(tuple(plugins), manager.hook)


def _candidates() -> Iterator[Candidate]:
    """Core's own routes, then the announced plugins in the order of their names: install order decides nothing."""
    version = _version_of(CORE)
    yield Candidate(CORE, CORE, version, "navcore.windows")
    disabled = {name.strip() for name in os.environ.get(DISABLE, "").split(",") if name.strip()}
    found = sorted(_announced(), key=lambda candidate: (candidate.name, candidate.distribution))
    for candidate in found:
        if candidate.name in disabled or candidate.distribution in disabled:
            yield attrs.evolve(candidate, problem=f"left out by {DISABLE}")
        else:
            yield candidate


def _announced() -> Iterator[Candidate]:
    seen: set[tuple[str, str, str]] = set()
    for distribution in importlib.metadata.distributions():
        for entry in distribution.entry_points:
            if not (entry.group == GROUP or entry.group.startswith("navcore.v")):
                continue
            name, version = _identity(distribution)
            if (name, entry.group, entry.name) in seen:
                continue  # the same distribution found twice on the path: the first one is what gets imported
            seen.add((name, entry.group, entry.name))
            problem = "" if entry.group == GROUP else _foreign(entry.group)
            yield Candidate(entry.name, name, version, entry.value, problem)
    for item in os.environ.get(EXTRA, "").split(","):
        if item.strip():
            name, _, module = item.strip().partition("=")
            yield Candidate(name, f"{EXTRA}", "", module or name)


def _identity(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    try:
        return distribution.metadata["Name"] or "unknown", distribution.version or ""
    except Exception:  # a damaged dist-info must not take the others down
        return "unknown", ""


def _version_of(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _foreign(group: str) -> str:
    return f"it speaks {group}, this navcore speaks {GROUP}: install a release of the plugin made for it"


def _load(candidate: Candidate) -> Plugin:
    found = Plugin(candidate.name, candidate.distribution, candidate.version, candidate.target)
    if candidate.problem:
        return attrs.evolve(found, problem=candidate.problem)
    try:
        module = importlib.import_module(candidate.target.partition(":")[0])
        routes = tuple(_routes_of(module, candidate))
    except NavcoreError as error:
        return attrs.evolve(found, problem=str(error))
    except BaseException as error:  # an import runs foreign code; even SystemExit must not end the caller
        if isinstance(error, KeyboardInterrupt):
            raise
        return attrs.evolve(found, problem=f"{type(error).__name__}: {error}")
    return attrs.evolve(found, module=module, routes=routes)


def _own_functions(module: ModuleType, attribute: str) -> Iterator[Callable[..., Any]]:
    """The module's functions that carry ``attribute`` and were defined in it or in a module below it.

    A function imported from another plugin stays that plugin's.
    """
    package = module.__name__
    seen: set[int] = set()
    for value in vars(module).values():
        home = getattr(value, "__module__", None)
        inside = isinstance(home, str) and (home == package or home.startswith(package + "."))
        if inside and callable(value) and hasattr(value, attribute) and id(value) not in seen:
            seen.add(id(value))
            yield value


def _routes_of(module: ModuleType, candidate: Candidate) -> Iterator[Route]:
    names: set[str] = set()
    for function in _own_functions(module, ROUTES_ATTRIBUTE):
        for declared in getattr(function, ROUTES_ATTRIBUTE):
            route = attrs.evolve(
                declared, owner=candidate.name, distribution=candidate.distribution, version=candidate.version
            )
            if route.id in names:
                raise PluginError(f"Two routes of {candidate.name} are called {route.id!r}.", hint="Rename one.")
            names.add(route.id)
            yield route


def _refuse_conflicts(plugins: Iterable[Plugin]) -> list[Plugin]:
    """Two plugins of one name, a plugin named like a public name of navcore, or two meanings of one format name."""
    import navcore

    kept: list[Plugin] = []
    meanings: dict[str, tuple[Plugin, Format]] = {}
    for plugin in plugins:
        problem = "" if plugin.loaded else plugin.problem
        if plugin.loaded and plugin.name != CORE:
            first = next((other for other in kept if other.name == plugin.name and other.loaded), None)
            if first is not None:
                problem = f"{first.distribution} {first.version} already brings a plugin named {plugin.name!r}"
            elif plugin.name in navcore.__all__ or importlib.util.find_spec(f"navcore.{plugin.name}"):
                problem = f"{plugin.name!r} is a public name of navcore and cannot name a plugin"
            else:
                problem = _other_meaning(plugin, meanings)
        if plugin.loaded and not problem:
            for format in (format for route in plugin.routes for format in route.formats):
                meanings.setdefault(format.name, (plugin, format))
        kept.append(attrs.evolve(plugin, problem=problem))
    return kept


def _other_meaning(plugin: Plugin, meanings: dict[str, tuple[Plugin, Format]]) -> str:
    for format in (format for route in plugin.routes for format in route.formats):
        owner, known = meanings.get(format.name, (plugin, format))
        if known.description() != format.description():
            return (
                f"it declares the format {format.name!r} differently from {owner.distribution} {owner.version}; "
                f"import that plugin's format, or choose another name"
            )
    return ""


def _hook_namespace(plugin: Plugin) -> SimpleNamespace:
    """What pluggy sees of a plugin: a guarded implementation per route, and its wrappers as they are."""
    assert plugin.module is not None
    space = SimpleNamespace(__name__=plugin.name)
    for index, route in enumerate(plugin.routes):
        implementation = guarded(route)
        mark = hookspecs.hookimpl(specname=route.hook, trylast=plugin.name == CORE)
        setattr(space, f"route_{index}", mark(implementation))
    for index, wrapper in enumerate(_own_functions(plugin.module, f"{hookspecs.PROJECT}_impl")):
        setattr(space, f"wrapper_{index}", wrapper)
    return space
