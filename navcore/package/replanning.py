"""Which formats of a package are tested as they lie there, which are made again of those, and which not, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from navcore.contract import Effort, Format, Route, matching, usual_variants
from navcore.package.reading import NOT_HERE
from navcore.planning import cheapest_paths, named_formats
from navcore.registry import Registry
from navcore.workspace import Failure, FormatResult, Record, Status

_ONLY_FROM_SOURCE = "it can only be made from the source model, which is not in the package"


@attrs.frozen
class Replanned:
    """What is done with a package here.

    ``kept`` are rows whose files are tested as they are, and that others are made from. ``wanted`` are the names of the
    formats to be made of them. ``reasons`` says of every other row, by the name of its format, why nothing is done.
    ``missing`` are rows for what the caller asks for beyond the package, and nothing in it leads to.
    """

    kept: tuple[FormatResult, ...]
    wanted: tuple[str, ...]
    reasons: Mapping[str, str]
    missing: tuple[FormatResult, ...] = ()


@attrs.frozen
class _Ground:
    """What everything is planned from: ``kept`` rows by name, and what can be ``made`` of them on this machine.

    ``reached`` is what any machine could make of them, with the plugins that are installed here.
    """

    kept: Mapping[str, FormatResult]
    made: frozenset[str]
    reached: frozenset[str]


def replanned(
    record: Record, registry: Registry, *, trust: bool, asked: Sequence[str] = (), effort: Effort = Effort.NORMAL
) -> Replanned:
    """Plan every row of the package again, and every target, from the files that may be used here.

    Recorded targets that nobody here knows are passed over; ``asked`` are the caller's own, which are known. Where none
    were recorded, what is within ``effort`` is meant. A file
    that was converted is made again where this machine can do that; where it cannot, it is tested as it is.
    """
    known = [row for row in record.results if not row.live and row.format in registry.formats]
    ground = _ground(known, record, registry, trust)
    own = [format for target in asked for format in named_formats(target, registry, effort)]
    wanted = [row.format.name for row in known]
    wanted += [format.name for format in _recorded_targets(record.settings.targets, effort, registry, ground)]
    wanted += [format.name for format in own]
    reached = tuple(name for name in dict.fromkeys(wanted) if name in ground.reached and name not in ground.kept)
    reasons: dict[str, str] = {
        row.format.name: _why_not(row.format, row, record, registry, trust)
        for row in record.results
        if row.format.name not in reached and row.format.name not in ground.kept
    }
    there = {row.format.name for row in record.results}
    missing = tuple(
        missing_row(format, _why_not(format, None, record, registry, trust))
        for format in dict.fromkeys(own)
        if format.name not in there and format.name not in reached
    )
    return Replanned(tuple(ground.kept.values()), reached, reasons, missing)


def superseded(row: FormatResult, results: Sequence[FormatResult]) -> bool:
    """Whether the row only said of a whole family that nobody made it, and its formats have rows of their own now."""
    found = matching(row.format, [other.format for other in results if other is not row])
    return row.path is None and not row.runtimes and bool(found) and row.format not in found


def _ground(known: Sequence[FormatResult], record: Record, registry: Registry, trust: bool) -> _Ground:
    routes = _conversions(registry)
    usable = [route for route in routes if not registry.unavailable(route)]
    there = [row for row in known if row.path is not None and not _why_not_used(row, registry, trust)]
    kept: dict[str, FormatResult] = {row.format.name: row for row in there if not is_converted(row, record)}
    for row in there:  # a row stands behind the one that it was made from
        if row.format.name not in cheapest_paths(usable, list(kept)):
            kept.setdefault(row.format.name, row)
    return _Ground(kept, frozenset(cheapest_paths(usable, list(kept))), frozenset(cheapest_paths(routes, list(kept))))


def _conversions(registry: Registry) -> list[Route]:
    return [route for route in registry.routes if route.hook == "convert"]


def is_converted(row: FormatResult, record: Record) -> bool:
    """Made from another file, so that it can be made again without the live source."""
    return bool(row.made_from) and not (record.live and row.made_from == record.source.name)


def _recorded_targets(
    targets: Sequence[str] | None, effort: Effort, registry: Registry, ground: _Ground
) -> list[Format]:
    """What was asked for at home, in the formats of the plugins that are installed here."""
    if targets is None:
        unasked = {route.goal.name for route in _conversions(registry) if route.is_within(effort)}
        return [format for format in registry.formats if format.name in unasked & ground.reached]
    found: list[Format] = []
    for target in targets:
        meant = matching(target, registry.formats)
        exact = any(format.name == target for format in meant)
        found += meant if exact else usual_variants(meant, registry.routes, effort)
    return found


def _why_not(format: Format, row: FormatResult | None, record: Record, registry: Registry, trust: bool) -> str:
    """Why a format is neither tested nor made here."""
    if row is not None and row.live:
        return "the source model is not in the package"
    if format not in registry.formats:
        return "no installed plugin knows this format"
    if row is not None and row.path is not None:
        return _why_not_used(row, registry, trust)
    shut: dict[str, str] = {
        one.format.name: why
        for one in record.results
        if one.path is not None and (why := _why_not_used(one, registry, trust))
    }
    way = cheapest_paths(_conversions(registry), list(shut)).get(format.name)
    if way is not None:
        return f"its source, {way[0].source}, cannot be used here: {shut[way[0].source]}"
    if row is not None and any(note.startswith(NOT_HERE) for note in row.notes):
        return NOT_HERE
    exports = [route for route in registry.routes if route.hook in ("export_model", "convert")]
    if record.live and format.name in cheapest_paths(exports, [record.source.name]):
        return _ONLY_FROM_SOURCE
    return "no installed plugin makes it from what the package holds"


def _why_not_used(row: FormatResult, registry: Registry, trust: bool) -> str:
    """Why a file of the package is not loaded here, or ``""``."""
    if row.format not in registry.formats:
        return "no installed plugin knows this format"
    if not (trust or registry.is_data(row.format)):
        return "loading it can execute code: needs trust=True"
    return ""


def missing_row(format: Format, reason: str) -> FormatResult:
    """The row of a format that is asked for here and not made, with the reason."""
    return FormatResult(format, Status.UNAVAILABLE, failure=Failure(reason, "unavailable"))
