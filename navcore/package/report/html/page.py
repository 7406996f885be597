"""Writes the content as one page of HTML that loads nothing, runs nothing, and says what it is to every reader."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import jinja2
from markupsafe import Markup

from navcore.package.report.cells import SPEEDS, WORDS
from navcore.package.report.html.content import Content
from navcore.package.report.html.figures import error_figure, latency_figures, speed_figures
from navcore.package.report.html.strips import DECADES

_HERE = Path(__file__).parent


def page_of(content: Content) -> str:
    """The page. Every text is escaped; a policy forbids scripts, and whatever is not in the page itself."""
    style = (_HERE / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    errors, first = error_figure(content), content.columns.index(SPEEDS[0])
    template = environment.from_string((_HERE / "report.html.jinja").read_text("utf-8"))
    return template.render(
        content=content,
        columns=content.columns,
        speed_columns=SPEEDS,
        columns_before=content.columns[len(WORDS) : first],
        columns_after=content.columns[first + len(SPEEDS) :],
        style=Markup(style),
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        speed_figures=list(speed_figures(content)),
        latency_figures=list(latency_figures(content)),
        error_figures=[] if errors is None else [errors],
        shades=_shades(),
        markup=Markup,
        humps=_humps,
    )


def _humps(name: str) -> list[str]:
    """The parts of a long name between which a line may be broken: ``CPU``, ``Execution``, ``Provider``."""
    return re.split(r"(?<=[a-zA-Z0-9])(?=[A-Z][a-z])", name)


def _shades() -> list[tuple[str, str]]:
    """The classes of the map of errors with their meanings."""
    bounds = [f"{decade:.0e}".replace("e-0", "e-") for decade in DECADES]
    named = ["no error", f"below {bounds[0]}", *(f"from {bound}" for bound in bounds)]
    return [*((f"heat{number}", words) for number, words in enumerate(named)), ("alarm", "beyond the bound")]
