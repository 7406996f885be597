"""How a product is known again: by what its bytes are, and without reading them while nothing about them has moved."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import attrs

from navcore.workspace.digests import digest_of_file


@attrs.frozen
class Fingerprint:
    """A file or folder: ``digest`` is SHA-256 of its content, ``seen`` of how it lay on the disk when that was taken.

    ``seen`` covers names, sizes, times of the last change and inode numbers. Where it is the same, the content is taken
    to be the same; where it is not (the workspace was copied, say), the content is read and compared.
    """

    digest: str
    seen: str

    def fits(self, path: Path) -> bool:
        """Whether what is at ``path`` is what the fingerprint was taken of."""
        return path.exists() and (_seen(path) == self.seen or digest_of_file(path) == self.digest)


def fingerprint(path: Path) -> Fingerprint:
    """The fingerprint of a file or folder; reads all of it."""
    return Fingerprint(digest_of_file(path), _seen(path))


def _seen(path: Path) -> str:
    """Of symbolic links what they are, not what they point to: a changed target is a changed product."""
    parts = [path, *sorted(path.rglob("*"))] if path.is_dir() else [path]
    found: list[Any] = []
    for part in parts:
        status = part.stat()
        name = part.relative_to(path).as_posix()
        size = 0 if part.is_dir() else status.st_size
        moment = 0 if part.is_dir() else status.st_mtime_ns
        found.append([name.encode("utf-8", "surrogateescape").hex(), size, moment, status.st_ino])
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()
