"""What the charts share: drawn by Vega-Altair, once for a desk and once for a phone, in the colours of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import altair as alt
import attrs
import vl_convert

from navcore.package.report.html.svg import embedded

INK, MUTED, LINE, ACCENT, SOFT, ALARM = (
    f"var(--{name})" for name in ("ink", "muted", "line", "accent", "soft", "alarm")
)


Picture = alt.LayerChart | alt.FacetChart
"""What :func:`altair.layer` returns."""


@attrs.frozen
class Paper:
    """What a chart is drawn on.

    ``width`` is that of its plot in pixels, ``columns`` how many cells a strip has at most, ``longest`` how many
    letters a name.
    """

    kind: str
    width: int
    columns: int
    longest: int


PAPERS = (Paper("wide", 640, 100, 80), Paper("narrow", 272, 50, 43))


def drawn(chart: Callable[[Paper], Picture], *, name: str, title: str, description: str) -> tuple[str, ...]:
    """The chart on each paper, as elements of a page; ``name`` is unique there, the rest is what is read out."""
    pictures = []
    for paper in PAPERS:
        svg = vl_convert.vegalite_to_svg(_styled(chart(paper)).to_dict(), allowed_base_urls=[])
        words = {"title": title, "description": description}
        pictures.append(embedded(svg, name=f"{name}-{paper.kind}", kind=paper.kind, **words))
    return tuple(pictures)


def _styled(chart: Picture) -> Picture:
    styled: Picture = (
        chart.configure(background="transparent", padding=4)
        .configure_view(stroke=None)
        .configure_axis(
            domainColor=LINE,
            gridColor=LINE,
            tickColor=LINE,
            labelColor=MUTED,
            labelFontSize=11,
            titleColor=INK,
            titleFontSize=12,
            titleFontWeight="normal",
            titlePadding=10,
        )
    )
    return styled


def data(rows: Iterable[dict[str, Any]]) -> alt.Chart:
    """A chart of these rows."""
    return alt.Chart(alt.InlineData(values=list(rows)))


def cut(name: str, longest: int) -> str:
    """The name, shortened in its middle where it is too long: what tells two apart is mostly at an end."""
    if len(name) <= longest:
        return name
    half = (longest - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def pixels(channel: type[alt.X] | type[alt.Y], field: str, size: float) -> Any:
    """An axis that is not seen, whose numbers are pixels, from the left or the top."""
    scale = alt.Scale(domain=[0, size], nice=False, zero=False, reverse=channel is alt.Y)
    return channel(field, type="quantitative", scale=scale, axis=None)
