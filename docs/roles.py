"""For the API reference: roles such as ``:class:`Format``` in docstrings become links to the public name they mean."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc):`~?\.?(?P<name>[\w.]+)`")
_STUB = Path(__file__).parents[1] / "navcore" / "__init__.pyi"
_PUBLIC = {
    alias.name
    for statement in ast.parse(_STUB.read_text()).body
    if isinstance(statement, ast.ImportFrom)
    for alias in statement.names
}


def _linked(role: re.Match[str]) -> str:
    name = role["name"].removeprefix("navcore.")
    return f"[`{name}`][navcore.{name}]" if name in _PUBLIC else f"`{name}`"


class Roles(griffe.Extension):
    """Rewrites the text of every docstring before it is parsed."""

    def on_instance(self, *, obj: griffe.Object, **_arguments: Any) -> None:
        """Called for each module, class, function and attribute that is read."""
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(_linked, obj.docstring.value)
