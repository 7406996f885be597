"""Draws results as one aligned table in plain text, with the reasons of what is not ok beneath it."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import attrs

from navcore.package.report.cells import (
    COLUMNS,
    WORDS,
    TableRow,
    failure_of,
    is_source,
    printable,
    rows_of,
    source_first,
    source_reference,
)
from navcore.workspace import Failure, FormatResult, Outcome, RuntimeResult, Status

DEFAULT_WIDTH = 120
_LEAST_WIDTH = 40
_GAP = "  "
_LONGEST = 4000
_MOST_LINES = 1000
_GIVEN_UP_FIRST = ("size", "max rel", "p99 ms", "items/s", "max abs", "rel L2", "vs source")


@attrs.frozen
class Line:
    """One line of the report. ``faint`` marks what a terminal may show dimmed."""

    text: str
    faint: bool = False


def render_table(results: Sequence[FormatResult], *, width: int | None = None) -> str:
    """The results as plain text: one line per format, runtime and batch size, the source first.

    ``width`` is the number of columns that there are; where the table is wider, the least important of its columns are
    left out and named below it. ``None`` draws all of it and wraps sentences at 120. Latencies are in milliseconds,
    ``items/s`` are samples per second, sizes are in powers of 1000 bytes.
    """
    return "\n".join(line.text for line in table_lines(results, width=width))


def table_lines(results: Sequence[FormatResult], *, width: int | None = None) -> list[Line]:
    """The lines of :func:`render_table`, for whoever can show some of them dimmed."""
    rows = list(rows_of(results))
    if not rows:
        return [Line("No results yet.")]
    columns, widths, left_out = _fitted(rows, width)
    natural = sum(widths.values()) + len(_GAP) * (len(columns) - 1)
    limit = max(natural, DEFAULT_WIDTH) if width is None else max(width, _LEAST_WIDTH)
    lines = [Line(_aligned(dict(zip(columns, columns, strict=True)), columns, widths)), Line("─" * natural)]
    shortened = set()
    for row in rows:
        text, complete = _drawn(row, columns, widths, limit)
        lines.append(Line(text, row.on_the_way))
        if not complete:
            shortened.add(row.about)
    told = list(_cut(itertools.chain(_reasons(results, limit, shortened), _notes(results, limit))))
    legend = [part for sentence in _legend(results, left_out) for part in _wrapped("", sentence, limit)]
    for block in (told, legend):
        if block:
            lines += [Line(""), *(Line(text) for text in block)]
    return lines


def _cut(lines: Iterable[str]) -> Iterator[str]:
    """The lines, as far as a reader gets: a stranger's record may hold any number of them."""
    for number, line in enumerate(lines):
        if number == _MOST_LINES:
            yield "… and more than that; JSON has all of it."
            return
        yield line


def _fitted(rows: Sequence[TableRow], width: int | None) -> tuple[tuple[str, ...], dict[str, int], list[str]]:
    """The columns that fit, their widths, and the names of those left out."""
    widths = {column: max([len(column), *(len(row.cells.get(column, "")) for row in rows)]) for column in COLUMNS}
    left_out: list[str] = []
    for column in ("", *_GIVEN_UP_FIRST):
        if column:
            left_out.append(column)
        columns = tuple(name for name in COLUMNS if name not in left_out)
        needed = sum(widths[name] for name in columns) + len(_GAP) * (len(columns) - 1)
        if width is None or needed <= width:
            break
    return columns, {name: widths[name] for name in columns}, left_out


def _aligned(cells: dict[str, str], columns: Sequence[str], widths: dict[str, int]) -> str:
    parts = []
    for column in columns:
        text = cells.get(column, "")
        parts.append(text.ljust(widths[column]) if column in WORDS else text.rjust(widths[column]))
    return _GAP.join(parts).rstrip()


def _drawn(row: TableRow, columns: Sequence[str], widths: dict[str, int], limit: int) -> tuple[str, bool]:
    """The row's line, and whether its cause could be said in full."""
    cells = dict(row.cells)
    if not row.cause:
        return _aligned(cells, columns, widths), True
    after = COLUMNS.index(row.cause_at)
    front = [column for column in columns if COLUMNS.index(column) < after]
    text = _GAP.join(
        (cells.get(column, "").ljust if column in WORDS else cells.get(column, "").rjust)(widths[column])
        for column in front
    )
    room = limit - len(text) - len(_GAP)
    if len(row.cause) <= room:
        return f"{text}{_GAP}{row.cause}", True
    cut = "see below" if room < 24 else row.cause[: room - 1].rstrip() + "…"
    return f"{text}{_GAP}{cut}", False


def _reasons(results: Sequence[FormatResult], limit: int, shortened: set[tuple[str, str]]) -> Iterator[str]:
    """The whole story of every row that is not ok: cause, the user's line, what to do, and the log."""
    for result in source_first(results):
        if not result.runtimes and result.failure is not None:
            outcome = result.attempts[-1].outcome if result.attempts else None
            told = (result.format.name, "") not in shortened
            yield from _story(result.format.name, result.failure, outcome, limit, told)
        for runtime in result.runtimes:
            failure = failure_of(result, runtime)
            if failure is not None:
                subject = f"{result.format.name} in {runtime.runtime}"
                told = bool(not runtime.performance and (result.format.name, runtime.runtime) not in shortened)
                yield from _story(subject, failure, _outcome_of(result, runtime), limit, told)


def _outcome_of(result: FormatResult, runtime: RuntimeResult) -> Outcome | None:
    if runtime.profiling is not None and runtime.profiling.failure is not None:
        return runtime.profiling
    if runtime.outcome is not None:
        return runtime.outcome
    return result.attempts[-1].outcome if result.attempts else None


def _story(subject: str, failure: Failure, outcome: Outcome | None, limit: int, told: bool) -> Iterator[str]:
    log = outcome.log if outcome is not None else ""
    if told and not (failure.hint or failure.frame or log):
        return  # the table's own line has said all there is
    yield from _wrapped("why: ", f"{subject}: {failure.cause}", limit)
    for sentence in (failure.frame and f"at {failure.frame}", failure.hint, log and f"log: {log}"):
        if sentence:
            yield from _wrapped("     ", sentence, limit)


def _notes(results: Sequence[FormatResult], limit: int) -> Iterator[str]:
    """What a reader has to know about a row that is there: other routes that failed first, fallbacks, frozen axes."""
    for result in source_first(results):
        name = result.format.name
        for sentence in dict.fromkeys(_remarks(result)):
            yield from _wrapped("note: ", f"{name}: {sentence}", limit)
        for runtime in result.runtimes:
            checked = runtime.verification
            for sentence in dict.fromkeys((*runtime.notes, *(checked.notes if checked is not None else ()))):
                yield from _wrapped("note: ", f"{name} in {runtime.runtime}: {sentence}", limit)


def _remarks(result: FormatResult) -> Iterator[str]:
    explained = result.attempts[-1:] if result.status != Status.OK else ()
    for attempt in result.attempts:
        failure = attempt.outcome.failure
        if failure is not None and attempt not in explained:
            log = f" (log: {attempt.outcome.log})" if attempt.outcome.log else ""
            yield f"{attempt.route} was tried: {failure.cause}{log}"
        if not attempt.outcome.contained and not is_source(result):
            yield "not contained: it was made in the process that called navcore, which a crash would have ended"
    yield from result.notes


def _legend(results: Sequence[FormatResult], left_out: Sequence[str]) -> Iterator[str]:
    rows = [runtime for result in results for runtime in result.runtimes]
    measured = [runtime for runtime in rows if runtime.performance]
    if measured:
        yield "Latency is in milliseconds and includes host↔device copies; items/s are samples per second."
        yield from _threads(measured)
    reference = source_reference(results)
    if reference is not None and len(measured) > 1:
        yield (
            f"vs source: the median latency of the source (in {printable(reference.runtime)}) over the row's, at the "
            "same batch size; below 1× the row is slower than the source."
        )
    if any(not one.stable for runtime in measured for one in runtime.performance):
        yield "unstable: no three windows in a row agreed; the numbers pool all windows."
    if any(runtime.verification is not None and runtime.verification.frozen_axes for runtime in rows):
        yield "fixed axis: the export takes only one size of an axis that moves in the data; the notes name it."
    if any(result.elsewhere for result in results) or any(runtime.elsewhere for runtime in rows):
        yield "recorded elsewhere: the row is another machine's, and could not be redone on this one."
    if left_out:
        yield f"There was no room for: {', '.join(left_out)}. A wider terminal, or --json, has them."


def _threads(measured: Sequence[RuntimeResult]) -> Iterator[str]:
    counts = {runtime.threads for runtime in measured if runtime.threads is not None}
    if len(counts) == 1:
        count = counts.pop()
        yield f"Measured with {count} thread{'' if count == 1 else 's'}."
    elif counts:
        by_runtime = {printable(one.runtime): one.threads for one in measured if one.threads is not None}
        yield f"Threads: {', '.join(f'{name} {count}' for name, count in by_runtime.items())}."


def _wrapped(mark: str, sentence: str, width: int) -> list[str]:
    """The sentence in lines of at most ``width``; a path is never broken, so that it can be copied."""
    return textwrap.wrap(
        printable(sentence if len(sentence) <= _LONGEST else f"{sentence[:_LONGEST]}…"),
        width,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )
