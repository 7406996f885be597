"""Which rows of a package are meant by a format, a runtime, a jit type and a precision."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from navcore.contract import Format, matching, the_one
from navcore.errors import PackageIncomplete, UnknownFormat
from navcore.planning import settled_for_package, unknown_target
from navcore.registry import Registry
from navcore.workspace import LOGGER, FormatResult, Record, RuntimeResult

_USUAL_PRECISIONS = ("fp16", "fp32")


def rows_meant(
    results: Sequence[FormatResult], format: Format | str, jit_type: str | None, precision: str | None
) -> list[FormatResult]:
    """Every row that matches; an argument that is ``None`` matches any."""
    settled_for_package(format=format, jit_type=jit_type, precision=precision)
    found = matching(format, [row.format for row in results], jit_type=jit_type, precision=precision)
    return [row for row in results if row.format in found]


def row_meant(
    results: Sequence[FormatResult], format: Format | str, jit_type: str | None, precision: str | None
) -> FormatResult:
    """The row that matches; with a ``jit_type`` and no precision, of variants that differ in it alone the usual one.

    Raises :class:`UnknownFormat` when it is none, or several.
    """
    rows = rows_meant(results, format, jit_type, precision)
    if len(rows) > 1 and jit_type is not None and precision is None:
        usual = _usual_precision(rows)
        if usual is not None:
            LOGGER.info("%s %s without a precision is taken as %s.", format, jit_type, usual.format.name)
            return usual
    found = the_one(format, [row.format for row in results], jit_type=jit_type, precision=precision)
    return next(row for row in results if row.format == found)


def _usual_precision(rows: Sequence[FormatResult]) -> FormatResult | None:
    """Of variants that differ in their precision alone the one that is meant without one; one that was made first."""
    ordered = [row for name in _USUAL_PRECISIONS for row in rows if row.format.precision == name]
    if {row.format.jit_type for row in rows} != {rows[0].format.jit_type} or not ordered:
        return None
    return next((row for row in ordered if row.path is not None), ordered[0])


def nothing_made(row: FormatResult) -> PackageIncomplete:
    """What to raise for a row of which there is no model, with the row's own reason."""
    failure = row.failure
    why = "its file is not in the workspace" if failure is None else failure.cause
    return PackageIncomplete(
        f"There is no {row.format.name} model: {why}", hint="" if failure is None else failure.hint
    )


def combination(
    results: Sequence[FormatResult], format: Format | str, runtime: str, jit_type: str | None, precision: str | None
) -> tuple[FormatResult, RuntimeResult]:
    """The format in that runtime.

    Raises :class:`UnknownFormat`, with those that there are, when it is not one row, and :class:`PackageIncomplete`,
    with the row's reason, when nothing was made of it.
    """
    settled_for_package(format=format, runtime=runtime)
    rows = rows_meant(results, format, jit_type, precision)
    pairs = [(row, one) for row in rows for one in row.runtimes if one.runtime == str(runtime)]
    if len(pairs) == 1:
        return pairs[0]
    empty = [row for row in rows if row.path is None and not row.live]
    if empty and not pairs:
        raise nothing_made(empty[0])
    known = "; ".join(f"{row.format.name} in {one.runtime}" for row in results for one in row.runtimes)
    what = "fits several rows" if pairs else "is not a row of this package"
    raise UnknownFormat(f"{format} in {runtime} {what}.", hint=f"Known: {known}.")


def refuse_unknown(results: Sequence[FormatResult], format: Format | str, registry: Registry) -> None:
    """Raises :class:`UnknownFormat` for a name that neither a row nor an installed plugin has."""
    known = {name for one in registry.formats for name in (one.name, one.family)}
    known |= {name for row in results for name in (row.format.name, row.format.family)}
    if not isinstance(format, Format) and str(format) not in known:
        raise unknown_target(str(format), known)


def with_verified(record: Record, format: Format, runtime: str) -> Record:
    """The record with the user's word for this format in this runtime."""

    def marked(row: FormatResult) -> FormatResult:
        if row.format != format:
            return row
        rows = tuple(attrs.evolve(one, verified=True) if one.runtime == runtime else one for one in row.runtimes)
        return attrs.evolve(row, runtimes=rows)

    return attrs.evolve(record, results=tuple(marked(row) for row in record.results))
