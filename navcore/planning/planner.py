"""From routes, a source and targets to a plan: pure functions, no input or output."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence

from navcore.contract import REFERENCE_FORMATS, Effort, Format, Name, Route, RuntimeProvider, matching, usual_variants
from navcore.errors import OptionError, UnknownFormat
from navcore.planning.plan import Check, Later, Missing, Plan, PlanSettings, Step
from navcore.registry import bringer_of


def make_plan(
    routes: Sequence[Route],
    formats: Sequence[Format],
    source: Format,
    settings: PlanSettings,
    *,
    reasons: Mapping[str, str] | None = None,
    failed: Mapping[str, str] | None = None,
    kept: Sequence[Format] = (),
) -> Plan:
    """The cheapest way to every target; alternatives are ordered by (cost, hops, route ids), never by install order.

    ``reasons`` maps the id of a route to why this machine cannot use it, ``failed`` the id of a route that was tried
    to how it ended: both are left out, and named where they leave a target out of reach. A target that only ``reasons``
    keep from being made of a stored format is one for later, and that format is made for it. ``kept`` are formats that
    exist already (in a loaded package), from which a way may start as from the source. A route beyond the effort of the
    ``settings``, or declared with ``default=False``, makes a format that ``settings.targets`` asks for; a format that
    only such routes make is also made on the way to another target, where there is no other way.

    Raises :class:`UnknownFormat` for a target, and :class:`OptionError` for a preference or a runtime, that nobody
    installed brings. With ``kept`` formats the request was made elsewhere, perhaps with other plugins: then
    preferences and runtimes that nobody brings here are passed over.
    """
    reasons, failed = reasons or {}, failed or {}
    edges = [route for route in routes if route.hook in ("export_model", "convert")]
    if not kept:
        _refuse_unknown_owners(edges, settings.prefer)
        refuse_unknown_runtimes(routes, settings.runtimes, (*formats, *REFERENCE_FORMATS, source))
    edges = _preferred(edges, settings.prefer)
    by_name: dict[str, Format] = {format.name: format for format in (*kept, source, *formats)}
    wanted = _wanted(edges, formats, source, settings, kept)
    asked = {format.name for format in wanted} if settings.targets is not None else set()
    edges, detours = _parted(edges, asked, settings.effort)
    starts = [source.name, *(format.name for format in kept)]
    blocks = {**failed, **reasons}
    usual = cheapest_paths(_usable(edges, blocks), starts)
    paths = {**cheapest_paths(_usable((*edges, *detours), blocks), starts), **usual}
    onwards = [route for route in (*edges, *detours) if route.hook == "convert" and route.id not in failed]
    elsewhere = {
        # What nobody asked for is made there too, from what is kept anyway, where that is possible.
        **cheapest_paths(onwards, _stored((*starts, *paths), by_name)),
        **cheapest_paths(onwards, _stored((*starts, *usual), by_name)),
    }
    steps: dict[str, Step] = {}
    later, missing = [], []
    for target in wanted:
        way = paths.get(target.name, ())
        if not way and target.name in elsewhere:
            beyond = elsewhere[target.name]
            needs = dict.fromkeys(reasons[route.id] for route in beyond if route.id in reasons)
            later.append(Later(target, by_name[beyond[0].source], "; ".join(needs)))
            way = paths.get(beyond[0].source, ())
        elif not way:
            missing.append(Missing(target, _why_missing((*edges, *detours), starts, target, blocks, paths)))
        for route in way:
            requested = any(route.goal == one for one in wanted)
            step = Step(route, by_name[route.source], by_name[route.goal.name], requested)
            steps.setdefault(step.target.name, step)
    made = list(dict.fromkeys((source, *kept, *(step.target for step in steps.values()))))
    unasked = {step.target.name for step in steps.values() if not step.requested}
    if settings.targets is not None and source not in kept and not _is_asked(source, settings.targets):
        unasked.add(source.name)
    efforts = {format.name: Effort.QUICK if format.name in unasked else settings.effort for format in made}
    checks = _checks(routes, made, settings.runtimes, reasons, efforts, strict=not kept)
    return Plan(source, tuple(steps.values()), checks, tuple(missing), tuple(later))


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


def _stored(names: Iterable[str], by_name: Mapping[str, Format]) -> list[str]:
    """Those that another machine has too: a live model does not get there."""
    return [name for name in names if not by_name[name].live]


def _refuse_unknown_owners(edges: Sequence[Route], prefer: Mapping[str, str]) -> None:
    for target, owner in prefer.items():
        towards = [route for route in edges if target in (route.goal.name, route.goal.family)]
        if not any(owner in (route.owner, route.distribution) for route in towards):
            owners = ", ".join(sorted({route.distribution for route in towards})) or "no installed plugin"
            raise OptionError(
                f"prefer={{{target!r}: {owner!r}}}: {owner} does not make it.", hint=f"It is made by: {owners}."
            )


def _preferred(edges: Sequence[Route], prefer: Mapping[str, str]) -> list[Route]:
    def is_preferred(route: Route) -> bool:
        owner = prefer.get(route.goal.name, prefer.get(route.goal.family))
        return owner is not None and owner in (route.owner, route.distribution)

    # A plugin preferred for a family is pinned for those of its formats that it makes; it cannot make the others.
    pinned = {route.goal.name for route in edges if is_preferred(route)}
    return [route for route in edges if route.goal.name not in pinned or is_preferred(route)]


def _is_asked(format: Format, targets: Iterable[str]) -> bool:
    """Whether one of the targets is the format's name or family."""
    return any(target in (format.name, format.family) for target in targets)


def _parted(edges: Sequence[Route], asked: Collection[str], effort: Effort) -> tuple[list[Route], list[Route]]:
    """The routes to plan with, and those to formats that nobody asked for but other targets may be made from."""
    ordinary = [route for route in edges if route.is_within(effort) or route.goal.name in asked]
    made = {route.goal.name for route in ordinary}
    return ordinary, [route for route in edges if route.goal.name not in made]


def _usable(edges: Iterable[Route], blocks: Mapping[str, str]) -> list[Route]:
    return [route for route in edges if route.id not in blocks]


def _refuse_unknown_keys(runtimes: Mapping[str, tuple[str, ...]], formats: Sequence[Format]) -> None:
    for key in runtimes:
        if not matching(key, formats):
            known = sorted({name for format in formats for name in (format.name, format.family)})
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
            raise OptionError(f"runtimes[{key!r}]: no installed plugin knows that format.", hint=hint)


def refuse_unknown_runtimes(
    routes: Sequence[Route], runtimes: Mapping[str, tuple[str, ...]], formats: Sequence[Format]
) -> None:
    """Raise :class:`OptionError` for a format that is none of ``formats``, and for a runtime that nobody brings.

    Also for a format that is not made: what is misspelt now would say nothing later.
    """
    _refuse_unknown_keys(runtimes, formats)
    for key, wanted in runtimes.items():
        meant = {format.name for format in matching(key, formats)}
        runners = (route for route in routes if route.hook == "make_runner")
        known = sorted({route.runtime for route in runners if route.source in meant}) or sorted(RuntimeProvider)
        for name in wanted:
            if name not in known:
                hint = f"Runtimes for it: {', '.join(known)}."
                raise OptionError(f"No installed plugin runs {key} in {name!r}.", hint=hint)


def _wanted(
    edges: Sequence[Route],
    formats: Sequence[Format],
    source: Format,
    settings: PlanSettings,
    kept: Sequence[Format],
) -> list[Format]:
    if settings.targets is None:
        starts = [source.name, *(format.name for format in kept)]
        unasked = {route.goal.name for route in edges if route.is_within(settings.effort)}
        reached = unasked & set(cheapest_paths(edges, starts))
        return sorted((format for format in formats if format.name in reached), key=lambda format: format.name)
    wanted: dict[str, Format] = {}
    for target in settings.targets:
        found = matching(target, formats) or matching(target, REFERENCE_FORMATS)
        if not found:
            raise unknown_target(target, [format.name for format in formats] + [format.family for format in formats])
        if all(format.name != target for format in found):
            found = usual_variants(found, edges, settings.effort)
        for format in found:
            if format != source and format not in kept:  # those are there, and checked, anyway
                wanted[format.name] = format
    return list(wanted.values())


def unknown_target(target: str, known: Iterable[str]) -> UnknownFormat:
    """The error for a target nobody knows: the nearest known name, and the plugin that would bring it."""
    names = sorted(set(known))
    near = difflib.get_close_matches(target, names, n=1)
    plugin = bringer_of(target)
    if plugin and plugin not in map(bringer_of, names):  # otherwise it is there, and the name is a slip
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
    blocks: Mapping[str, str],
    reached: Collection[str],
) -> str:
    """The reason on the cheapest path there would be: what keeps the target out of reach, in one line.

    ``blocks`` maps the ids of routes that cannot be used to the reason; ``reached`` are formats that some way leads
    to, so that a blocked route to one of them is not what is missing.
    """
    towards = sorted((route for route in edges if route.goal == target), key=lambda route: (route.cost, route.id))
    if not towards:
        plugin = bringer_of(target.name)
        return f"no installed plugin makes it; pip install {plugin}" if plugin else "no installed plugin makes it"
    best = cheapest_paths(edges, starts).get(target.name)
    if best is None:
        sources = ", ".join(sorted({route.source for route in towards}))
        return f"it is made from {sources}, which cannot be reached from {', '.join(starts)}"
    blocked = [route for route in best if route.id in blocks and route.goal.name not in reached]
    others = [route for route in towards if route not in blocked and route.id in blocks]
    told = []
    for route in (*blocked, *others):
        reason = blocks[route.id] or f"{route.who} cannot be used"
        told.append(reason if route.goal == target else f"{route.goal.name} is not made: {reason}")
    return "; ".join(dict.fromkeys(told))


def _checks(
    routes: Sequence[Route],
    made: Iterable[Format],
    runtimes: Mapping[str, tuple[str, ...]],
    reasons: Mapping[str, str],
    efforts: Mapping[Name, Effort],
    *,
    strict: bool,
) -> tuple[Check, ...]:
    # Of several runners for one runtime, one that works here answers, though another is cheaper.
    runners = sorted(
        (route for route in routes if route.hook == "make_runner"),
        key=lambda route: (route.id in reasons, not route.default, route.cost, route.id),
    )
    checks = []
    for format in made:
        offered: dict[str, Route] = {}
        for route in runners:
            if route.source == format.name:
                offered.setdefault(route.runtime, route)
        limited = runtimes.get(format.name, runtimes.get(format.family))
        for name in limited or ():
            if strict and name not in offered:
                known = ", ".join(offered) or "none"
                raise OptionError(
                    f"No installed plugin runs {format.name} in {name!r}.", hint=f"Runtimes for it: {known}."
                )
        usual = _usual_runtimes(offered, efforts[format.name]) if limited is None else limited
        for name, route in offered.items():
            if name in usual:
                checks.append(Check(format, name, route, reasons.get(route.id, "")))
    return tuple(checks)


def _usual_runtimes(offered: Mapping[str, Route], effort: Effort) -> list[str]:
    """Those that check a format unasked: within the effort, and of a format that has none within it, the least."""
    for word in (one for one in Effort if one.covers(effort)):
        found = [name for name, route in offered.items() if route.is_within(word)]
        if found:
            return found
    return []
