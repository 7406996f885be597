"""Announced plugins → modules, routes, formats and hooks; the only room that knows pluggy."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import keyword
import sys
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any, get_args

import attrs
import pluggy

from navcore import hookspecs
from navcore.announcements import CORE, CORE_TARGET, Candidate, candidates
from navcore.announcements import DISABLE as DISABLE
from navcore.announcements import EXTRA as EXTRA
from navcore.announcements import GROUP as GROUP
from navcore.errors import NavcoreError, PluginError, UnknownFormat, first_line
from navcore.formats import Format
from navcore.guards import guarded, guarded_wrapper
from navcore.routes import ROUTES_ATTRIBUTE, Hook, Route

_MARK = f"{hookspecs.PROJECT}_impl"


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

    def is_data(self, format: Format) -> bool:
        """Whether an installed plugin promises that loading the format cannot execute code.

        What a package says of its own formats is a stranger's word and does not count.
        """
        return any(known.data_only for known in self.formats if known == format)

    def plugin(self, name: str) -> Plugin | None:
        return next((plugin for plugin in self.plugins if plugin.name == name), None)

    def live_format(self, model: object) -> Format | None:
        """The live format to which the model belongs, or ``None``; of several, the one whose class is nearest.

        A Keras model on the torch backend is an ``nn.Module`` too: the more derived class decides.
        """
        live = [form for form in self.formats if form.live is not None and form.live.recognises(model)]
        for kind in type(model).__mro__:
            name = f"{kind.__module__}.{kind.__qualname__}"
            for form in live:
                if form.live is not None and name in form.live.types:
                    return form
        return None

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

    def useless(self, plugin: Plugin) -> str:
        """Why nothing that the plugin brings can be used on this machine (its framework is missing, say), or ``""``."""
        reasons = []
        for route in plugin.routes if plugin.loaded else ():
            reason = self.unavailable(route)
            if not reason:
                return ""
            reasons.append(reason)
        return reasons[0] if reasons else ""

    def broken_bringers(self, targets: Iterable[str]) -> tuple[str, ...]:
        """A sentence for each plugin that did not load and whose name begins one of the targets, as its formats do."""
        return tuple(
            f"{f'{plugin.distribution} {plugin.version}'.strip()} is installed and cannot be used: {plugin.problem}."
            for plugin in self.plugins
            if plugin.problem and any(f"{target}-".startswith(f"{plugin.name}-") for target in targets)
        )

    def unavailable(self, route: Route) -> str:
        """The reason why the route cannot be used on this machine, or ``""``."""
        if route.available is None:
            return ""
        try:
            with contextlib.redirect_stdout(sys.stderr):
                reason: object = route.available()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a probe is foreign code: whatever it raises is its answer
            return f"the probe of {route.who} failed: {type(error).__name__}: {first_line(error)}"
        if not isinstance(reason, str | None):
            return f"the probe of {route.who} answered {reason!r} in place of None or a reason"
        return reason or ""


def _merged(known: Format | None, other: Format) -> Format:
    """The same format as two plugins see it: whichever of them can load it or has it live completes the other."""
    if known is None:
        return other
    return attrs.evolve(
        known,
        live=known.live or other.live,
        load=known.load or other.load,
        recognises=known.recognises or other.recognises,
        files=known.files or other.files,
        copy=known.copy or other.copy,
        summary=known.summary or other.summary,
    )


def load_registry(announced: Iterable[Candidate] | None = None) -> Registry:
    """Import every installed plugin and register its hooks.

    Nothing here raises: a plugin that cannot be used becomes a :class:`Plugin` with a ``problem``. The environment
    variable ``NAVCORE_DISABLE_PLUGINS`` names plugins or distributions to leave out (comma-separated),
    ``NAVCORE_EXTRA_PLUGINS`` adds modules without packaging (``name=module``, comma-separated).

    ``announced`` is what another process of this environment found announced: nobody has to look again.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    found = candidates() if announced is None else announced
    plugins = [_register(plugin, manager) for plugin in _refuse_conflicts(_load(one) for one in found)]
    return Registry(tuple(plugins), manager.hook)


def _load(candidate: Candidate) -> Plugin:
    found = Plugin(candidate.name, candidate.distribution, candidate.version, candidate.target)
    if candidate.problem:
        return attrs.evolve(found, problem=candidate.problem)
    if candidate.target != CORE_TARGET and (reason := _why_no_name(candidate.name)):
        return attrs.evolve(found, problem=f"{candidate.name!r} cannot name a plugin: {reason}")
    try:
        with contextlib.redirect_stdout(sys.stderr):  # a banner must not end up in JSON that somebody reads
            module = importlib.import_module(candidate.target.partition(":")[0].strip())
        if getattr(module, "__file__", None) is None and (folders := list(getattr(module, "__path__", ()))):
            told = f"the folder {folders[0]} has its module's name and comes first: start Python elsewhere, or with -P"
            return attrs.evolve(found, problem=told)
        routes = tuple(_routes_of(module, candidate))
    except KeyboardInterrupt:
        raise
    except NavcoreError as error:
        return attrs.evolve(found, problem=str(error))
    except BaseException as error:  # an import runs foreign code; even SystemExit must not end the caller
        return attrs.evolve(found, problem=f"{type(error).__name__}: {first_line(error)}")
    return attrs.evolve(found, module=module, routes=routes)


def _why_no_name(name: str) -> str:
    """Why ``navcore.<name>`` cannot be written, or what it means already; ``""`` for a name that can be a plugin's."""
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        return "users write navcore.NAME, so its entry point needs letters, digits and inner underscores: my_format"
    import navcore

    if name in navcore.__all__ or name in vars(navcore) or importlib.util.find_spec(f"navcore.{name}"):
        return f"navcore.{name} is part of navcore itself, so its entry point needs another name"
    return ""


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
            # The function as the module shows it: it may have been decorated again after it was declared.
            route = attrs.evolve(
                declared,
                function=function,
                owner=candidate.name,
                distribution=candidate.distribution,
                version=candidate.version,
            )
            if route.id in names:
                raise PluginError(
                    f"Two routes of {candidate.name} are called {route.id!r}.",
                    hint="Give each a function with a name of its own.",
                )
            names.add(route.id)
            yield route


def _refuse_conflicts(plugins: Iterable[Plugin]) -> list[Plugin]:
    """Two plugins of one name, or two meanings of one format name."""
    kept: list[Plugin] = []
    meanings: dict[str, tuple[Plugin, Format]] = {}
    for plugin in plugins:
        problem = "" if plugin.loaded else plugin.problem
        if plugin.loaded:
            first = next((other for other in kept if other.name == plugin.name and other.loaded), None)
            if first is not None:
                problem = f"{first.distribution} {first.version} already brings a plugin named {plugin.name!r}"
            else:
                problem = _other_meaning(plugin, meanings)
        if plugin.loaded and not problem:
            for format in (format for route in plugin.routes for format in route.formats):
                meanings.setdefault(format.name, (plugin, format))
        kept.append(attrs.evolve(plugin, problem=problem))
    return kept


def _other_meaning(plugin: Plugin, meanings: dict[str, tuple[Plugin, Format]]) -> str:
    known = dict(meanings)
    for format in (format for route in plugin.routes for format in route.formats):
        owner, first = known.setdefault(format.name, (plugin, format))
        if first.description() != format.description():
            if owner is plugin:
                return f"it declares the format {format.name!r} twice, and differently: use one value for both"
            return (
                f"it declares the format {format.name!r} differently from {owner.distribution} {owner.version}; "
                f"import that plugin's format, or choose another name"
            )
    return ""


def _register(plugin: Plugin, manager: pluggy.PluginManager) -> Plugin:
    """Make the plugin's hooks known, or find out why they cannot be."""
    if not plugin.loaded:
        return plugin
    try:
        manager.register(_hook_namespace(plugin), name=plugin.name)
    except NavcoreError as error:
        return attrs.evolve(plugin, problem=str(error))
    except Exception as error:
        return attrs.evolve(plugin, problem=f"{type(error).__name__}: {first_line(error)}")
    return plugin


def _hook_namespace(plugin: Plugin) -> SimpleNamespace:
    """What pluggy sees of a plugin: a guarded implementation per route, and its guarded wrappers."""
    assert plugin.module is not None
    space = SimpleNamespace(__name__=plugin.name)
    for index, route in enumerate(plugin.routes):
        implementation = guarded(route)
        mark = hookspecs.hookimpl(specname=route.hook, trylast=plugin.name == CORE)
        setattr(space, f"route_{index}", mark(implementation))
    for index, function in enumerate(_own_functions(plugin.module, _MARK)):
        asked = getattr(function, _MARK)
        hook = asked["specname"] or function.__name__
        if hook not in get_args(Hook):
            raise PluginError(f"There is no hook {hook!r} to wrap.", hint=f"Hooks: {', '.join(get_args(Hook))}.")
        if not asked["wrapper"]:
            raise PluginError(
                f"The function {function.__name__} implements the hook {hook} for every route.",
                hint="Declare a route with a decorator of navcore, or wrap the hook with hookimpl(wrapper=True).",
            )
        wrapper = guarded_wrapper(function, f"{plugin.distribution} {plugin.version} ({function.__name__})")
        mark = hookspecs.hookimpl(wrapper=True, specname=hook, tryfirst=asked["tryfirst"], trylast=asked["trylast"])
        setattr(space, f"wrapper_{index}", mark(wrapper))
    return space
