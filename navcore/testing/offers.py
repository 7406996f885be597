"""The models that plugins offer, each built when it is first wanted, and the way from one to a format."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import attrs

from navcore.contract import Format, Route
from navcore.errors import first_line
from navcore.planning import Source, cheapest_paths, identify
from navcore.registry import OFFER, OFFERS, Plugin, Registry
from navcore.testing.verdicts import NotHere, NotMet

Busy = Callable[..., AbstractContextManager[None]]
"""Announces foreign code that is about to be called: who, and what a failure would be about."""


@attrs.frozen(eq=False)
class Offer:
    """A small model with its data, as the plugin of that name offers it; ``name`` is "" for its usual one."""

    plugin: str
    source: Source
    data: Any
    name: str = ""

    @property
    def id(self) -> str:
        """``torch``, or ``torch-integers``: also the name of its workspace."""
        return f"{self.plugin}-{self.name}" if self.name else self.plugin


class Offers:
    """What plugins offer. Building a model imports its framework, so none is built that nothing leads from."""

    def __init__(self, plugin: str, registry: Registry, busy: Busy) -> None:
        self._plugin = plugin
        self._registry = registry
        self._busy = busy
        self._built: dict[tuple[str, str], Offer] = {}
        self._problems: dict[tuple[str, str], str] = {}

    def way_to(self, format: Format, without: Collection[str] = ()) -> tuple[Offer, tuple[Route, ...]]:
        """The plugin's own offer if it leads there, else the one from which the format is cheapest; and the way.

        ``without`` are ids of routes that are known to fail. Raises :class:`NotHere` where nothing leads there, and
        :class:`NotMet` where the plugin's own offer raises.
        """
        edges = [route for route in self._usable() if route.id not in without]
        for plugin in self._by_cost(format, edges):
            offer = self._offer(plugin, "", plugin.offer)
            if offer is None:
                continue
            name = offer.source.format.name
            way = () if name == format.name else cheapest_paths(edges, [name]).get(format.name)
            if way is not None:
                return offer, way
        told = f"no installed plugin makes {format.name} from a model that a plugin offers with {OFFER}()"
        raise NotHere("; ".join([told, *self._problems.values()]))

    def named(self, plugin: str, name: str) -> Offer:
        """The further model of that name. Raises :class:`NotMet` where its function raises."""
        found = self._registry.plugin(plugin)
        function = further_models(found).get(name) if found is not None else None
        assert found is not None, "it was listed a moment ago"
        offer = self._offer(found, name, function)
        if offer is None:
            raise NotMet(self._problems[plugin, name])
        return offer

    def _usable(self) -> list[Route]:
        return [route for route in self._registry.routes if route.target and not self._registry.unavailable(route)]

    def _by_cost(self, format: Format, edges: Sequence[Route]) -> list[Plugin]:
        """Plugins whose offer may lead there, the own one first, then the cheapest by the live formats that they bring.

        Of one that brings none nobody knows before what it offers; those come last.
        """
        ranked = []
        for plugin in self._registry.plugins:
            if plugin.offer is None:
                continue
            starts = live_formats(plugin)
            cost = _cost(format, edges, starts)
            if cost < math.inf or not starts or plugin.name == self._plugin:
                ranked.append((plugin.name != self._plugin, cost, plugin.name, plugin))
        return [plugin for *_, plugin in sorted(ranked, key=lambda one: one[:3])]

    def _offer(self, plugin: Plugin, name: str, function: Callable[[], tuple[Any, Any]] | None) -> Offer | None:
        key = (plugin.name, name)
        if key not in self._built and key not in self._problems:
            called = f"{OFFERS}()[{name!r}]" if name else f"{OFFER}()"
            try:
                assert function is not None, f"{called} is gone"
                with self._busy(f"{called} of {plugin.name}", about=(f"offered {plugin.name} {name}",)):
                    model, data = function()
                    self._built[key] = Offer(plugin.name, identify(model, self._registry), data, name)
            except (NotMet, NotHere):
                raise
            except Exception as error:
                problem = f"{called} of {plugin.name} failed: {type(error).__name__}: {first_line(error)}"
                self._problems[key] = problem
                if plugin.name == self._plugin:
                    raise NotMet(problem, about=(f"offered {plugin.name} {name}",)) from error
        return self._built.get(key)


def live_formats(plugin: Plugin) -> list[str]:
    """The names of the live formats that a plugin brings."""
    return sorted({form.name for route in plugin.routes for form in route.formats if form.live is not None})


def further_models(plugin: Plugin | None) -> Mapping[str, Callable[[], tuple[Any, Any]]]:
    """What ``conformance_models`` of a plugin returns: by name, functions that build a model and its data.

    Raises :class:`NotMet` for anything else.
    """
    function = getattr(plugin.namespace, OFFERS, None) if plugin is not None and plugin.loaded else None
    if plugin is None or not callable(function):
        return {}
    try:
        found: object = function()
    except Exception as error:
        raise NotMet(f"{OFFERS}() of {plugin.name} failed: {type(error).__name__}: {first_line(error)}") from error
    if not isinstance(found, Mapping) or not all(
        isinstance(name, str) and callable(one) for name, one in found.items()
    ):
        raise NotMet(
            f"{OFFERS}() of {plugin.name} returned no mapping of names to functions",
            advice='return {"two-inputs": a_function, …}, where each function returns (model, dataloader).',
        )
    return found


def models_for(name: str, registry: Registry) -> tuple[tuple[str, str], ...]:
    """Plugin and name of each further model that the plugin ``name`` is tried on: its own, else of the nearest other.

    Nothing is built for that. Which other is nearest follows from the live formats that plugins bring.
    """
    plugin = registry.plugin(name)
    if plugin is None or not plugin.loaded:
        return ()
    goals = {form.name: form for route in plugin.routes for form in route.formats}
    sources = {route.source for route in plugin.routes if route.source}
    edges = [route for route in registry.routes if route.target is not None]
    ranked = []
    for other in registry.plugins:
        if other.loaded and callable(getattr(other.namespace, OFFERS, None)):
            starts = live_formats(other)
            costs = [_cost_to(one, edges, starts) for one in {*goals, *sources}]
            if min(costs, default=math.inf) < math.inf or other.name == name:
                ranked.append((other.name != name, min(costs, default=math.inf), other.name, other))
    if not ranked:
        return ()
    *_, chosen = min(ranked, key=lambda one: one[:3])
    try:
        return tuple((chosen.name, one) for one in further_models(chosen))
    except NotMet:
        return ((chosen.name, OFFERS),)


def _cost(format: Format, edges: Sequence[Route], starts: Sequence[str]) -> float:
    return _cost_to(format.name, edges, starts)


def _cost_to(name: str, edges: Sequence[Route], starts: Sequence[str]) -> float:
    """The least cost from any of the formats to the one of that name; infinite where there is no way."""
    if name in starts:
        return 0.0
    way = cheapest_paths(edges, starts).get(name)
    return math.inf if way is None else sum(route.cost for route in way)
