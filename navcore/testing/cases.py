"""Which cases there are for a plugin, in the order in which they are tried, and how one comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from navcore.contract import Route
from navcore.registry import Registry
from navcore.testing.checks import EXTENSION_CHECKS, MODEL_CHECKS, PLUGIN_CHECKS, checks_of
from navcore.testing.ground import Ground
from navcore.testing.offers import models_for
from navcore.testing.verdicts import Finding, NotHere, NotMet, case_id

Check = Callable[[Ground], None]

_ORDER = {"export_model": 0, "convert": 1, "make_runner": 2, "profile": 3}
"""What is made is tried before what runs it: a cause is told where it arises."""


@attrs.frozen
class Case:
    """One check on one route (``""``: on the plugin as a whole), with the docstring of the check."""

    check: str
    route: str
    docstring: str = attrs.field(eq=False, repr=False)

    @property
    def id(self) -> str:
        """``check`` or ``check[route]``: the name of the case, also in ``expected_failures``."""
        return case_id(self.check, self.route)

    @property
    def advice(self) -> str:
        """What to do when it fails."""
        return " ".join(self.docstring.partition("If this fails: ")[2].split())

    def expectation(self, expected_failures: Mapping[str, str]) -> str:
        """The reason why this case is expected to fail, or ``""``."""
        return expected_failures.get(self.id, expected_failures.get(self.check, ""))


def cases_of(name: str, registry: Registry) -> dict[Case, Check]:
    """Every case for the installed plugin ``name``; one that is not usable has those about the plugin as a whole."""
    found = {_case(check): check for check in PLUGIN_CHECKS}
    plugin = registry.plugin(name)
    if plugin is None or not plugin.loaded:
        return found
    live = {format.name for format in registry.formats if format.live is not None}
    on_disk = {format.name for format in registry.formats if format.suffixes or format.recognises is not None}
    for route in _in_order(plugin.routes):
        label = f"{route.name}, {route.source}" if route.hook == "make_runner" else route.name
        for check in checks_of(route, live=route.source in live, on_disk=route.source in on_disk):
            found[_case(check, label)] = _on_route(check, route.id)
    for owner, model in models_for(name, registry):
        for about in MODEL_CHECKS:
            found[_case(about, f"{owner}, {model}")] = _on_model(about, owner, model)
    for named, names_of in EXTENSION_CHECKS:
        for one in names_of(plugin):
            found[_case(named, one)] = _on_name(named, one)
    return found


def plugin_cases() -> tuple[Case, ...]:
    """The cases about a plugin as a whole, which there are of one that cannot be imported too."""
    return tuple(_case(check) for check in PLUGIN_CHECKS)


def examined(case: Case, check: Check, ground: Ground) -> Finding:
    """How a case comes out; what was told by another case already is not told again."""
    try:
        check(ground)
    except NotMet as error:
        return failing(case, str(error), error.advice, error.about, ground)
    except NotHere as error:
        return Finding(case.check, case.route, "skipped", str(error))
    return Finding(case.check, case.route, "ok")


def failing(case: Case, reason: str, advice: str, about: tuple[str, ...], ground: Ground) -> Finding:
    """The finding of a case that failed, or was skipped since its cause has been told."""
    try:
        ground.reported.refuse(*about)
    except NotHere as known:
        return Finding(case.check, case.route, "skipped", str(known))
    ground.reported.remember(case.id, reason, about)
    return Finding(case.check, case.route, "failed", reason, advice or case.advice)


def _in_order(routes: tuple[Route, ...]) -> list[Route]:
    """Makers first, each after those of its source, then runners, then profilers; else as they are declared."""
    makers: dict[str, Route] = {route.goal.name: route for route in reversed(routes) if route.target is not None}

    def depth(route: Route) -> int:
        seen: set[str] = set()
        name = route.source
        while name in makers and name not in seen:
            seen.add(name)
            name = makers[name].source
        return len(seen)

    return sorted(routes, key=lambda route: (_ORDER[route.hook], depth(route) if route.target is not None else 0))


def _case(check: Callable[..., None], label: str = "") -> Case:
    return Case(check.__name__, label, check.__doc__ or "")


def _on_route(check: Any, identity: str) -> Check:
    return lambda ground: check(ground, ground.registry.route(identity))


def _on_name(check: Any, name: str) -> Check:
    return lambda ground: check(ground, name)


def _on_model(check: Any, owner: str, model: str) -> Check:
    return lambda ground: check(ground, owner, model)
