"""Distributions of latencies as a picture: a curve per row, its median and its middle half."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from navcore.package.report.html.charts import ACCENT, INK, MUTED, SOFT, Paper, Picture, cut, data, pixels
from navcore.package.report.html.measured import Latencies
from navcore.package.report.html.ticks import domain_of, round_ticks

_BAND = 58
_CURVE = 26
_FOOT = 46


def ridges(spreads: Sequence[Latencies], chosen: tuple[str, str] | None, paper: Paper) -> Picture:
    """The picture, the rows one below the other; ``chosen`` is the row that stands out."""
    across = domain_of([end for one in spreads for end in _ends(one)], 1.03)
    height = _BAND * len(spreads)
    x = alt.X(
        "x:Q",
        scale=alt.Scale(type="log", domain=list(across), nice=False),
        title="latency of a call in ms (← faster)",
        axis=alt.Axis(
            values=round_ticks(*across, 8 if paper.kind == "wide" else 5), labelExpr="format(datum.value, '~g')"
        ),
    )
    y, y2 = pixels(alt.Y, "y", height), "y2:Q"
    layers: list[Any] = []
    for number, one in enumerate(spreads):
        foot = number * _BAND + _FOOT
        strong = (one.format, one.runtime) == chosen
        colour = ACCENT if strong else MUTED
        layers.append(
            data({"x": x_, "y": foot, "y2": foot - _CURVE * share} for x_, share in one.density)
            .mark_area(fill=SOFT if strong else "var(--faint)", stroke=colour, strokeWidth=1)
            .encode(x=x, y=pixels(alt.Y, "y2", height), y2="y:Q")
        )
    for strong in (False, True):
        places = [
            (number * _BAND + _FOOT, one)
            for number, one in enumerate(spreads)
            if ((one.format, one.runtime) == chosen) is strong
        ]
        layers += _marks(places, ACCENT if strong else MUTED, x, y, y2)
        layers.append(
            data({"x": across[0], "y": foot - _FOOT + 10, "text": cut(one.name, paper.longest)} for foot, one in places)
            .mark_text(align="left", baseline="middle", fontSize=11.5, color=INK, dx=2)
            .encode(x=x, y=y, text="text:N")
        )
    return alt.layer(*layers).properties(width=paper.width, height=height)


def _marks(places: Sequence[tuple[float, Latencies]], colour: str, x: alt.X, y: Any, y2: str) -> list[Any]:
    """Below each curve a thin line from the 5th to the 95th percentile, a thick one for the middle half, the median."""
    thin, thick, median = [], [], []
    for foot, one in places:
        p5, p25, p50, p75, p95 = one.quantiles
        if p5 is not None and p95 is not None:
            thin.append({"x": p5, "x2": p95, "y": foot + 4})
        thick.append({"x": p25, "x2": p75, "y": foot + 4})
        median.append({"x": p50, "y": foot + 8, "y2": foot - _CURVE})
    return [
        data(thin).mark_rule(color=colour, strokeWidth=1).encode(x=x, x2="x2:Q", y=y),
        data(thick).mark_rule(color=colour, strokeWidth=4).encode(x=x, x2="x2:Q", y=y),
        data(median).mark_rule(color=INK, strokeWidth=1.5).encode(x=x, y=y, y2=y2),
    ]


def _ends(one: Latencies) -> tuple[float, ...]:
    return (one.density[0][0], one.density[-1][0], *(value for value in one.quantiles if value is not None))
