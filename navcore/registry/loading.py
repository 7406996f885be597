"""From announced plugins to registered ones: imported with care, checked against each other, their hooks made known."""

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

from navcore.contract import ROUTES_ATTRIBUTE, Format, Hook, Route, hookspecs
from navcore.errors import NavcoreError, PluginError, first_line
from navcore.registry.discovery import CORE, CORE_TARGET, Candidate, candidates
from navcore.registry.guards import guarded, guarded_wrapper
from navcore.registry.registry import Plugin, Registry
from navcore.registry.reserved_names import is_reserved

_MARK = f"{hookspecs.PROJECT}_impl"


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
    if is_reserved(name):
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
