"""Sentences for a page that is passed on: on one line, of bounded length, without anybody's home folder."""

from __future__ import annotations

import re

from navcore.package.report.cells import printable

_HOME = re.compile(r"(?<![\w.~-])(?:/(?:home|Users|var/home)/[^/\s'\":;,()<>]+|/root(?=[/\s'\":;,)]|$))")
LONGEST = 4000


def told(text: str) -> str:
    """The text as the page shows it; ``~`` stands for the home folder of whoever ran it, which is nobody's business."""
    line = printable(text[: 4 * LONGEST])
    line = without_home(line)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def without_home(text: str) -> str:
    """The text with ``~`` in place of every home folder, of this machine or another."""
    return _HOME.sub("~", text)
