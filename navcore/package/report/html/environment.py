"""The machine and its software as lines of a page, whatever a record says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from navcore.package.report.html.private_paths import told

_MOST = 120
_DEPTH = 4
_NOTHING = (None, "", "n/a")


def environment_lines(environment: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Name and value of all that is known: ``("cpu name", "Xeon")``; what says that it is unknown is left out."""
    lines: list[tuple[str, str]] = []
    for name, value in _flat((), environment, _DEPTH):
        if len(lines) == _MOST:
            lines.append(("…", "and more than that; status.yaml has all of it"))
            break
        lines.append((name, value))
    return tuple(lines)


def _flat(path: tuple[str, ...], value: Any, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and depth:
        for key, part in value.items():
            words = "" if str(key) == "python_packages" else told(str(key)).replace("_", " ")
            yield from _flat((*path, words) if words else path, part, depth - 1)
    elif value not in _NOTHING:
        text = ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
        yield " ".join(path), told(text)
