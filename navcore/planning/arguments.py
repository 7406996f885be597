"""What the caller of a verb hands in: refused in one sentence where it cannot be meant, else settled as values."""

from __future__ import annotations

import contextlib
import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from navcore.errors import OptionError, PackageError, UnknownArgument
from navcore.planning.docstrings import explained
from navcore.registry import Registry, resolve_options
from navcore.workspace import RunArguments, Settings, Surroundings, refuse_unrecordable, run_arguments, shown

Verb = TypeVar("Verb", bound=Callable[..., Any])


_OF_LOAD_ALONE = ("retest_conversions", "trust")


def settled(verb: str, given: Mapping[str, Any]) -> tuple[Settings, Surroundings]:
    """The arguments of a run in their settled form; what is not given has its default.

    Raises :class:`UnknownArgument` for a name that ``verb`` does not take, and :class:`OptionError` for a value that
    its argument cannot be.
    """
    known = run_arguments()
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It takes {', '.join(known)}."
            if name in _OF_LOAD_ALONE:
                hint = f"It is for packages: navcore.load(path, {name}=…)."
            raise UnknownArgument(f"{verb}() has no argument {name!r}.", hint=hint)
    values = {name: known[name].settle(name, value) for name, value in given.items()}
    own = {field.name for field in attrs.fields(Settings)}
    refuse_unwritable({name: value for name, value in values.items() if name in own})
    return (
        Settings(**{name: value for name, value in values.items() if name in own}),
        Surroundings(**{name: value for name, value in values.items() if name not in own}),
    )


_CHOSEN = ("targets", "runtimes", "prefer", "profiler")
"""Arguments whose names have to be installed ones, which is said better where the registry is known."""


def refuse_unwritable(values: Mapping[str, Any]) -> None:
    """Raise :class:`OptionError` for a settled argument that ``status.yaml`` could not hold, such as a path as device.

    ``values`` are fields of :class:`Settings`.
    """
    for name, value in values.items():
        if name in _CHOSEN:
            continue
        try:
            refuse_unrecordable(Settings(**{name: value}))
        except PackageError as error:
            why = error.what.removeprefix("The file does not fit its format: ").rstrip(".")
            raise OptionError(
                f"{name}={shown(value)} cannot be written into status.yaml: {why}.",
                hint="Names have no '/' or '\\' in them and at most 128 bytes; values of options are plain data.",
            ) from error


def takes_run_arguments(function: Verb) -> Verb:
    """Decorate a verb whose last parameter is ``**arguments`` of a run: signature and docstring then show them all."""
    signature = inspect.signature(function)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    shown = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=_written_type(name))
        for name, one in run_arguments().items()
    ]
    function.__signature__ = signature.replace(parameters=[*own, *shown])  # type: ignore[attr-defined]
    meanings = {name: one.meaning for name, one in run_arguments().items()}
    function.__doc__ = explained(function.__doc__, meanings)
    return function


def _written_type(name: str) -> str:
    """What a caller may write for the argument, as it stands in the definition."""
    annotation = RunArguments.__annotations__[name]
    return str(getattr(annotation, "__forward_arg__", annotation))


def settings_here(settings: Settings, registry: Registry) -> Settings:
    """Recorded settings, less what names a plugin, an option or a runtime that is not installed here."""
    owners = {route.owner for route in registry.routes} | {route.distribution for route in registry.routes}
    runtimes = {route.runtime for route in registry.routes if route.hook == "make_runner"}
    limited = {name: tuple(one for one in wanted if one in runtimes) for name, wanted in settings.runtimes.items()}
    options = {}
    for key, values in settings.options.items():
        with contextlib.suppress(OptionError):
            resolve_options({key: values}, registry.routes, registry.formats)
            options[key] = values
    profilers = {route.owner for route in registry.routes if route.hook == "profile"}
    return attrs.evolve(
        settings,
        prefer={target: owner for target, owner in settings.prefer.items() if owner in owners},
        runtimes={name: wanted for name, wanted in limited.items() if wanted},
        options=options,
        profiler=settings.profiler if settings.profiler in profilers else Settings().profiler,
    )
