"""All that the page says, gathered as plain values from a record and what lies behind it; no HTML is in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from navcore.package.report.cells import COLUMNS, SPEEDS, WORDS, TableRow, rows_of
from navcore.package.report.html.answer import Answer, answer_of
from navcore.package.report.html.environment import environment_lines
from navcore.package.report.html.measured import Errors, Latencies, Reader, errors_of, latencies_of
from navcore.package.report.html.private_paths import told
from navcore.package.report.html.reproduction import Reproduction, reproduction_of
from navcore.package.report.html.speed_error import SpeedAndError, speed_and_error
from navcore.package.report.reasons import folded, reasons_of
from navcore.package.report.table import clock_of, legend_of, remarks_of
from navcore.workspace import FormatResult, Record

if TYPE_CHECKING:
    from navcore.registry import Registry

_MOST = 500
"""What is shown of a record, which may be a stranger's and hold any number of rows."""


@attrs.frozen
class Row:
    """One format in one runtime: what it says once, and a mapping of its speeds per batch size; or the cause.

    Both have texts by column.
    ``status`` is the word by which it is coloured. ``chosen`` marks the row that the answer names.
    """

    format: str
    runtime: str
    result: str
    status: str
    once: Mapping[str, str]
    speeds: tuple[Mapping[str, str], ...]
    cause: str = ""
    on_the_way: bool = False
    chosen: bool = False


@attrs.frozen
class Failed:
    """One cause with what to do about it, and the rows that share it."""

    status: str
    words: str
    who: str
    cause: str
    details: tuple[str, ...]


@attrs.frozen
class Content:
    """The page: its parts in their order. ``clock`` says what measured, where that was not navcore itself."""

    model_name: str
    source: str
    began: str
    navcore_version: str
    answer: Answer
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    legend: tuple[str, ...]
    speeds: tuple[SpeedAndError, ...]
    latencies: tuple[Latencies, ...]
    errors: tuple[Errors, ...]
    failures: tuple[Failed, ...]
    notes: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]
    reproduction: Reproduction
    is_cut: bool = False
    clock: str = ""


def content_of(record: Record, read: Reader, registry: Registry | None = None) -> Content:
    """What there is to say of the record; ``read`` gives the files behind it. Nothing is run, and nothing loaded.

    ``registry`` knows what a profiler measures, where that is installed here.
    """
    results = record.results[:_MOST]
    settings = record.settings
    clock = clock_of(settings.profiler, registry)
    answer = _by_clock(answer_of(results, record.ranking, settings), clock)
    lines = list(itertools.islice(rows_of(results, record.ranking), _MOST))
    return Content(
        model_name=told(settings.model_name),
        source=told(record.source.name),
        began=told(record.timestamp.partition(".")[0].replace("T", " ")),
        navcore_version=told(record.navcore_version),
        answer=answer,
        columns=tuple(_columns(lines)),
        rows=tuple(_rows(lines, answer.chosen)),
        legend=tuple(map(told, legend_of(results, record.ranking, clock))),
        speeds=speed_and_error(results, record.ranking),
        latencies=latencies_of(results, read, by_windows=settings.windows is not None),
        errors=errors_of(results, read),
        failures=tuple(_failures(results)),
        notes=tuple((told(name), told(sentence)) for name, sentence in itertools.islice(remarks_of(results), _MOST)),
        environment=environment_lines(record.environment),
        reproduction=reproduction_of(record),
        is_cut=len(record.results) > _MOST,
        clock=told(clock),
    )


def _by_clock(answer: Answer, clock: str) -> Answer:
    """The answer, which says first what its milliseconds are; without any there is nothing to say."""
    if not clock or not answer.details:
        return answer
    return attrs.evolve(answer, details=(f"Latency is {told(clock)}.", *answer.details))


def _columns(lines: Sequence[TableRow]) -> Iterator[str]:
    """The columns of the table, and before the speeds whatever else its lines tell."""
    others = dict.fromkeys(name for line in lines for name in line.cells if name not in COLUMNS)
    for name in COLUMNS:
        if name == SPEEDS[0]:
            yield from map(told, others)
        yield name


def _rows(lines: Sequence[TableRow], chosen: tuple[str, str] | None) -> Iterator[Row]:
    for about, group in itertools.groupby(lines, key=lambda line: line.about):
        yield _row(list(group), chosen == about)


def _row(lines: Sequence[TableRow], chosen: bool) -> Row:
    first = lines[0]
    cells = {name: told(cell) for name, cell in first.cells.items()}
    return Row(
        format=cells.get("format", ""),
        runtime=cells.get("runtime", ""),
        result=cells.get("result", ""),
        status=str(first.status),
        once={told(name): cell for name, cell in cells.items() if name not in (*WORDS, *SPEEDS)},
        speeds=() if first.cause else tuple({name: line.cells.get(name, "") for name in SPEEDS} for line in lines),
        cause=told(first.cause),
        on_the_way=first.on_the_way,
        chosen=chosen,
    )


def _failures(results: Sequence[FormatResult]) -> Iterator[Failed]:
    for one in itertools.islice(folded(reasons_of(results)), _MOST):
        who = ", ".join(one.formats) + (f" in {', '.join(one.runtimes)}" if one.runtimes else "")
        yield Failed(str(one.status), told(one.words), told(who), told(one.cause), tuple(map(told, one.details)))
