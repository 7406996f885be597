"""The functions of a plugin that ``@navcore.hookimpl`` marks: plain implementations of a hook, and wrappers."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_args

import attrs

from navcore.contract import Hook, Route, hookspecs
from navcore.errors import PluginError
from navcore.registry.entry_objects import own_functions

_MARK = f"{hookspecs.PROJECT}_impl"
_DECORATORS: Mapping[Hook, str] = {
    "export_model": "exporter", "convert": "converter", "make_runner": "runner", "profile": "profiler",
}  # fmt: skip


@attrs.frozen
class HookFunction:
    """One marked function. ``asked`` is what its ``hookimpl`` was given: ``wrapper``, ``tryfirst`` and so on."""

    hook: Hook
    function: Callable[..., Any]
    asked: Mapping[str, Any] = attrs.field(repr=False)

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", repr(self.function))

    @property
    def is_wrapper(self) -> bool:
        return bool(self.asked["wrapper"])


def hook_functions(plugin: Any) -> tuple[HookFunction, ...]:
    """Every marked function of the plugin. Raises :class:`PluginError` for one that navcore could not call."""
    return tuple(_marked(function) for function in own_functions(plugin, _MARK))


def implementations(functions: tuple[HookFunction, ...]) -> dict[Hook, HookFunction]:
    """The plain implementation of each hook. Raises :class:`PluginError` when two functions implement one hook."""
    found: dict[Hook, HookFunction] = {}
    for one in functions:
        if one.is_wrapper:
            continue
        if one.hook in found:
            raise PluginError(
                f"The functions {found[one.hook].name} and {one.name} both implement the hook {one.hook}.",
                hint="Keep one, and let it look at route.name.",
            )
        found[one.hook] = one
    return found


def refuse_unplanned(implementation: HookFunction, who: str) -> None:
    """Raise :class:`PluginError` for a plain implementation of a hook for which its plugin declares no route."""
    fields = "runtime=…" if implementation.hook == "make_runner" else "target=…"
    shown = "" if implementation.hook == "profile" else f", source=…, {fields}"
    raise PluginError(
        f"It implements the hook {implementation.hook} and no route is declared for it, so no plan could choose it: "
        f"write routes = (navcore.Route(hook={implementation.hook!r}{shown}),) beside it, "
        f"or @navcore.{_DECORATORS[implementation.hook]}(…) in place of @navcore.hookimpl.",
        who=who,
    )


def called_for(implementation: HookFunction, route: Route) -> Route:
    """The route with a function of the job alone: the plain implementation, which is told the route."""
    function = implementation.function
    taken = tuple(inspect.signature(function).parameters)

    @functools.wraps(function)
    def call(job: Any) -> Any:
        given = {"job": job, "route": answered}
        return function(**{name: given[name] for name in taken})

    answered = attrs.evolve(route, function=call)
    return answered


def _marked(function: Callable[..., Any]) -> HookFunction:
    asked = getattr(function, _MARK)
    name = getattr(function, "__name__", repr(function))
    hook: Any = asked["specname"] or name
    if hook not in get_args(Hook):
        verb = "wrap" if asked["wrapper"] else "implement"
        raise PluginError(f"There is no hook {hook!r} to {verb}.", hint=f"Hooks: {', '.join(get_args(Hook))}.")
    if not asked["wrapper"]:
        if asked["hookwrapper"] or inspect.isgeneratorfunction(function):
            raise PluginError(
                f"The function {name} yields, and does not say that it wraps the hook {hook}.",
                hint="Write @navcore.hookimpl(wrapper=True) above it.",
            )
        if not {"job", "route"}.issuperset(inspect.signature(function).parameters):
            raise PluginError(
                f"The implementation {name} of the hook {hook} takes something else than 'job' and 'route'.",
                hint=f"Write 'def {name}(job, route):'.",
            )
    return HookFunction(hook, function, asked)
