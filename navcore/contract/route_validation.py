"""What a declared route must be; decorated functions and routes declared as data are validated alike."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

import attrs

from navcore.contract.assets import ASSETS
from navcore.contract.effort import Effort
from navcore.contract.formats import Format
from navcore.contract.precision import BOUNDS, Precision, known_precision
from navcore.contract.routes import Hook, Isolation, Route, SpotCheck
from navcore.errors import PluginError, first_line

_USUAL = ("options", "cost", "default", "effort", "seconds", "available")
FIELDS_OF_HOOK: Mapping[Hook, tuple[str, ...]] = MappingProxyType(
    {
        "export_model": ("source", "target", *_USUAL, "isolation", "imports"),
        "convert": ("source", "target", *_USUAL, "imports"),
        "make_runner": ("source", "runtime", *_USUAL, "spot_check", "threads_per_process", "imports"),
        "profile": ("available", "measures"),
    }
)
"""The fields that a route of each hook is declared with, beside its name."""

_KEPT = (ASSETS, "measurements", "config.yaml")
_NEEDED = ("source", "target", "runtime")
_NAME = re.compile(r"[^\s:/\[\]]+")


def validate_route(route: Route) -> None:
    """Refuse a declaration that cannot work, before anything is planned with it.

    Raises :class:`PluginError`, under the plugin's name where the route has it already.
    """
    try:
        _validate_hook(route)
        _validate_name(route)
        _validate_formats(route)
        _validate_filenames(route)
        _validate_precisions(route)
        _validate_fields(route)
        _validate_cost(route)
        _validate_effort(route)
        _validate_words(route)
        _validate_options(route.options, route.name)
    except PluginError as error:
        if route.owner:
            error.who = error.who or route.who
        raise


def _validate_hook(route: Route) -> None:
    if route.hook not in FIELDS_OF_HOOK:
        raise PluginError(
            f"The route {route.name} is declared for the hook {route.hook!r}, which there is not.",
            hint=f"Hooks: {', '.join(FIELDS_OF_HOOK)}.",
        )


def _validate_name(route: Route) -> None:
    name: object = route.name
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PluginError(
            f"A route is called {name!r}, which names no route.", hint="Give a name without ':', '/', '[' and spaces."
        )


def _validate_formats(route: Route) -> None:
    source: object = route._source
    target: object = route.target
    if target is not None and not isinstance(target, Format):
        raise PluginError(
            f"The target of {route.name} is {target!r}, which is not a Format.",
            hint="Only what a route starts from, or runs, may be a plain name.",
        )
    if not isinstance(source, Format | str):
        raise PluginError(
            f"The source of {route.name} is {source!r}, which is neither a Format nor the name of one.",
            hint="A route of several formats is one Route for each.",
        )


def _validate_filenames(route: Route) -> None:
    """A model does not lie where its own folder keeps something else."""
    for format in route.formats:
        if format.filename in _KEPT or format.filename.endswith(".log"):
            raise PluginError(
                f"The format {format.name!r} of {route.name} has the file name {str(format.filename)!r}, "
                f"under which navcore keeps something else beside the model.",
                hint="Give another filename=, such as 'model.bin'.",
            )


def _validate_precisions(route: Route) -> None:
    """A format's precision has bounds: those of navcore's table, or its own, which give no other meaning to a name."""
    for format in route.formats:
        precision, told = format.precision, f"The format {format.name!r} of {route.name}"
        if isinstance(precision, Precision):
            if known_precision(str(precision)) is not None:
                raise PluginError(
                    f"{told} brings bounds of its own for the precision {str(precision)!r}, which navcore has already.",
                    hint=f"Give precision={known_precision(str(precision))!r}, or call yours by another name.",
                )
        elif precision is not None and precision not in BOUNDS:
            raise PluginError(
                f"{told} has the precision {str(precision)!r}, which is none of navcore's own: {', '.join(BOUNDS)}.",
                hint=f"Give one of these, or bring yours with its bounds: "
                f"precision=navcore.Precision({str(precision)!r}, relative_l2=…, differing=…).",
            )


def _validate_fields(route: Route) -> None:
    """What the hook needs is there, and what it has no use for is not."""
    taken = FIELDS_OF_HOOK[route.hook]
    for field in _NEEDED:
        if field in taken and not getattr(route, field):
            raise PluginError(
                f"The route {route.name} of the hook {route.hook} has no {field}.", hint=f"Give {field}=."
            )
    fields = {field.alias: field for field in attrs.fields(Route)}
    for name in dict.fromkeys(name for names in FIELDS_OF_HOOK.values() for name in names if name not in taken):
        if getattr(route, name) != fields[name].default:
            raise PluginError(
                f"The route {route.name} declares {name}, which the hook {route.hook} has no use for.",
                hint=f"Leave out {name}=.",
            )


def _validate_cost(route: Route) -> None:
    cost: object = route.cost
    if not (isinstance(cost, int | float) and math.isfinite(cost) and cost >= 0):
        raise PluginError(f"The cost of {route.name} is {cost}.", hint="Give a finite number, 0 or more.")


def _validate_effort(route: Route) -> None:
    """From which effort on, and how long it takes."""
    effort: object = route.effort
    if effort not in list(Effort):
        words = " or ".join(repr(str(word)) for word in Effort)
        raise PluginError(f"The route {route.name} has effort={effort!r}.", hint=f"Give {words}.")
    if not route.default and route.effort != Effort.QUICK:
        raise PluginError(
            f"The route {route.name} has effort={str(route.effort)!r} and default=False, which keeps it out of "
            f"every run that does not ask for it.",
            hint="Leave out one of them.",
        )
    seconds: object = route.seconds
    if seconds is not None and not (isinstance(seconds, int | float) and math.isfinite(seconds) and seconds >= 0):
        raise PluginError(f"The route {route.name} has seconds={seconds!r}.", hint="Give a finite number, 0 or more.")


def _validate_words(route: Route) -> None:
    """The fields that have only a few meanings."""
    expected = {
        "default": (isinstance(route.default, bool), "True or False"),
        "available": (route.available is None or callable(route.available), "a function without arguments"),
        "isolation": (route.isolation in get_args(Isolation), " or ".join(map(repr, get_args(Isolation)))),
        "measures": (isinstance(route.measures, str) and len(route.measures) <= 40, "a word or two: 'CPU time'"),
        "spot_check": (route.spot_check is None or isinstance(route.spot_check, SpotCheck), "a navcore.SpotCheck"),
        "threads_per_process": (isinstance(route.threads_per_process, bool), "True or False"),
        "imports": (_are_modules(route.imports), "a tuple of modules: ('torch.export',)"),
    }
    for name, (fits, hint) in expected.items():
        if not fits:
            raise PluginError(f"The route {route.name} has {name}={getattr(route, name)!r}.", hint=f"Give {hint}.")


def _are_modules(names: object) -> bool:
    return isinstance(names, tuple) and all(
        isinstance(name, str) and all(part.isidentifier() for part in name.split(".")) for name in names
    )


def _validate_options(options: type | None, name: str) -> None:
    if options is None:
        return
    if not (isinstance(options, type) and attrs.has(options)):
        raise PluginError(
            f"The options of {name} are {options!r}, which is not an attrs class.",
            hint="Decorate it with @attrs.frozen.",
        )
    bare = [field.name for field in attrs.fields(options) if field.init and field.default is attrs.NOTHING]
    if bare:
        raise PluginError(
            f"The options of {name} have no default for: {', '.join(bare)}.", hint="Give every option a default."
        )
    try:
        options()
    except Exception as error:
        raise PluginError(
            f"The options of {name} refuse their own defaults: {type(error).__name__}: {first_line(error)}.",
            hint="Choose defaults that its validators accept.",
        ) from error
