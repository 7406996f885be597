"""The charts with what belongs to each on the page: a title, what it shows in words, and a table of its numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TypeVar

import attrs

from navcore.package.report.cells import MISSING, difference_text, number_text
from navcore.package.report.html.charts import drawn
from navcore.package.report.html.content import Content
from navcore.package.report.html.measured import Errors, Latencies
from navcore.package.report.html.private_paths import told
from navcore.package.report.html.ridges import ridges
from navcore.package.report.html.scatter import scatter
from navcore.package.report.html.speed_error import SpeedAndError
from navcore.package.report.html.strips import strips
from navcore.package.report.table import shared_ending

_MOST_NUMBERS = 12_000
"""How many single errors are written out; a page of more would be too heavy to open."""
_FEW = 8
_MOST_CURVES = 40
_MOST_STRIPS = 60


@attrs.frozen
class Numbers:
    """A table for who cannot see a chart, or wants its numbers: ``heads``, and rows whose first cell is a head too.

    The first ``words`` columns hold words.
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


@attrs.frozen
class Figure:
    """A chart: ``pictures`` are elements of the page, one per paper; all else is text."""

    title: str
    caption: str
    pictures: tuple[str, ...]
    numbers: tuple[Numbers, ...]


def speed_figures(content: Content) -> Iterator[Figure]:
    """A picture of speed against error per batch size that has points."""
    for number, seen in enumerate(content.speeds):
        if seen.points:
            yield _speed_figure(seen, f"speed-{number}", _by(content.clock))


def _by(clock: str) -> str:
    """The sentence that says what measured, where that was not navcore itself."""
    return f" Latency is {clock}." if clock else ""


def _speed_figure(seen: SpeedAndError, name: str, clock: str) -> Figure:
    at = _at_size(seen.batch_size)
    front = [point for point in seen.points if point.best]
    front.sort(key=lambda point: point.error)
    listed = "; ".join(
        f"{point.name} ({_speed_text(seen, point.speed)}, error {difference_text(point.error)})" for point in front
    )
    caption = f"No other row is both faster and nearer than {'this one' if len(front) == 1 else 'these'}: {listed}."
    if any(point.high > point.low for point in seen.points):
        caption += " Bars are 95 % intervals."
    if not all(point.here for point in seen.points):
        caption += " Squares are rows that another machine recorded."
    if len(seen.points) > _FEW:
        caption += " A number stands for a row whose name has no room: it is the row's mark in the table below."
    if seen.left_out:
        caption += f" Not in the picture: {'; '.join(seen.left_out)}."
    caption += clock
    title = f"Speed against error{at}"
    speed = f"times as fast as {seen.reference}" if seen.by_ratio else "median latency, ms"
    return Figure(
        title,
        caption,
        drawn(partial(scatter, seen), name=name, title=title, description=f"{len(seen.points)} points. {caption}"),
        (
            Numbers(
                f"{title}: the numbers",
                ("mark", "row", speed, "95 % interval", "relative error", "on the front"),
                tuple(
                    (
                        str(number),
                        point.name if point.here else f"{point.name} (recorded elsewhere)",
                        number_text(point.speed, 4),
                        f"{number_text(point.low, 4)} to {number_text(point.high, 4)}"
                        if point.high > point.low
                        else MISSING,
                        difference_text(point.error),
                        "yes" if point.best else "no",
                    )
                    for number, point in enumerate(seen.points, 1)
                ),
                words=2,
            ),
        ),
    )


def _speed_text(seen: SpeedAndError, speed: float) -> str:
    return f"{number_text(speed)}×" if seen.by_ratio else f"{number_text(speed)} ms"


def _at_size(batch_size: int) -> str:
    return "" if batch_size < 0 else f" at batch size {batch_size}"


def latency_figures(content: Content) -> Iterator[Figure]:
    """A picture of distributions per batch size."""
    groups = itertools.groupby(content.latencies, key=lambda one: one.batch_size)
    for number, (size, found) in enumerate(groups):
        spreads, ending = list(found), shared_ending([one.runtime for one in content.latencies])
        title = f"Latencies{_at_size(size)}"
        shown = spreads[:_MOST_CURVES]
        quickest = min(spreads, key=lambda one: one.quantiles[2])
        words = (
            "The height of a curve says how common a latency is; the upright line is the median, the thick line the "
            "middle half of all calls, the thin one nine calls in ten."
        )
        description = f"{words} The lowest median is that of {quickest.name}, {number_text(quickest.quantiles[2])} ms."
        yield Figure(
            title,
            f"{words} The outermost half percent on either side is not drawn.{_without(ending)}"
            f"{_more(len(spreads) - len(shown))}{_by(content.clock)}",
            drawn(
                partial(ridges, _short(shown, ending), _short_place(content.answer.chosen, ending)),
                name=f"latencies-{number}", title=title, description=description,
            ),
            (_latency_numbers(title, spreads),),
        )  # fmt: skip


def _latency_numbers(title: str, spreads: Sequence[Latencies]) -> Numbers:
    heads = ("row", "5 %", "25 %", "median", "75 %", "95 %", "calls")
    rows = [(one.name, *(number_text(value, 4) for value in one.quantiles), str(one.calls)) for one in spreads]
    return Numbers(f"{title}: percentiles in ms", heads, tuple(rows))


def error_figure(content: Content) -> Figure | None:
    """The map of all errors; ``None`` where no package holds them."""
    errors = content.errors
    if not errors:
        return None
    title = "Error per output and sample"
    count = max(len(one.values) for one in errors)
    worst = max(errors, key=_largest)
    ending = shared_ending([one.runtime for one in errors])
    limit = sorted(map(_largest, errors), reverse=True)[:_MOST_STRIPS][-1]
    shown = [one for one in errors if _largest(one) >= limit][:_MOST_STRIPS]
    caption = (
        f"Each strip is an output of a row, each cell one of its comparisons with the source ({count} at most): "
        f"samples first, then items, stacks and other sizes of the moving axes.{_without(ending)}"
        f"{_more(len(errors) - len(shown), ' with smaller errors')}"
    )
    return Figure(
        title,
        caption,
        drawn(
            partial(strips, _short(shown, ending)),
            name="errors",
            title=title,
            description=f"{caption} {_worst_words(worst)}",
        ),
        (_error_summary(errors), *_error_numbers(errors)),
    )


Behind = TypeVar("Behind", Latencies, Errors)


def _short(found: Sequence[Behind], ending: str) -> list[Behind]:
    """The same with shorter names, as there is little room in a picture."""
    return [attrs.evolve(one, runtime=one.runtime.removesuffix(ending)) for one in found]


def _short_place(chosen: tuple[str, str] | None, ending: str) -> tuple[str, str] | None:
    return None if chosen is None else (told(chosen[0]), told(chosen[1]).removesuffix(ending))


def _without(ending: str) -> str:
    return f" Runtimes are named without their ending {ending}." if ending else ""


def _largest(one: Errors) -> float:
    return max((value for value in one.values if value is not None), default=0.0)


def _more(count: int, which: str = "") -> str:
    return f" {count} more{which} are in the table below, and not drawn." if count > 0 else ""


def _worst_words(one: Errors) -> str:
    worst = one.worst
    if worst is None:
        return "Nothing could be compared."
    where = f"output {one.output} of {one.name} on {one.comparisons[worst]}"
    return f"The largest error, {difference_text(one.values[worst])}, is that of {where}."


def _error_summary(errors: Sequence[Errors]) -> Numbers:
    rows = []
    for one in errors:
        known = sorted(value for value in one.values if value is not None)
        worst = one.worst
        rows.append(
            (
                one.name,
                one.output,
                str(len(known)),
                difference_text(known[(len(known) - 1) // 2] if known else None),
                MISSING if worst is None else difference_text(one.values[worst]),
                MISSING if worst is None else one.comparisons[worst],
                difference_text(one.bound),
            )
        )
    heads = ("row", "output", "comparisons", "median", "largest", "of which", "bound")
    return Numbers("Error per output: the worst comparison", heads, tuple(rows), words=2)


def _error_numbers(errors: Sequence[Errors]) -> Iterator[Numbers]:
    """Every single number, as long as a page can hold them."""
    if sum(len(one.values) for one in errors) > _MOST_NUMBERS:
        too_many = ("They are too many for a page: the files *.errors.npz in the package have them.",)
        yield Numbers("Error per output and sample: every number", ("comparison",), (too_many,))
        return
    by_comparisons = itertools.groupby(errors, key=lambda one: one.comparisons)
    for labels, found in by_comparisons:
        group = list(found)
        heads = ("comparison", *(f"{one.name}, {one.output}" for one in group))
        rows = [(label, *(difference_text(one.values[number]) for one in group)) for number, label in enumerate(labels)]
        yield Numbers("Error per output and sample: every number", heads, tuple(rows))
