"""Decide which member names are safe on every system, alone and together.

A name that passes means the same file on Linux, macOS and Windows: relative, POSIX, in Unicode normal form C, and not
confusable with another one of the same package on a file system that ignores case or Unicode form.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from navcore.package.archive.refusals import Refusal, refusal

LONGEST_NAME = 1024  # bytes of UTF-8: a quarter of Linux's PATH_MAX, the rest is for the folder
LONGEST_PART = 255  # bytes of UTF-8: NAME_MAX of the usual file systems
DEEPEST_NAME = 32
MOST_PLACES = 30_000
_ROOT = 0

# Control, format (bidirectional and zero-width), surrogate, line and paragraph separator.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE)


def refuse_unsafe_name(name: str) -> None:
    """Refuse ``name`` unless it is safe on its own. Raises ``PackageError`` with a ``name-…`` code."""
    shown = ascii(name[:120])
    plain = name.isascii() and name.isprintable()
    if not plain and any(unicodedata.category(character) in _FORBIDDEN_CATEGORIES for character in name):
        raise refusal(Refusal.NAME_CHARACTER, f"the name {shown} contains a control or invisible character.")
    if len(name.encode()) > LONGEST_NAME:
        raise refusal(Refusal.NAME_TOO_LONG, f"the name {shown} is longer than {LONGEST_NAME} bytes.")
    if "\\" in name:
        raise refusal(Refusal.NAME_BACKSLASH, f"the name {shown} contains a backslash.")
    if ":" in name:
        raise refusal(Refusal.NAME_COLON, f"the name {shown} contains a colon.")
    if name.startswith("/"):
        raise refusal(Refusal.NAME_ABSOLUTE, f"the name {shown} is absolute.")
    if not unicodedata.is_normalized("NFC", name):
        raise refusal(Refusal.NAME_NOT_NFC, f"the name {shown} is not in Unicode normal form C.")
    parts = name.split("/")
    if len(parts) > DEEPEST_NAME:
        raise refusal(Refusal.NAME_TOO_DEEP, f"the name {shown} has more than {DEEPEST_NAME} parts.")
    for part in parts:
        _refuse_unsafe_part(part, shown)


def _refuse_unsafe_part(part: str, shown: str) -> None:
    if not part:
        raise refusal(Refusal.NAME_EMPTY, f"the name {shown} has an empty part.")
    if part in {".", ".."}:
        raise refusal(Refusal.NAME_DOTS, f"the name {shown} has the part {part!r}.")
    if len(part.encode()) > LONGEST_PART:
        raise refusal(Refusal.NAME_TOO_LONG, f"a part of the name {shown} is longer than {LONGEST_PART} bytes.")
    if part[-1] in ". " or _WINDOWS_DEVICE.fullmatch(part):
        raise refusal(Refusal.NAME_RESERVED, f"the name {shown} cannot exist on Windows.")


def refuse_unsafe_names(names: Iterable[str]) -> None:
    """Refuse names that are unsafe alone (``refuse_unsafe_name``) or that get into each other's way.

    Every name and every folder on the way to it is compared with what stands beside it by case-folded, decomposed form
    (canonical caseless matching, Unicode standard 3.13). The cost grows with the length of the names, not with depth.
    """
    places: dict[tuple[int, str], _Place] = {}
    for name in names:
        refuse_unsafe_name(name)
        parts = name.split("/")
        parent = _ROOT
        for depth, part in enumerate(parts, 1):
            is_file = depth == len(parts)
            new = _Place(len(places) + 1, part, is_file)
            found = places.setdefault((parent, _folded(part)), new)
            if found is not new:
                _refuse_conflict(found, new, parts[:depth])
            elif found.number > MOST_PLACES:
                raise refusal(Refusal.TOO_MANY_MEMBERS, f"there are more than {MOST_PLACES} files and folders.")
            parent = found.number


class _Place(NamedTuple):
    """A file or folder by its number; 0 is the folder that holds all."""

    number: int
    part: str
    is_file: bool


def _refuse_conflict(found: _Place, new: _Place, parts: Sequence[str]) -> None:
    path = "/".join(parts)
    if found.part != new.part:
        earlier = "/".join((*parts[:-1], found.part))
        raise refusal(Refusal.NAME_CLASH, f"the names {earlier!a} and {path!a} are one on some systems.")
    if found.is_file and new.is_file:
        raise refusal(Refusal.NAME_DUPLICATE, f"the name {path!a} occurs twice.")
    if found.is_file != new.is_file:
        raise refusal(Refusal.FILE_FOLDER_CONFLICT, f"{path!a} is a file and also a folder.")


def _folded(part: str) -> str:
    if part.isascii():
        return part.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", part).casefold())
