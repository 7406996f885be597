"""The routes of a plugin: those of its decorated functions, and those that it declares as data beside its hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import attrs

from navcore.contract import ROUTES_ATTRIBUTE, Route, blame_line, validate_route
from navcore.errors import PluginError
from navcore.registry.discovery import Candidate
from navcore.registry.entry_objects import own_functions
from navcore.registry.hook_functions import called_for, hook_functions, implementations, refuse_unplanned

ROUTES = "routes"
"""The attribute in which a plugin declares routes as data."""


def routes_of(plugin: Any, candidate: Candidate) -> tuple[Route, ...]:
    """Every route of the plugin, under its name, with the function that answers for it.

    Raises :class:`PluginError` for a declaration that cannot work, for a route declared as data that no function
    answers, and for a plain hook implementation that no route calls.
    """

    def owned(route: Route) -> Route:
        return attrs.evolve(route, owner=candidate.name, distribution=candidate.distribution, version=candidate.version)

    routes = (*_decorated(plugin, owned), *_as_data(plugin, candidate, owned))
    names: set[str] = set()
    for route in routes:
        if route.id in names:
            raise PluginError(
                f"Two routes of {candidate.name} are called {route.id!r}.",
                hint="Give each a name of its own: that of its function, or name= where it is declared as data.",
            )
        names.add(route.id)
    return routes


def _decorated(plugin: Any, owned: Callable[[Route], Route]) -> Iterator[Route]:
    for function in own_functions(plugin, ROUTES_ATTRIBUTE):
        for route in getattr(function, ROUTES_ATTRIBUTE):
            # The function as the plugin shows it: it may have been decorated again after it was declared.
            yield attrs.evolve(owned(route), function=function)


def _as_data(plugin: Any, candidate: Candidate, owned: Callable[[Route], Route]) -> Iterator[Route]:
    functions = implementations(hook_functions(plugin))
    routes = [owned(route) for route in _declared(plugin)]
    for route in routes:
        validate_route(route)
        if route.is_answered:
            raise PluginError(
                "It is declared as data and with a function.",
                who=route.who,
                hint=f"Leave out function=: the hook's implementation, 'def {route.hook}(job, route)', answers it.",
            )
        if route.hook not in functions:
            raise PluginError(
                f"It is declared as data and no function answers it: write '@navcore.hookimpl' above "
                f"'def {route.hook}(job, route):' in the plugin.",
                who=route.who,
            )
        yield called_for(functions[route.hook], route)
    planned = {route.hook for route in routes}
    for hook, function in functions.items():
        if hook not in planned:
            refuse_unplanned(function, blame_line(candidate.distribution, candidate.version, function.name))


def _declared(plugin: Any) -> tuple[Route, ...]:
    """What stands in ``routes``; a module of that name below the plugin's own declares nothing."""
    shown = vars(plugin).get(ROUTES) if isinstance(plugin, ModuleType) else getattr(plugin, ROUTES, None)
    if shown is None or isinstance(shown, ModuleType):
        return ()
    if not isinstance(shown, tuple | list):
        raise PluginError(
            f"'routes' is a {type(shown).__name__}, and is where a plugin declares its routes as data.",
            hint="Write routes = (navcore.Route(…), …), or choose another name for it.",
        )
    for entry in shown:
        if not isinstance(entry, Route):
            raise PluginError(
                f"'routes' holds {entry!r}, which is not a Route.", hint="Write routes = (navcore.Route(…), …)."
            )
    return tuple(shown)
