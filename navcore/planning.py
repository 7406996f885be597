"""From routes, a source and targets to a plan: pure functions, no input or output."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable, Mapping, Sequence

import attrs

from navcore.directory import bringer_of
from navcore.errors import OptionError, UnknownFormat
from navcore.formats import Format, matching
from navcore.routes import Route


@attrs.frozen
class Step:
    """Make ``target`` from ``source`` by ``route``. ``requested`` is false for a format needed only on the way."""

    route: Route
    source: Format
    target: Format
    requested: bool = True


@attrs.frozen
class Check:
    """Verify and measure ``format`` in ``runtime``; ``reason`` says why that cannot be done on this machine."""

    format: Format
    runtime: str
    route: Route
    reason: str = ""


@attrs.frozen
class Missing:
    """A target that no plan reaches, and why."""

    target: Format
    reason: str


@attrs.frozen
class Plan:
    """What will be made from ``source``, in which order, which runtimes will check it, and what is out of reach."""

    source: Format
    steps: tuple[Step, ...] = ()
    checks: tuple[Check, ...] = ()
    missing: tuple[Missing, ...] = ()

    def checks_of(self, format: Format) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.format == format)

    def __str__(self) -> str:
        kind = "live" if self.source.live else "file"
        lines = [f"source  {self.source.name} ({kind}), run by {self._runtimes(self.source)}"]
        width = max((len(step.target.name) for step in self.steps), default=0)
        for step in self.steps:
            how = f"{step.route.name} ({step.route.distribution} {step.route.version})"
            aside = "" if step.requested else ", on the way"
            lines.append(f"make    {step.target.name:<{width}}  from {step.source.name} by {how}{aside}")
            lines.append(f"        {'':<{width}}  checked by {self._runtimes(step.target)}")
        lines += [f"not     {missing.target.name}: {missing.reason}" for missing in self.missing]
        return "\n".join(lines)

    def _runtimes(self, format: Format) -> str:
        names = [
            check.runtime + (f" (unavailable: {check.reason})" if check.reason else "")
            for check in self.checks_of(format)
        ]
        return ", ".join(names) or "no installed runtime"


@attrs.frozen
class Request:
    """What a plan is asked for.

    ``targets`` are format names or families, ``None`` for every format that a default route reaches. ``prefer`` pins
    the plugin (or distribution) that makes a format. ``runtimes`` limits a format to the runtimes named.
    """

    targets: tuple[str, ...] | None = None
    prefer: Mapping[str, str] = attrs.field(factory=dict)
    runtimes: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)


def make_plan(
    routes: Sequence[Route],
    formats: Sequence[Format],
    source: Format,
    request: Request,
    *,
    reasons: Mapping[str, str] | None = None,
    failed: Mapping[str, str] | None = None,
    kept: Sequence[Format] = (),
) -> Plan:
    """The cheapest way to every target; alternatives are ordered by (cost, hops, route ids), never by install order.

    ``reasons`` maps the id of a route to why this machine cannot use it, ``failed`` the id of a route that was tried
    to how it ended: both are left out, and named where they leave a target out of reach. ``kept`` are formats that
    exist already (in a loaded package), from which a way may start as from the source.

    Raises :class:`UnknownFormat` for a target that no installed plugin knows, :class:`OptionError` for a preference
    or a runtime that nobody brings.
    """
    reasons, failed = reasons or {}, failed or {}
    edges = _preferred([route for route in routes if route.hook in ("export_model", "convert")], request.prefer)
    by_name = {format.name: format for format in formats}
    wanted = _wanted(edges, formats, source, request.targets, kept)
    if request.targets is None:
        edges = [route for route in edges if route.default]
    usable = [route for route in edges if route.id not in reasons and route.id not in failed]
    starts = [source.name, *(format.name for format in kept)]
    paths = cheapest_paths(usable, starts)
    steps: dict[str, Step] = {}
    missing = []
    for target in wanted:
        if target.name not in paths:
            missing.append(Missing(target, _why_missing(edges, starts, target, reasons, failed)))
        for route in paths.get(target.name, ()):
            requested = route.goal.name in {one.name for one in wanted}
            step = Step(route, by_name[route.source], by_name[route.goal.name], requested)
            steps.setdefault(step.target.name, step)
    made = [source, *kept, *(step.target for step in steps.values())]
    return Plan(source, tuple(steps.values()), _checks(routes, made, request.runtimes, reasons), tuple(missing))


def cheapest_paths(edges: Iterable[Route], starts: Sequence[str]) -> dict[str, tuple[Route, ...]]:
    """The cheapest path from any of ``starts`` to every format that can be reached, by Dijkstra's algorithm."""
    outgoing: dict[str, list[Route]] = {}
    for route in edges:
        outgoing.setdefault(route.source, []).append(route)
    found: dict[str, tuple[Route, ...]] = {}
    queue: list[tuple[float, int, tuple[str, ...], str]] = [(0.0, 0, (), start) for start in sorted(starts)]
    trails: dict[tuple[str, ...], tuple[Route, ...]] = {(): ()}
    while queue:
        cost, hops, ids, name = heapq.heappop(queue)
        if name in found:
            continue
        found[name] = trails[ids]
        for route in outgoing.get(name, ()):
            if route.goal.name not in found:
                longer = (*ids, route.id)
                trails[longer] = (*trails[ids], route)
                heapq.heappush(queue, (cost + route.cost, hops + 1, longer, route.goal.name))
    return {name: path for name, path in found.items() if path}


def _preferred(edges: list[Route], prefer: Mapping[str, str]) -> list[Route]:
    for target, owner in prefer.items():
        towards = [route for route in edges if target in (route.goal.name, route.goal.family)]
        if not any(owner in (route.owner, route.distribution) for route in towards):
            owners = ", ".join(sorted({route.distribution for route in towards})) or "no installed plugin"
            raise OptionError(
                f"prefer={{{target!r}: {owner!r}}}: {owner} does not make it.", hint=f"It is made by: {owners}."
            )
        edges = [
            route
            for route in edges
            if target not in (route.goal.name, route.goal.family) or owner in (route.owner, route.distribution)
        ]
    return edges


def _wanted(
    edges: Sequence[Route],
    formats: Sequence[Format],
    source: Format,
    targets: tuple[str, ...] | None,
    kept: Sequence[Format],
) -> list[Format]:
    if targets is None:
        starts = [source.name, *(format.name for format in kept)]
        reached = cheapest_paths([route for route in edges if route.default], starts)
        return sorted((format for format in formats if format.name in reached), key=lambda format: format.name)
    wanted: dict[str, Format] = {}
    for target in targets:
        found = matching(target, formats)
        if not found:
            raise unknown_target(target, [format.name for format in formats] + [format.family for format in formats])
        for format in found:
            if format != source and format not in kept:  # those are there, and checked, anyway
                wanted[format.name] = format
    return list(wanted.values())


def unknown_target(target: str, known: Iterable[str]) -> UnknownFormat:
    """The error for a target nobody knows: the nearest known name, and the plugin that would bring it."""
    names = sorted(set(known))
    near = difflib.get_close_matches(target, names, n=1)
    plugin = bringer_of(target)
    if plugin:
        hint = f"Install the plugin that brings it: pip install {plugin}"
    elif near:
        hint = f"Did you mean {near[0]!r}?"
    else:
        hint = f"Known: {', '.join(names) or 'none'}. See 'navcore plugins' for what is installed."
    return UnknownFormat(f"No installed plugin knows the target {target!r}.", hint=hint)


def _why_missing(
    edges: Sequence[Route],
    starts: Sequence[str],
    target: Format,
    reasons: Mapping[str, str],
    failed: Mapping[str, str],
) -> str:
    """The reason on the cheapest path there would be: what keeps the target out of reach, in one line."""
    towards = [route for route in edges if route.goal == target]
    if not towards:
        return "no installed plugin makes it"
    best = cheapest_paths(edges, starts).get(target.name)
    if best is None:
        sources = ", ".join(sorted({route.source for route in towards}))
        return f"it is made from {sources}, which cannot be reached from {', '.join(starts)}"
    blocked = [route for route in best if route.id in reasons or route.id in failed]
    others = [route for route in towards if route not in blocked and (route.id in reasons or route.id in failed)]
    told = [reasons.get(route.id) or failed.get(route.id, "") for route in (*blocked, *others)]
    return "; ".join(dict.fromkeys(told))


def _checks(
    routes: Sequence[Route],
    made: Iterable[Format],
    runtimes: Mapping[str, tuple[str, ...]],
    reasons: Mapping[str, str],
) -> tuple[Check, ...]:
    runners = sorted((r for r in routes if r.hook == "make_runner"), key=lambda route: (route.cost, route.id))
    checks = []
    for format in made:
        offered: dict[str, Route] = {}
        for route in runners:
            if route.source == format.name:
                offered.setdefault(route.runtime, route)
        limited = runtimes.get(format.name, runtimes.get(format.family))
        for name in limited or ():
            if name not in offered:
                known = ", ".join(offered) or "none"
                raise OptionError(
                    f"No installed plugin runs {format.name} in {name!r}.", hint=f"Runtimes for it: {known}."
                )
        for name, route in offered.items():
            if name in limited if limited is not None else route.default:
                checks.append(Check(format, name, route, reasons.get(route.id, "")))
    return tuple(checks)
