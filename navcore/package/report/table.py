"""Draws results as a table that fits: whole for a file or a pipe, without its least important columns on a terminal."""

from __future__ import annotations

import io
import itertools
import os
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from navcore.evaluation import DISTURBED
from navcore.package.report.callers import MEANING, callers_lines
from navcore.package.report.cells import (
    COLOURS,
    COLUMNS,
    MARGIN,
    MISSING,
    NO_DIFFERENCE,
    WORDS,
    TableRow,
    columns_of,
    is_source,
    printable,
    rows_of,
    source_first,
    source_reference,
)
from navcore.package.report.reasons import Reason, folded, reasons_of
from navcore.workspace import FormatResult, Ranking, Settings, Status

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from navcore.registry import Registry

DEFAULT_WIDTH = 120
_LEAST_WIDTH = 40
_USUAL_TERMINAL = 80
_LEAST_CAUSE = 24
_ENDLESS = 1 << 20
_GAP = 2
_LONGEST = 4000
_MOST_LINES = 1000
_MOST_ROWS = 500
"""What is drawn of a record, which may be a stranger's and hold any number of rows."""
_AND_MORE = "… and more than that; JSON has all of it."
_GIVEN_UP_FIRST = ("max rel", "p99 ms", "size", "rel L2", "items/s", "max abs", "vs source")
"""What a terminal can do without, the least important first."""
_UNSTABLE = "unstable: no three windows in a row agreed; the numbers pool all windows."
_UNSETTLED = "unstable: the time was over before the ratio to the source was known to 10 %; a larger budget may help."
_BUSY = f"{DISTURBED} at times while this was measured; --json says in how many windows of each."
_SIGNS = (
    ("format", " (on the way)", "*", "*: made on the way to another format."),
    ("result", " ✓ verified", " ✓", "✓: verified by your own word."),
    ("vs source", NO_DIFFERENCE, "~1×", "~1×: the measurement shows no difference to the source."),
)
"""Column, words in it, what stands for them where there is little room, and its meaning."""


def render_table(
    results: Sequence[FormatResult], ranking: Ranking | None = None, *, width: int | None = None, clock: str = ""
) -> str:
    """The results as plain text: one line per format, runtime and batch size, the source first.

    ``width`` is the number of columns that there are; where the table is wider, the least important of its columns are
    left out and named below it. ``None`` draws all of it and wraps sentences at 120. Latencies are in milliseconds,
    ``items/s`` are samples per second, sizes are in powers of 1000 bytes. ``clock`` says what measured, where that is
    not navcore's own (:func:`clock_of`).
    """
    from rich.console import Console

    page = io.StringIO()
    console = Console(file=page, width=width or _ENDLESS, color_system=None, force_terminal=False, legacy_windows=False)
    print_table(results, console, ranking, width=width, clock=clock)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def clock_of(profiler: str, registry: Registry | None = None) -> str:
    """What measured, in words, where that was not navcore itself: ``CPU time, by cputime``.

    ``profiler`` is the plugin's name as the run recorded it. Without a ``registry``, or where that plugin is not
    installed, nothing is known but the name.
    """
    if profiler == Settings().profiler:
        return ""
    routes = [route for route in registry.routes if route.hook == "profile"] if registry is not None else []
    measures = next((route.measures for route in routes if profiler in (route.owner, route.distribution)), "")
    return f"{printable(measures) or 'what its profiler measures'}, by {printable(profiler)}"


def terminal_width() -> int | None:
    """How many columns standard output shows, ``None`` where it is no terminal: then nothing has to fit."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        # Of this stream, not of the process's: while a command runs, those are two.
        return os.get_terminal_size(sys.stdout.fileno()).columns or _USUAL_TERMINAL
    except (OSError, ValueError):
        return _USUAL_TERMINAL


def print_table(
    results: Sequence[FormatResult],
    console: Console,
    ranking: Ranking | None = None,
    *,
    width: int | None = None,
    clock: str = "",
) -> None:
    """Print what :func:`render_table` returns, on a console that may show it in colours."""
    from rich.text import Text

    rows = list(itertools.islice(rows_of(results, ranking), _MOST_ROWS))
    if not rows:
        console.print("No results yet.")
        return
    reasons, legend = reasons_of(results), list(legend_of(results, ranking, clock))
    drawn = width is None or not all(row.cause for row in rows)
    if width is None:
        limit, told = _print_whole(rows, console)
        reasons = folded(one for one in reasons if one.details or one.about not in told)
    else:
        limit = max(width, _LEAST_WIDTH)
        legend += _print_fitted([row for row in rows if not row.cause], console, limit)
        reasons = folded(reasons)
    if len(rows) == _MOST_ROWS:
        console.print(_AND_MORE)
    together = list(callers_lines(results))
    callers = (line for sentence in together for line in _wrapped("callers: ", sentence, limit))
    legend += [MEANING] if together else []
    plain = [callers, _notes(results, limit), (line for sentence in legend for line in _wrapped("", sentence, limit))]
    uncoloured = (zip(lines, itertools.repeat(0), itertools.repeat("")) for lines in plain)
    for block in (_reason_lines(reasons, limit), *uncoloured):
        for number, (line, front, style) in enumerate(_cut(block)):
            text = Text(line)
            text.stylize(style, 0, front)
            if number == 0 and drawn:
                console.print()
            drawn = True
            console.print(text, soft_wrap=True)


def _print_whole(rows: Sequence[TableRow], console: Console) -> tuple[int, set[tuple[str, str]]]:
    """One line per row, those without numbers last. Returns the width, and which rows could say all of their cause."""
    from rich.cells import cell_len

    numbers, causes = [row for row in rows if not row.cause], [row for row in rows if row.cause]
    columns = columns_of(numbers)
    front = _widths([row.cells for row in rows], WORDS)
    limit = DEFAULT_WIDTH
    if numbers:
        cells = [row.cells for row in numbers]
        limit = max(limit, _needed({**_widths(cells, columns), **front}))
        console.print(_table(cells, columns, numbers, front))
    room = max(limit - _needed({**front, "why": 0}), _LEAST_CAUSE)
    if causes:
        cells = [{**row.cells, "why": row.cause} for row in causes]
        below = _table(cells, (*WORDS, "why"), causes, front, headed=not numbers)
        below.columns[-1].max_width = room
        console.print(below)
    return limit, {row.about for row in causes if cell_len(row.cause) <= room}


def _print_fitted(rows: Sequence[TableRow], console: Console, width: int) -> list[str]:
    """The rows without what matters least. Returns what was left out: columns that were not empty, and what is told."""
    if not rows:
        return []
    cells = [row.cells for row in rows]
    columns, told = list(columns_of(rows)), list[str]()
    empty = [column for column in columns if all(one.get(column, MISSING) == MISSING for one in cells)]
    given_up = (*_GIVEN_UP_FIRST, *(column for column in reversed(columns) if column not in COLUMNS))
    for column in (*empty, "", *given_up):
        if _needed(_widths(cells, columns)) <= width:
            break
        if not column:
            cells, told = _shortened(cells)
        elif column in columns:
            columns.remove(column)
    console.print(_table(cells, columns, rows), width=min(width, _needed(_widths(cells, columns))))
    dropped = [column for column in given_up if column not in (*columns, *empty)]
    if dropped:
        told.append(f"There was no room for: {', '.join(dropped)}. A wider terminal, or --json, has them.")
    return told


def _widths(cells: Sequence[Mapping[str, str]], columns: Sequence[str]) -> dict[str, int]:
    from rich.cells import cell_len

    return {name: max(cell_len(one) for one in (name, *(row.get(name, "") for row in cells))) for name in columns}


def _needed(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def _shortened(cells: Sequence[Mapping[str, str]]) -> tuple[list[Mapping[str, str]], list[str]]:
    """The cells with shorter words, and the sentences that say what those mean."""
    ending = shared_ending([one.get("runtime", "") for one in cells])
    told = [f"Runtimes are named without their ending {ending}."] if ending else []
    short = [{**one, "runtime": one.get("runtime", "").removesuffix(ending)} for one in cells]
    short = [{**one, "p50 ms": one.get("p50 ms", "").partition(MARGIN)[0]} for one in short]
    for column, words, sign, meaning in _SIGNS:
        if any(words in one.get(column, "") for one in short):
            short = [{**one, column: one.get(column, "").replace(words, sign)} for one in short]
            told.append(meaning)
    return list(short), told


def _table(
    cells: Sequence[Mapping[str, str]],
    columns: Sequence[str],
    rows: Sequence[TableRow],
    least: Mapping[str, int] | None = None,
    *,
    headed: bool = True,
) -> Table:
    """Columns two spaces apart, below a line. Words may be folded where there is no room, numbers are not."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0), show_header=headed)
    for column in columns:
        words = column in WORDS
        table.add_column(
            Text(column),
            justify="left" if words or column == "why" else "right",
            overflow="fold" if words else "ellipsis",
            no_wrap=not words,
            min_width=(least or {}).get(column),
        )
    for row, texts in zip(rows, cells, strict=True):
        shown = [Text(texts.get(column, ""), COLOURS[row.status] if column == "result" else "") for column in columns]
        table.add_row(*shown, style="dim" if row.on_the_way else "")
    return table


def shared_ending(names: Sequence[str]) -> str:
    """The longest ending in whole words (``ExecutionProvider``) that at least two different names have; or ``""``."""
    endings = Counter(
        name[start.start() :] for name in set(names) for start in re.finditer(r"(?<=[a-zA-Z0-9])(?=[A-Z][a-z])", name)
    )
    shared = [ending for ending, count in endings.items() if count > 1]
    return max(shared, key=len, default="")


def _reason_lines(reasons: Sequence[Reason], limit: int) -> Iterator[tuple[str, int, str]]:
    """Each line with the length of its front, which is coloured, and the colour."""
    front = max((len(one.words) for one in reasons), default=0) + 2
    for one in reasons:
        first, *others = _wrapped(one.words.ljust(front), one.sentence, limit)
        yield first, front, COLOURS[one.status]
        for line in (*others, *(line for detail in one.details for line in _wrapped(" " * front, detail, limit))):
            yield line, 0, ""


def _cut(lines: Iterable[tuple[str, int, str]]) -> Iterator[tuple[str, int, str]]:
    """The lines, as far as a reader gets: a stranger's record may hold any number of them."""
    for number, line in enumerate(lines):
        if number == _MOST_LINES:
            yield _AND_MORE, 0, ""
            return
        yield line


def _notes(results: Sequence[FormatResult], limit: int) -> Iterator[str]:
    for name, sentence in remarks_of(results):
        yield from _wrapped("note: ", f"{name}: {sentence}", limit)


def remarks_of(results: Sequence[FormatResult]) -> Iterator[tuple[str, str]]:
    """What a reader has to know about a row that is there: other routes that failed first, fallbacks, frozen axes.

    Each is the name of the row, and a sentence.
    """
    for result in source_first(results):
        name = str(result.format.name)
        yield from ((name, sentence) for sentence in dict.fromkeys(_remarks(result)))
        for runtime in result.runtimes:
            checked = runtime.verification
            sentences = dict.fromkeys((*runtime.notes, *(checked.notes if checked is not None else ())))
            yield from ((f"{name} in {runtime.runtime}", sentence) for sentence in sentences)


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


def legend_of(results: Sequence[FormatResult], ranking: Ranking | None, clock: str = "") -> Iterator[str]:
    """Sentences that say what the columns and words of the table mean, as far as they occur in it."""
    rows = [runtime for result in results for runtime in result.runtimes]
    measured = [runtime for runtime in rows if runtime.performance]
    if measured:
        if clock:
            yield f"Latency is {clock}."
        yield "Latency is in milliseconds and includes host↔device copies; items/s are samples per second."
        yield from _threads(results)
    reference = source_reference(results)
    if ranking is not None and ranking.is_source and ranking.ratios:
        yield (
            f"vs source: how many times faster than the source (in {printable(ranking.reference[1])}), measured in "
            f"turn; ± is half the 95 % interval. {NO_DIFFERENCE.capitalize()}: the interval covers 1."
        )
    elif reference is not None and len(measured) > 1:
        yield (
            f"vs source: the median latency of the source (in {printable(reference.runtime)}) over the row's, at the "
            "same batch size; below 1× the row is slower than the source."
        )
    if any(not one.stable for runtime in measured for one in runtime.performance):
        by_turns = any(one.interval for runtime in measured for one in runtime.performance if not one.stable)
        yield _UNSETTLED if by_turns else _UNSTABLE
    if any(note.startswith(DISTURBED) for runtime in measured for one in runtime.performance for note in one.notes):
        yield _BUSY
    if any(runtime.verification is not None and runtime.verification.frozen_axes for runtime in rows):
        yield "fixed axis: the export takes only one size of an axis that moves in the data; the notes name it."
    if any(result.elsewhere for result in results) or any(runtime.elsewhere for runtime in rows):
        yield "recorded elsewhere: the row is another machine's, and could not be redone on this one."


def _threads(results: Sequence[FormatResult]) -> Iterator[str]:
    """With how many threads each was measured: one number for all, for each runtime, or where those differ each row."""
    rows = [
        (result.format.name, one.runtime, one.threads)
        for result in source_first(results)
        for one in result.runtimes
        if one.performance and one.threads is not None
    ]
    counts = {count for _, _, count in rows}
    if len(counts) == 1:
        count = counts.pop()
        yield f"Measured with {count} thread{'' if count == 1 else 's'}."
    elif counts:
        by_runtime = dict.fromkeys((runtime, count) for _, runtime, count in rows)
        told = [f"{runtime} {count}" for runtime, count in by_runtime]
        if len({runtime for runtime, _ in by_runtime}) < len(by_runtime):
            told = [f"{format} in {runtime} {count}" for format, runtime, count in rows]
        yield f"Threads: {', '.join(printable(one) for one in told)}."


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
