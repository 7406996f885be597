"""Users' options → one options value per route, refused before any work when a name is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from navcore.contract import Format, Route, matching
from navcore.errors import OptionError, first_line


def resolve_options(
    given: Mapping[str, Mapping[str, Any]], routes: Sequence[Route], formats: Sequence[Format]
) -> dict[str, Any]:
    """The options value of every route, by route id; ``None`` for a route that takes none.

    A key is a format (or family) for the routes that make it, or ``format/runtime`` for the routes that run it; what
    is said of a format comes before what is said of its family. Every name has to be an option of at least one route
    that the key concerns. Raises :class:`OptionError`.
    """
    chosen: dict[str, dict[str, Any]] = {}
    exact = {format.name for format in formats}
    for key, values in sorted(given.items(), key=lambda pair: str(pair[0]).partition("/")[0] in exact):
        key = str(key)
        if not isinstance(values, Mapping):
            raise OptionError(f"options[{key!r}] is {values!r}.", hint="Give a mapping, like {'opset': 17}.")
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
    return () if route.options is None else tuple(field.alias for field in attrs.fields(route.options) if field.init)


def _concerned(key: str, routes: Sequence[Route], formats: Sequence[Format]) -> list[Route]:
    target, _, runtime = key.partition("/")
    meant = {target, *(format.name for format in matching(target, formats))}
    if runtime:
        found = [
            route
            for route in routes
            if route.hook == "make_runner" and route.runtime == runtime and route.source in meant
        ]
    else:
        found = [route for route in routes if route.target is not None and route.goal.name in meant]
    if found:
        return found
    keys: set[str] = {
        name for route in routes if route.target is not None for name in (route.goal.name, route.goal.family)
    }
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
    except OptionError as error:
        error.who = error.who or route.who
        raise
    except Exception as error:
        told = ", ".join(f"{name}={value!r}" for name, value in values.items())
        # A validator of attrs puts its whole inventory behind the sentence.
        why = str(error.args[0]) if isinstance(error, TypeError) and error.args else first_line(error)
        raise OptionError(f"It refuses the options {told}: {why}", who=route.who) from error
