"""Assets: the further files of a model that its maker declares, such as a vocabulary; their names and their place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from navcore.contract.names import InnerPath, Name
from navcore.errors import InputError

ASSETS = Name("assets")
"""The folder beside a model in which its assets lie."""

_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._+ -]*[A-Za-z0-9_+-])?")
# Windows opens a device by these names, whatever the ending.
_DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9])(\..*)?", re.IGNORECASE)


def asset_names(names: Iterable[str]) -> tuple[InnerPath, ...]:
    """The names of assets, each a file below the folder of the assets, with ``/`` between folders.

    They mean the same on every system: ASCII letters, digits, ``_``, ``.``, ``+``, ``-`` and inner spaces, and no two
    alike but for case. Raises :class:`InputError` naming the one that cannot be one.
    """
    if isinstance(names, str):
        raise InputError(f"assets={names!r} is text.", hint=f"Give a tuple of names: assets=({names!r},).")
    found = tuple(_asset_name(name) for name in names)
    folded: dict[str, str] = {}
    for name in found:
        other = folded.setdefault(name.lower(), name)
        if other is not name:
            raise InputError(f"The assets {other!r} and {name!r} are one on some systems.", hint="Rename one of them.")
    return found


def _asset_name(name: str) -> InnerPath:
    try:
        place = InnerPath(name)
    except InputError as error:
        raise _refusal(name) from error
    if not all(_PART.fullmatch(part) and not _DEVICE.fullmatch(part) for part in place.split("/")):
        raise _refusal(name)
    return place


def _refusal(name: object) -> InputError:
    return InputError(
        f"{ascii(name)[:80]} cannot be the name of an asset on every system.",
        hint="Give a path below the folder of the assets, of ASCII letters, digits, '_', '.', '+' and '-', "
        "and no name of a device of Windows, such as 'aux'.",
    )


def asset_paths(names: Iterable[InnerPath], model: Path) -> Mapping[str, Path]:
    """Where the assets of the model at ``model`` lie, by name."""
    return {str(name): model.parent / ASSETS / name for name in names}


def place_for_asset(name: str, output: Path) -> Path:
    """Where a step that writes ``output`` writes the asset ``name``; the folders on the way are there.

    Raises :class:`InputError` for what cannot be the name of one.
    """
    (place,) = asset_names((name,))
    path = output.parent / ASSETS / place
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
