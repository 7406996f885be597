"""The errors of all comparisons as a picture: a strip per output of a row, a cell per comparison, darker for worse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from navcore.package.report.html.charts import ALARM, INK, Paper, Picture, cut, data, pixels
from navcore.package.report.html.measured import Errors

DECADES = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
"""The bounds between the classes of error above none at all, each of which has its shade."""
BEYOND = len(DECADES) + 2
"""The class of what is beyond its bound, or not finite."""
_BAND = 40
_TOP = 18
_CELL = 16


def shade_of(error: float, bound: float | None) -> int:
    """The class of an error: 0 for none, then one per decade, and :data:`BEYOND`."""
    if not math.isfinite(error) or (bound is not None and error > bound):
        return BEYOND
    return 0 if error == 0 else 1 + sum(error >= decade for decade in DECADES)


def strips(errors: Sequence[Errors], paper: Paper) -> Picture:
    """The picture; where there are more comparisons than columns, a cell is the worst of some in a row."""
    height = _BAND * len(errors)
    x, y = pixels(alt.X, "x", paper.width), pixels(alt.Y, "y", height)
    cells: dict[int, list[dict[str, Any]]] = {}
    names, outputs = [], {one.output for one in errors}
    for number, one in enumerate(errors):
        top = number * _BAND + _TOP
        name = one.name if len(outputs) == 1 else f"{one.output} · {one.name}"
        names.append({"x": 0, "y": top - 9, "text": cut(name, paper.longest)})
        columns = columns_of(one, paper.columns)
        wide = paper.width / max(1, len(columns))
        for column, value in enumerate(columns):
            if value is not None:
                cell = {"x": column * wide, "x2": (column + 1) * wide - min(1, wide / 4), "y": top, "y2": top + _CELL}
                cells.setdefault(shade_of(value, one.bound), []).append(cell)
    layers: list[Any] = [
        data(found)
        .mark_rect(color=ALARM if shade == BEYOND else f"var(--heat{shade})", stroke=None)
        .encode(x=x, x2="x2:Q", y=y, y2="y2:Q")
        for shade, found in sorted(cells.items())
    ]
    layers.append(
        data(names).mark_text(align="left", baseline="middle", fontSize=11.5, color=INK).encode(x=x, y=y, text="text:N")
    )
    return alt.layer(*layers).properties(width=paper.width, height=height)


def columns_of(errors: Errors, most: int) -> list[float | None]:
    """The errors in at most so many columns, each the worst of its share."""
    count = len(errors.values)
    size = math.ceil(count / most) or 1
    parts = [errors.values[start : start + size] for start in range(0, count, size)]
    return [max((value for value in part if value is not None), default=None) for part in parts]
