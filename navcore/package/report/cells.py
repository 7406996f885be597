"""From results to the cells of the table: one row per format, runtime and batch size, in words and short numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import attrs

from navcore.workspace import BatchPerformance, Failure, FormatResult, RuntimeResult, Status, Verification

MISSING = "–"
DIFFERENCES = ("max abs", "max rel", "rel L2")
SPEEDS = ("batch", "p50 ms", "p99 ms", "items/s", "vs source")
COLUMNS = ("format", "runtime", "result", *DIFFERENCES, *SPEEDS, "size")
WORDS = ("format", "runtime", "result")


@attrs.frozen
class TableRow:
    """One line of the table: text by column. ``cause`` stands in place of the cells from ``cause_at`` on.

    ``about`` names the format and the runtime. ``on_the_way`` marks a format that nobody asked for and that was needed
    to reach another.
    """

    about: tuple[str, str]
    cells: Mapping[str, str]
    cause: str = ""
    cause_at: str = ""
    on_the_way: bool = False


def is_source(row: FormatResult) -> bool:
    """Whether the row is what everything else was compared with: nobody made it, and it is there."""
    return not row.route and not row.attempts and (row.live or row.path is not None)


def source_first(results: Sequence[FormatResult]) -> list[FormatResult]:
    """The same results, the source in front, otherwise in their order."""
    return sorted(results, key=lambda row: not is_source(row))


def rows_of(results: Sequence[FormatResult]) -> Iterator[TableRow]:
    """The table's lines, the source's first."""
    ordered = source_first(results)
    reference = source_reference(ordered)
    for result in ordered:
        if not result.runtimes:
            yield _unchecked(result)
        for runtime in result.runtimes:
            yield from _checked(result, runtime, reference)


def source_reference(results: Sequence[FormatResult]) -> RuntimeResult | None:
    """The source's row that the others' speed is compared with: its first that was measured."""
    rows = (runtime for result in results if is_source(result) for runtime in result.runtimes)
    return next((runtime for runtime in rows if runtime.performance), None)


def printable(text: str) -> str:
    """The text on one line, without anything that a terminal would obey: results may come from a stranger's package."""
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(one if one.isprintable() else "?" for one in line)


def _unchecked(result: FormatResult) -> TableRow:
    """A format with no runtime to show: it was not made, or nothing here runs it."""
    cause = result.failure.cause if result.failure else ""
    if result.status == Status.SKIPPED:
        cause = f"not tried: {cause}"
    if not cause and result.status != Status.OK:
        cause = "no installed runtime can run it, so it was not compared with the source"
    cells = {
        "format": _format_cell(result),
        "runtime": MISSING,
        "result": _result_words(result.status, (), False, result.elsewhere),
        "size": size_text(result.size),
    }
    return TableRow((result.format.name, ""), cells, printable(cause), DIFFERENCES[0], not result.requested)


def _checked(result: FormatResult, runtime: RuntimeResult, reference: RuntimeResult | None) -> Iterator[TableRow]:
    elsewhere = result.elsewhere or runtime.elsewhere
    head = {
        "format": _format_cell(result),
        "runtime": printable(runtime.runtime),
        "result": _result_words(
            runtime.status,
            runtime.performance,
            runtime.verified,
            elsewhere,
            _fixed_axes(runtime.verification),
            unproven=result.status == Status.UNVERIFIED and runtime.status == Status.UNAVAILABLE,
        ),
        "size": size_text(result.size),
    }
    differences = _difference_cells(runtime.verification)
    about, on_the_way = (result.format.name, runtime.runtime), not result.requested
    if not runtime.performance:
        failure = failure_of(result, runtime)
        if failure is not None:
            at = SPEEDS[0] if differences else DIFFERENCES[0]
            yield TableRow(about, {**head, **differences}, printable(failure.cause), at, on_the_way)
            return
        yield TableRow(about, {**_blank(), **head, **differences}, on_the_way=on_the_way)
        return
    for position, measured in enumerate(sorted(runtime.performance, key=lambda one: one.batch_size)):
        speeds = _speed_cells(measured, ratio(runtime, measured, reference))
        if position == 0:
            yield TableRow(about, {**_blank(), **head, **differences, **speeds}, on_the_way=on_the_way)
        else:
            yield TableRow(about, speeds, on_the_way=on_the_way)


def failure_of(result: FormatResult, runtime: RuntimeResult) -> Failure | None:
    """Why the row is not ok, or has no numbers."""
    if runtime.failure is not None or runtime.status == Status.OK:
        return runtime.failure
    return result.failure


def _blank() -> dict[str, str]:
    return dict.fromkeys(COLUMNS[len(WORDS) :], MISSING)


def _format_cell(result: FormatResult) -> str:
    if is_source(result):
        return f"{result.format.name} (source)"
    return result.format.name if result.requested else f"{result.format.name} (on the way)"


def _result_words(
    status: Status,
    performance: Sequence[BatchPerformance],
    verified: bool,
    recorded_elsewhere: bool,
    fixed_axes: bool = False,
    unproven: bool = False,
) -> str:
    """``unproven``: the format was made, and this is one of the runtimes of which none could be had."""
    words = [str(Status.UNVERIFIED), str(status)] if unproven else [str(status)]
    if status == Status.OK and fixed_axes:
        words.append("fixed axis")
    if not all(measured.stable for measured in performance):
        words.append("unstable")
    if recorded_elsewhere:
        words.append("recorded elsewhere")
    return ", ".join(words) + (" ✓ verified" if verified else "")


def _fixed_axes(verification: Verification | None) -> bool:
    return verification is not None and bool(verification.frozen_axes)


def _difference_cells(verification: Verification | None) -> dict[str, str]:
    """The largest difference of any output; empty when nothing was compared."""
    if verification is None or not verification.differences:
        return {}
    found = verification.differences
    norms = [one.relative_l2 for one in found if one.relative_l2 is not None]
    largest = (_largest([one.atol for one in found]), _largest([one.rtol for one in found]), _largest(norms))
    return {column: difference_text(value) for column, value in zip(DIFFERENCES, largest, strict=True)}


def _largest(values: Sequence[float]) -> float | None:
    """The largest value, where NaN is larger than anything: it must not hide behind a small number."""
    if not values:
        return None
    return math.nan if any(math.isnan(value) for value in values) else max(values)


def _speed_cells(measured: BatchPerformance, compared: float | None) -> dict[str, str]:
    cells = (
        str(measured.batch_size) if measured.batch_size > 0 else MISSING,
        number_text(measured.p50_latency),
        number_text(measured.p99_latency),
        number_text(measured.throughput),
        MISSING if compared is None else f"{number_text(compared, 2 if compared < 1 else 3)}×",
    )
    return dict(zip(SPEEDS, cells, strict=True))


def ratio(runtime: RuntimeResult, measured: BatchPerformance, reference: RuntimeResult | None) -> float | None:
    """The source's median latency over this one's, at the same batch size and on the same machine."""
    if reference is None or (reference.elsewhere, reference.machine) != (runtime.elsewhere, runtime.machine):
        return None
    if not measured.p50_latency > 0:
        return None
    same = (one for one in reference.performance if one.batch_size == measured.batch_size)
    return next((one.p50_latency / measured.p50_latency for one in same), None)


def difference_text(value: float | None) -> str:
    """A difference in two significant digits: ``1.2e-07``, ``0.03``, ``0`` only for exactly none."""
    if value is None:
        return MISSING
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.1e}" if not 1e-3 <= abs(value) < 1e3 else f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"


def number_text(value: float | None, digits: int = 3) -> str:
    """A number in so many significant digits, never in powers of ten: ``0.0123``, ``1.20``, ``12.3``, ``1234``."""
    if value is None:
        return MISSING
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    power = int(f"{value:.{digits - 1}e}".partition("e")[2])  # of the rounded number: 9.999 is 10.0
    places = digits - 1 - power
    return f"{round(value, places):.{max(0, places)}f}"


def size_text(size: int | None) -> str:
    """Bytes in three significant digits, in powers of 1000: ``512 B``, ``46.8 MB``."""
    if size is None:
        return MISSING
    value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} B" if units[0] == "B" else f"{number_text(value)} {units[0]}"
