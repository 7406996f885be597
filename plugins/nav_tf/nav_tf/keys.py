"""Names of tensors ↔ keys of a SavedModel's signature, which have to be names that Python would allow."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence


def safe_keys(names: Sequence[str]) -> tuple[str, ...]:
    """A key for each name, in the same order: the name itself where it is plain, and no key twice.

    TensorFlow would replace other characters by itself, and lose which key belongs to which name.
    """
    taken = {name for name in names if _is_plain(name)}
    keys: list[str] = []
    for name in names:
        key = name
        if not _is_plain(name):
            key = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_") or "tensor"
            if not _is_plain(key):
                key = f"tensor_{key}"
            while key in taken:
                key += "_"
            taken.add(key)
        keys.append(key)
    return tuple(keys)


def _is_plain(name: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)) and not keyword.iskeyword(name)
