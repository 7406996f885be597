"""Docstrings of functions whose arguments are defined elsewhere."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Mapping

_SECTION = "Args:"
_WIDTH = 116


def explained(docstring: str | None, meanings: Mapping[str, str]) -> str | None:
    """The docstring with more arguments explained at the end of its section ``Args``, which it has to have.

    ``None``, which is what Python leaves of it under ``-OO``, stays.
    """
    if docstring is None:
        return None
    before, section, after = inspect.cleandoc(docstring).partition(f"{_SECTION}\n")
    if not section:
        raise ValueError(f"the docstring has no section {_SECTION}")
    own, gap, rest = after.partition("\n\n")
    entries = [own.rstrip(), *(_entry(name, meaning) for name, meaning in meanings.items())]
    return before + section + "\n".join(entries) + gap + rest


def _entry(name: str, meaning: str) -> str:
    return textwrap.fill(
        f"{name}: {meaning}", _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8, break_on_hyphens=False
    )
