"""What the faces of plugins share: the reference API's words for formats and engines, in those of ``navcore.run``."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from navcore.formats import Format, JitType, matching
from navcore.planning import usual_variants
from navcore.routes import Route

if TYPE_CHECKING:
    from navcore.registry import Registry

_MARK = "max_workspace_size"
"""The option by which a route that builds TensorRT engines is known, whichever plugin brings it."""


def texts(given: str | Format | Iterable[str | Format] | None) -> tuple[str, ...] | None:
    """One name or several, as a tuple of text; ``None`` stays."""
    if given is None:
        return None
    return (str(given),) if isinstance(given, str | Format) else tuple(str(one) for one in given)


def chosen_targets(
    wanted: Sequence[str],
    registry: Registry,
    *,
    jit_types: Sequence[str] | None = None,
    precisions: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """``wanted`` with families limited to the variants of these jit types, and of these precisions for engines.

    A family that neither concerns stays as it is, and so does a name that no plugin knows, for ``run`` to refuse.
    Without ``precisions`` a family means the variants that are made by default. Raises :class:`ValueError` for a jit
    type that does not exist.
    """
    kinds = None if jit_types is None else {JitType(name) for name in jit_types}
    engines = {route.goal.name for route in _engine_routes(registry)}

    def concerned(candidate: Format) -> bool:
        by_jit = kinds is not None and candidate.jit_type is not None
        return by_jit or (precisions is not None and candidate.name in engines)

    def fits(candidate: Format) -> bool:
        jit = kinds is None or candidate.jit_type is None or candidate.jit_type in kinds
        free = precisions is None or candidate.name not in engines or candidate.precision is None
        return jit and (free or candidate.precision in (precisions or ()))

    chosen: list[str] = []
    for name in wanted:
        found = matching(name, registry.formats)
        if not any(map(concerned, found)):
            chosen.append(name)
            continue
        if precisions is None and all(candidate.name != name for candidate in found):
            found = usual_variants(found, registry.routes)
        chosen += [candidate.name for candidate in found if fits(candidate)]
    return tuple(dict.fromkeys(chosen))


def engine_options(registry: Registry, given: Mapping[str, Any], *, plugin: str) -> dict[str, dict[str, Any]]:
    """The options ``given`` for TensorRT (those that are not ``None``), for every installed route that takes them.

    ``plugin`` names the logger that says which of them have no effect, because no installed plugin takes them.
    """
    given = {name: value for name, value in given.items() if value is not None}
    options: dict[str, dict[str, Any]] = {}
    for route in _engine_routes(registry):
        taken = set(_option_names(route)) & set(given)
        if taken:
            options.setdefault(route.goal.name, {}).update({name: given[name] for name in sorted(taken)})
    unused = set(given) - {name for values in options.values() for name in values}
    if unused:
        logging.getLogger(plugin).warning(
            "%s concerns TensorRT, and no installed plugin takes it: it has no effect.", " and ".join(sorted(unused))
        )
    return options


def _engine_routes(registry: Registry) -> list[Route]:
    return [route for route in registry.routes if route.target is not None and _MARK in _option_names(route)]


def _option_names(route: Route) -> tuple[str, ...]:
    return () if route.options is None else tuple(field.name for field in attrs.fields(route.options))
