"""Decide which member names are safe on every system, alone and together.

A name that passes means the same file on Linux, macOS and Windows: relative, POSIX, in Unicode normal form C, and not
confusable with another one of the same package on a file system that ignores case or Unicode form.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from navcore.package.archive.refusals import Refusal, refusal

LONGEST_NAME = 1024  # bytes of UTF-8: a quarter of Linux's PATH_MAX, the rest is for the folder
LONGEST_PART = 255  # bytes of UTF-8: NAME_MAX of the usual file systems
DEEPEST_NAME = 32

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

    Every name and every folder on the way to it is compared with all others by case-folded, decomposed form
    (canonical caseless matching, Unicode standard 3.13).
    """
    seen: dict[str, tuple[str, bool]] = {}
    for name in names:
        refuse_unsafe_name(name)
        cut = name.find("/")
        while cut >= 0:
            _claim(seen, name[:cut], is_file=False)
            cut = name.find("/", cut + 1)
        _claim(seen, name, is_file=True)


def _claim(seen: dict[str, tuple[str, bool]], path: str, *, is_file: bool) -> None:
    claim = (path, is_file)
    found = seen.setdefault(_folded(path), claim)
    if found is claim:
        return
    earlier, earlier_is_file = found
    if earlier != path:
        raise refusal(Refusal.NAME_CLASH, f"the names {earlier!a} and {path!a} are one on some systems.")
    if is_file and earlier_is_file:
        raise refusal(Refusal.NAME_DUPLICATE, f"the name {path!a} occurs twice.")
    if is_file != earlier_is_file:
        raise refusal(Refusal.FILE_FOLDER_CONFLICT, f"{path!a} is a file and also a folder.")


def _folded(path: str) -> str:
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())
