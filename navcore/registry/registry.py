"""The plugins of this process, with their routes, formats and hooks, and how they are asked."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pluggy

from navcore.contract import Format, Hook, Precision, Route, known_precision
from navcore.errors import PluginError, UnknownFormat, first_line
from navcore.registry.entry_objects import docstring_of
from navcore.registry.standard_streams import foreign_code

OFFER = "conformance_model"
"""The function by which a plugin offers a small model."""
OFFERS = "conformance_models"
"""The function by which it offers more of them, by name."""


@attrs.frozen
class Plugin:
    """One installed plugin: ``module`` when it loaded, else ``problem`` with the reason why not.

    ``namespace`` is the plugin itself, what ``navcore.<name>`` means: the object in the module that its entry point
    names, or the module.
    """

    name: str
    distribution: str
    version: str
    target: str
    module: ModuleType | None = attrs.field(default=None, eq=False, repr=False)
    problem: str = ""
    routes: tuple[Route, ...] = ()
    namespace: Any = attrs.field(default=attrs.Factory(lambda self: self.module, takes_self=True), eq=False, repr=False)

    @property
    def loaded(self) -> bool:
        return self.module is not None and not self.problem

    @property
    def offer(self) -> Callable[[], tuple[Any, Any]] | None:
        """The function by which the plugin offers a small model, if it has one: it returns ``(model, dataloader)``."""
        function = getattr(self.namespace, OFFER, None) if self.loaded else None
        return function if callable(function) else None

    @property
    def summary(self) -> str:
        """The first line of the plugin's docstring."""
        return docstring_of(self.namespace, self.module).strip().partition("\n")[0] if self.module else ""

    @property
    def places(self) -> tuple[Path, ...]:
        """Where its code lives: folders of packages, and files of single modules, that bring a part of it."""
        parts = [self.namespace, *(route.function for route in self.routes)]
        homes = [getattr(part, "__module__", None) for part in parts]
        modules = [self.module, *(sys.modules.get(home) for home in homes if isinstance(home, str))]
        files = [
            Path(file).parent if hasattr(module, "__path__") else Path(file)
            for module in modules
            if (file := getattr(module, "__file__", None))
        ]
        return tuple(dict.fromkeys(files))


@attrs.frozen(eq=False)
class Registry:
    """The plugins of this process, and the hooks through which they are asked."""

    plugins: tuple[Plugin, ...]
    hooks: pluggy.HookRelay = attrs.field(repr=False)

    @functools.cached_property
    def routes(self) -> tuple[Route, ...]:
        """Every route of every loaded plugin, in the order of their names."""
        found = [route for plugin in self.plugins if plugin.loaded for route in plugin.routes]
        return tuple(sorted(found, key=lambda route: route.id))

    @functools.cached_property
    def formats(self) -> tuple[Format, ...]:
        """Every format that some route names, once each, in the order of their names."""
        merged: dict[str, Format] = {}
        for route in self.routes:
            for format in route.formats:
                merged[format.name] = _merged(merged.get(format.name), format)
        return tuple(merged[name] for name in sorted(merged))

    @functools.cached_property
    def _routes_by_id(self) -> Mapping[str, Route]:
        return {route.id: route for route in self.routes}

    @functools.cached_property
    def _formats_by_name(self) -> Mapping[str, Format]:
        return {format.name: format for format in self.formats}

    @functools.cached_property
    def _plugins_by_name(self) -> Mapping[str, Plugin]:
        """Of several of one name the first, which is the one that may have loaded."""
        return {plugin.name: plugin for plugin in reversed(self.plugins)}

    def route(self, identity: str) -> Route:
        """The route of that id. Raises :class:`PluginError` when it is not installed (any more)."""
        if identity not in self._routes_by_id:
            raise PluginError(
                f"The route {identity!r} is not installed here.", hint="Install the plugin that brings it."
            )
        return self._routes_by_id[identity]

    def format(self, name: str) -> Format:
        """The format of exactly that name. Raises :class:`UnknownFormat`."""
        if name not in self._formats_by_name:
            raise UnknownFormat(f"No installed plugin knows the format {name!r}.")
        return self._formats_by_name[name]

    @functools.cached_property
    def _precisions_by_name(self) -> Mapping[str, Precision]:
        declared = [format.precision for format in self.formats]
        return {str(precision): precision for precision in declared if isinstance(precision, Precision)}

    def precision(self, name: str | None) -> str | None:
        """The precision of that name as navcore's table has it, else as a plugin declared it, else ``name`` itself.

        So a runner cannot give itself wider bounds by reporting a known name with others.
        """
        if name is None or known_precision(str(name)) is not None:
            return None if name is None else str(name)
        return self._precisions_by_name.get(str(name), name)

    def is_data(self, format: Format) -> bool:
        """Whether an installed plugin promises that loading the format cannot execute code.

        What a package says of its own formats is a stranger's word and does not count.
        """
        known = self._formats_by_name.get(format.name)
        return known is not None and known.data_only

    def plugin(self, name: str) -> Plugin | None:
        """The plugin of that name, loaded or not; ``None`` when none is installed."""
        return self._plugins_by_name.get(name)

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
            with foreign_code():
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
        regions=known.regions or other.regions,
        summary=known.summary or other.summary,
    )
