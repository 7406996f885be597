"""Speed against error as a picture: points with their intervals, and the front joined by steps."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import altair as alt
import attrs

from navcore.package.report.html.charts import ACCENT, INK, MUTED, Paper, Picture, cut, data
from navcore.package.report.html.speed_error import Point, SpeedAndError
from navcore.package.report.html.ticks import Align, Label, domain_of, placed_labels, power_ticks, round_ticks

_HEIGHT = 320
_SHAPES = {True: "circle", False: "square"}


@attrs.frozen
class _Plane:
    """Two logarithmic axes on a plot of so many pixels; ``turned`` says that the lower speeds lie to the right."""

    across: tuple[float, float]
    up: tuple[float, float]
    width: float
    turned: bool

    def place(self, speed: float, error: float) -> tuple[float, float]:
        """Pixels from the left and from the top."""
        share = _share(speed, self.across)
        return self.width * (1 - share if self.turned else share), _HEIGHT * (1 - _share(error, self.up))

    def bar(self, point: Point) -> tuple[float, float, float]:
        """From where to where its interval reaches, and at which height."""
        ends = [self.place(speed, point.error) for speed in (point.low, point.high)]
        return min(ends)[0], max(ends)[0], ends[0][1]

    def numbers(self, x: float, y: float) -> dict[str, float]:
        """What lies at that place."""
        share = x / self.width
        return {
            "speed": _at(1 - share if self.turned else share, self.across),
            "error": _at(1 - y / _HEIGHT, self.up),
        }


def _share(value: float, bounds: tuple[float, float]) -> float:
    return math.log(value / bounds[0]) / math.log(bounds[1] / bounds[0])


def _at(share: float, bounds: tuple[float, float]) -> float:
    return bounds[0] * math.exp(share * math.log(bounds[1] / bounds[0]))


def scatter(told: SpeedAndError, paper: Paper) -> Picture:
    """The picture; an error of 0 has its place at the floor of the axis, and is written there as 0."""
    floor = _floor(told.points)
    points = [attrs.evolve(one, error=floor) if one.error == 0 and floor else one for one in told.points]
    source = [1.0] if told.by_ratio else []
    plane = _Plane(
        domain_of([*source, *(bound for one in points for bound in (one.low, one.high))]),
        domain_of([one.error for one in points], 3),
        paper.width,
        not told.by_ratio,
    )
    x, y = _axes(told, paper, plane, floor)
    rows = [attrs.asdict(one) for one in points]
    front = sorted((row for row in rows if row["best"]), key=lambda row: row["speed"], reverse=plane.turned)
    layers: list[Any] = [
        data(front)
        .mark_line(interpolate="step-before", color=ACCENT, strokeWidth=1.5, opacity=0.5)
        .encode(x=x, y=y, order=alt.Order("speed:Q", sort="descending" if plane.turned else "ascending")),
        *_bars(rows, x, y),
        *_dots(rows, x, y),
        *_texts(points, plane, paper, x, y),
    ]
    if told.by_ratio:
        layers.insert(0, data([{"speed": 1.0}]).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x=x))
    return alt.layer(*layers).properties(width=paper.width, height=_HEIGHT)


def _floor(points: Sequence[Point]) -> float | None:
    """Where an error of 0 is shown: a power of ten well below all others; ``None`` where there is none."""
    if all(one.error > 0 for one in points):
        return None
    least = min((one.error for one in points if one.error > 0), default=1e-7)
    return 10.0 ** (math.floor(math.log10(least)) - 1)


def _axes(told: SpeedAndError, paper: Paper, plane: _Plane, floor: float | None) -> tuple[alt.X, alt.Y]:
    sign = " + '×'" if told.by_ratio else ""
    least = (floor or 0) * 1.1
    ticks = [one for one in power_ticks(*plane.up) if one > least]
    if len(ticks) < 2:
        ticks = [one for one in round_ticks(*plane.up, 5) if one > least]
    if all(one.error == 0 for one in told.points):
        ticks = []
    zero = "" if floor is None else f"datum.value < {floor * 1.01} ? '0' : "
    x = alt.X(
        "speed:Q",
        scale=alt.Scale(type="log", domain=list(plane.across), reverse=plane.turned, nice=False),
        title=f"times as fast as {cut(told.reference, paper.longest)} →"
        if told.by_ratio
        else "median latency in ms (faster →)",
        axis=alt.Axis(
            values=round_ticks(*plane.across, 8 if paper.kind == "wide" else 5),
            labelExpr=f"format(datum.value, '~g'){sign}",
        ),
    )
    y = alt.Y(
        "error:Q",
        scale=alt.Scale(type="log", domain=list(plane.up), nice=False),
        title="relative error (nearer ↓)",
        axis=alt.Axis(values=[*([floor] if floor else []), *ticks], labelExpr=f"{zero}format(datum.value, '~e')"),
    )
    return x, y


def _bars(rows: Sequence[dict[str, Any]], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    return [
        data({**row, "speed": row["low"]} for row in rows if row["best"] is best)
        .mark_rule(color=ACCENT if best else MUTED, strokeWidth=2, opacity=0.75)
        .encode(x=x, x2="high:Q", y=y)
        for best in (False, True)
    ]


def _dots(rows: Sequence[dict[str, Any]], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The front filled, all else hollow; square is what another machine recorded."""
    return [
        data(row for row in rows if row["best"] is best and row["here"] is here)
        .mark_point(
            shape=_SHAPES[here],
            size=80,
            fill=ACCENT if best else "var(--paper)",
            stroke=ACCENT if best else MUTED,
            strokeWidth=1.5,
            opacity=1,
        )
        .encode(x=x, y=y)
        for best in (False, True)
        for here in (False, True)
    ]


def _texts(points: Sequence[Point], plane: _Plane, paper: Paper, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    ordered = sorted(enumerate(points, 1), key=lambda pair: not pair[1].best)
    names = names_of(points)
    wanted = [
        (*plane.place(one.speed, one.error), cut(names[number - 1], paper.longest), str(number))
        for number, one in ordered
    ]
    labels = placed_labels(wanted, plane.width, _HEIGHT, [plane.bar(one) for one in points])
    drawn: dict[tuple[Align, bool], list[Label]] = {}
    for (_, one), label in zip(ordered, labels, strict=True):
        if label is not None:
            drawn.setdefault((label.align, one.best), []).append(label)
    return [
        data({**plane.numbers(label.x, label.y), "text": label.text} for label in found)
        .mark_text(align=align, baseline="middle", fontSize=11, color=INK if best else MUTED)
        .encode(x=x, y=y, text="text:N")
        for (align, best), found in drawn.items()
    ]


def names_of(points: Sequence[Point]) -> list[str]:
    """The shortest name that tells each point from the others: its format, or that and its runtime."""
    counts = Counter(one.format for one in points)
    return [one.format if counts[one.format] == 1 else one.name for one in points]
