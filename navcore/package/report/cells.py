"""From results to the cells of the table: one row per format, runtime and batch size, in words and short numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from navcore.workspace import (
    BatchPerformance,
    Failure,
    FormatResult,
    MetricResult,
    PairedRatio,
    Ranking,
    RuntimeResult,
    Status,
    Verification,
)

MISSING = "–"
DIFFERENCES = ("max abs", "max rel", "rel L2")
SPEEDS = ("batch", "p50 ms", "p99 ms", "items/s", "vs source")
COLUMNS = ("format", "runtime", "result", *DIFFERENCES, *SPEEDS, "size")
WORDS = ("format", "runtime", "result")
_MOST_METRICS = 20
COLOURS = {
    Status.OK: "green",
    Status.FAILED: "red",
    Status.SKIPPED: "yellow",
    Status.UNAVAILABLE: "yellow",
    Status.UNVERIFIED: "yellow",
}


@attrs.frozen
class TableRow:
    """One line of the table: text by column. A row that has no numbers says the ``cause`` in their place.

    ``about`` names the format and the runtime. ``on_the_way`` marks a format that nobody asked for and that was needed
    to reach another.
    """

    about: tuple[str, str]
    status: Status
    cells: Mapping[str, str]
    cause: str = ""
    on_the_way: bool = False


def is_source(row: FormatResult) -> bool:
    """Whether the row is what everything else was compared with: nobody made it, and it is there."""
    return row.is_source


def source_first(results: Sequence[FormatResult]) -> list[FormatResult]:
    """The same results, the source in front, otherwise in their order."""
    return sorted(results, key=lambda row: not is_source(row))


@attrs.frozen
class Speeds:
    """By what a row's speed is told: the source's own row, and the ranking, where there is one."""

    reference: RuntimeResult | None = None
    ranking: Ranking | None = None

    def paired(self, format: str, runtime: str, batch_size: int) -> PairedRatio | None:
        """The ratio to the source that was measured in turn."""
        if self.ranking is None or not self.ranking.is_source:
            return None
        return self.ranking.ratio(format, runtime, batch_size)

    def apart(self, runtime: RuntimeResult, measured: BatchPerformance) -> float | None:
        """The ratio of medians that were measured apart; ``None`` where the others were measured in turn."""
        in_turn = self.ranking is not None and self.ranking.is_source and measured.interval is not None
        if in_turn and runtime is not self.reference:
            return None
        return ratio(runtime, measured, self.reference)


def rows_of(results: Sequence[FormatResult], ranking: Ranking | None = None) -> Iterator[TableRow]:
    """The table's lines, the source's first."""
    ordered = source_first(results)
    speeds = Speeds(source_reference(ordered), ranking)
    metrics = [each.metric for result in ordered for runtime in result.runtimes for each in runtime.metrics]
    blank = {**_blank(), **dict.fromkeys(map(metric_column, metrics), MISSING)}
    for result in ordered:
        if not result.runtimes:
            yield _unchecked(result, blank)
        for runtime in result.runtimes:
            yield from _checked(result, runtime, speeds, blank)


def source_reference(results: Sequence[FormatResult]) -> RuntimeResult | None:
    """The source's row that the others' speed is compared with: its first that was measured."""
    rows = (runtime for result in results if is_source(result) for runtime in result.runtimes)
    return next((runtime for runtime in rows if runtime.performance), None)


def printable(text: str) -> str:
    """The text on one line, without anything that a terminal would obey: results may come from a stranger's package."""
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(one if one.isprintable() else "?" for one in line)


def _unchecked(result: FormatResult, blank: Mapping[str, str]) -> TableRow:
    """A format with no runtime to show: it was not made, or nothing here runs it."""
    cells = {
        "format": format_words(result),
        "runtime": MISSING,
        "result": result_words(result),
        "size": size_text(result.size),
    }
    cause = printable(unmade_cause(result))
    numbers = {} if cause else blank
    return TableRow((result.format.name, ""), result.status, {**numbers, **cells}, cause, not result.requested)


def unmade_cause(result: FormatResult) -> str:
    """Why a format has no runtime to show; ``""`` for a source that is not run."""
    cause = result.failure.cause if result.failure else ""
    if result.status == Status.SKIPPED:
        return f"not tried: {cause}"
    if not cause and result.status != Status.OK:
        return "no installed runtime can run it, so it was not compared with the source"
    return cause


def _checked(
    result: FormatResult, runtime: RuntimeResult, speeds: Speeds, blank: Mapping[str, str]
) -> Iterator[TableRow]:
    head = {
        "format": format_words(result),
        "runtime": printable(runtime.runtime),
        "result": result_words(result, runtime),
        "size": size_text(result.size),
        **_metric_cells(result, runtime),
    }
    row = TableRow((result.format.name, runtime.runtime), runtime.status, head, on_the_way=not result.requested)
    differences = _difference_cells(runtime.verification)
    failure = failure_of(result, runtime)
    if failure is not None and not differences and not runtime.performance:
        yield attrs.evolve(row, cause=printable(failure.cause))
        return
    first = {**blank, **head, **differences}
    for measured in sorted(runtime.performance, key=lambda one: one.batch_size):
        paired = speeds.paired(result.format.name, runtime.runtime, measured.batch_size)
        compared = ratio_text(speeds.apart(runtime, measured)) if paired is None else paired_text(paired)
        yield attrs.evolve(row, cells={**first, **_speed_cells(measured, compared)})
        first = {}
    if first:
        yield attrs.evolve(row, cells=first)


def failure_of(result: FormatResult, runtime: RuntimeResult) -> Failure | None:
    """Why the row is not ok, or has no numbers."""
    if runtime.failure is not None or runtime.status == Status.OK:
        return runtime.failure
    return result.failure


def _metric_cells(result: FormatResult, runtime: RuntimeResult) -> dict[str, str]:
    return {metric_column(one.metric): metric_text(one, source=is_source(result)) for one in runtime.metrics}


def metric_column(name: str) -> str:
    """The column of a metric: its name, unless a column of the table's own is called so."""
    return f"metric {name}" if name in COLUMNS else printable(name)


def metric_text(one: MetricResult, *, source: bool) -> str:
    """The value, and where it is known the difference from the source's: ``0.7812 −0.0020``."""
    value = number_text(one.value, 4)
    if source or one.difference is None or math.isnan(one.difference):
        return value
    return f"{value} {signed_text(one.difference)}"


def signed_text(value: float) -> str:
    """A difference with its sign, in two significant digits: ``+0.012``, ``±0`` for exactly none."""
    if value == 0:
        return "±0"
    return f"{'−' if value < 0 else '+'}{number_text(abs(value), 2)}"


def columns_of(rows: Iterable[TableRow]) -> tuple[str, ...]:
    """The columns of the table: those that it always has, and after the differences one for each metric."""
    found = list(dict.fromkeys(column for row in rows for column in row.cells if column not in COLUMNS))[:_MOST_METRICS]
    front = len(WORDS) + len(DIFFERENCES)
    return (*COLUMNS[:front], *found, *COLUMNS[front:])


def _blank() -> dict[str, str]:
    return dict.fromkeys(COLUMNS[len(WORDS) :], MISSING)


def format_words(result: FormatResult) -> str:
    """The format's name, and what it is to the run."""
    if is_source(result):
        return f"{result.format.name} (source)"
    return result.format.name if result.requested else f"{result.format.name} (on the way)"


def result_words(result: FormatResult, runtime: RuntimeResult | None = None) -> str:
    """The status of the format, or of one of its runtimes, and what else a reader of it has to know."""
    words = [str(result.status if runtime is None else runtime.status)]
    if runtime is not None:
        if result.status == Status.UNVERIFIED and runtime.status == Status.UNAVAILABLE:
            words.insert(0, str(Status.UNVERIFIED))  # it was made, and this is one of the runtimes that are missing
        if runtime.status == Status.OK and _fixed_axes(runtime.verification):
            words.append("fixed axis")
        if not all(measured.stable for measured in runtime.performance):
            words.append("unstable")
    if result.elsewhere or (runtime is not None and runtime.elsewhere):
        words.append("recorded elsewhere")
    if runtime is not None and runtime.judged_by:
        words[0] += f" by {', '.join(printable(one) for one in runtime.judged_by)}"
    verified = runtime is not None and runtime.is_verified
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


def _speed_cells(measured: BatchPerformance, compared: str) -> dict[str, str]:
    cells = (
        str(measured.batch_size) if measured.batch_size > 0 else MISSING,
        with_margin(measured.p50_latency, measured.interval),
        number_text(measured.p99_latency),
        number_text(measured.throughput),
        compared,
    )
    return dict(zip(SPEEDS, cells, strict=True))


NO_DIFFERENCE = "no difference shown"
"""What stands for a ratio whose interval covers 1."""

MARGIN = " ±"
"""What stands between a number and half the width of its interval."""


def ratio_text(compared: float | None) -> str:
    """A ratio without an interval: ``3.89×``."""
    return MISSING if compared is None else f"{number_text(compared, 2 if compared < 1 else 3)}×"


def paired_text(paired: PairedRatio) -> str:
    """A ratio with its interval: ``3.89× ±0.06``."""
    if not paired.shows_difference:
        return NO_DIFFERENCE
    return f"{ratio_text(paired.ratio)}{MARGIN}{number_text(paired.margin, 1)}"


def with_margin(value: float, interval: tuple[float, float] | None) -> str:
    """A number, and where its interval is known half the width of that: ``1.20 ±0.03``."""
    if interval is None:
        return number_text(value)
    return f"{number_text(value)}{MARGIN}{number_text((interval[1] - interval[0]) / 2, 1)}"


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
