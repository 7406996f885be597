"""Announced plugins → modules, routes, formats and hooks; the only room that knows pluggy."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import attrs
import pluggy

from navcore.contract import Format, Hook, Route
from navcore.errors import PluginError, UnknownFormat, first_line
from navcore.registry.discovery import (
    DISABLE as DISABLE,
    EXTRA as EXTRA,
    GROUP as GROUP,
)

OFFER = "conformance_model"
"""The function by which a plugin's module offers a small model."""


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
    def offer(self) -> Callable[[], tuple[Any, Any]] | None:
        """The function by which the module offers a small model, if it has one: it returns ``(model, dataloader)``."""
        function = getattr(self.module, OFFER, None) if self.loaded else None
        return function if callable(function) else None

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
