"""Users' options → one options value per route, refused before any work when a name is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from navcore.errors import OptionError
from navcore.formats import Format
from navcore.routes import Route


def settle_options(
    given: Mapping[str, Mapping[str, Any]], routes: Sequence[Route], formats: Sequence[Format]
) -> dict[str, Any]:
    """The options value of every route, by route id; ``None`` for a route that takes none.

    A key is a format (or family) for the routes that make it, or ``format/runtime`` for the routes that run it. Every
    name has to be an option of at least one of them. Raises :class:`OptionError`.
    """
    chosen: dict[str, dict[str, Any]] = {}
    for key, values in given.items():
        concerned = _concerned(key, routes, formats)
        known = sorted({name for route in concerned for name in option_names(route)})
        for name in values:
            if name not in known:
                raise _unknown(key, name, known)
        for route in concerned:
            fitting = {name: value for name, value in values.items() if name in option_names(route)}
            chosen.setdefault(route.id, {}).update(fitting)
    return {route.id: _build(route, chosen.get(route.id, {})) for route in routes}


def option_names(route: Route) -> tuple[str, ...]:
    """The options that the route takes."""
    return () if route.options is None else tuple(field.name for field in attrs.fields(route.options))


def _concerned(key: str, routes: Sequence[Route], formats: Sequence[Format]) -> list[Route]:
    target, _, runtime = key.partition("/")
    families = {format.name: format.family for format in formats}
    if runtime:
        found = [
            route
            for route in routes
            if route.hook == "make_runner"
            and route.runtime == runtime
            and target in (route.source, families.get(route.source))
        ]
    else:
        found = [
            route for route in routes if route.target is not None and target in (route.goal.name, route.goal.family)
        ]
    if found:
        return found
    keys = {name for route in routes if route.target is not None for name in (route.goal.name, route.goal.family)}
    keys |= {f"{route.source}/{route.runtime}" for route in routes if route.hook == "make_runner"}
    near = difflib.get_close_matches(key, sorted(keys), n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(keys))}."
    raise OptionError(f"options[{key!r}]: no installed plugin makes or runs that.", hint=hint)


def _unknown(key: str, name: str, known: Sequence[str]) -> OptionError:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known options: {', '.join(known) or 'none'}."
    return OptionError(f"options[{key!r}] has no option {name!r}.", hint=hint)


def _build(route: Route, values: Mapping[str, Any]) -> Any:
    if route.options is None:
        return None
    try:
        return route.options(**values)
    except OptionError:
        raise
    except Exception as error:
        told = ", ".join(f"{name}={value!r}" for name, value in values.items())
        raise OptionError(f"{route.who} refuses the options {told}: {error}") from error
