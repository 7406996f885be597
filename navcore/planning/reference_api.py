"""The reference API's words for formats, engines and precisions, in those of ``navcore.run``."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from navcore.contract import Format, JitType, Route, TensorRTPrecision, matching, usual_variants
from navcore.errors import OptionError

if TYPE_CHECKING:
    from navcore.planning.arguments import Names
    from navcore.registry import Registry

_MARK = "max_workspace_size"
"""The option by which a route that builds TensorRT engines is known, whichever plugin brings it."""


def reference_arguments(
    plugin: str,
    targets: Names,
    *,
    jit_types: Names = None,
    precisions: Names = None,
    runtimes: Names = None,
    opset: int | None = None,
    engines: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """The reference API's words for formats, ONNX and engines as arguments of :func:`navcore.run`.

    The result has ``targets`` and, only where there is something to say, ``options`` and ``runtimes``. ``targets`` are
    names, families or formats, one or several; ``None`` is left to ``run``. ``jit_types`` and ``precisions`` limit the
    families among them to those variants, ``runtimes`` limits the runtimes of ONNX, ``opset`` is the ONNX opset, and
    ``engines`` are options for TensorRT; those that are ``None`` were not given. ``plugin`` names the logger that warns
    of an option that no target takes.

    Raises :class:`OptionError` for a jit type or a precision that does not exist; all else is for ``run`` to refuse.
    """
    from navcore.registry import load_registry

    registry = load_registry()
    wanted = texts(targets)
    if wanted is not None:
        wanted = chosen_targets(wanted, registry, jit_types=texts(jit_types), precisions=texts(precisions))
    options = engine_options(registry, engines, wanted, plugin=plugin)
    if opset is not None:
        options["onnx"] = {"opset": opset}
    found: dict[str, Any] = {"targets": wanted}
    if options:
        found["options"] = options
    if runtimes is not None:
        found["runtimes"] = {"onnx": texts(runtimes)}
    return found


def texts(given: Names) -> tuple[str, ...] | None:
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
    Without ``precisions`` a family means the variants that are made by default. Raises :class:`OptionError` for a jit
    type or a precision that does not exist.
    """
    engines = {route.goal.name for route in _engine_routes(registry)}
    promised = {format.precision for format in registry.formats if format.name in engines and format.precision}
    _refuse_unknown("jit type", jit_types or (), set(JitType))
    _refuse_unknown("precision", precisions or (), promised.union(TensorRTPrecision))
    kinds = None if jit_types is None else set(jit_types)

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


def _refuse_unknown(what: str, given: Sequence[str], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise OptionError(f"{name!r} is not a {what}.", hint=f"Use one of {', '.join(sorted(known))}.")


def engine_options(
    registry: Registry, given: Mapping[str, Any], targets: Sequence[str] | None, *, plugin: str
) -> dict[str, dict[str, Any]]:
    """The options ``given`` for TensorRT (those that are not ``None``), for the routes to ``targets`` that take them.

    ``targets`` are names or families, ``None`` for all there are. ``plugin`` names the logger that says which options
    have no effect, because no route to a target takes them.
    """
    given = {name: value for name, value in given.items() if value is not None}
    options: dict[str, dict[str, Any]] = {}
    for route in _engine_routes(registry):
        if targets is not None and not {route.goal.name, route.goal.family} & set(targets):
            continue
        taken = set(_option_names(route)) & set(given)
        if taken:
            options.setdefault(route.goal.name, {}).update({name: given[name] for name in sorted(taken)})
    unused = set(given) - {name for values in options.values() for name in values}
    if unused:
        logging.getLogger(plugin).warning(
            "%s concerns TensorRT, and no target takes it: it has no effect.", " and ".join(sorted(unused))
        )
    return options


def _engine_routes(registry: Registry) -> list[Route]:
    return [route for route in registry.routes if route.target is not None and _MARK in _option_names(route)]


def _option_names(route: Route) -> tuple[str, ...]:
    return () if route.options is None else tuple(field.name for field in attrs.fields(route.options))
