"""Hold the size limits that a package must keep to be opened."""

from __future__ import annotations

import attrs


@attrs.frozen
class SizeLimits:
    """What a reader accepts; sizes in bytes.

    The defaults let every package through that ``write_archive`` makes. Lower them for packages of strangers.
    ``expansion`` is how often larger than the file the extracted files may be (files with the same content are stored
    once, so that a small file could otherwise fill a disk); it is not applied below ``expansion_free_bytes``.
    """

    archive_bytes: int = 1 << 40
    directory_bytes: int = 8 << 20
    members: int = 20_000
    manifest_bytes: int = 4 << 20
    total_bytes: int = 1 << 40
    expansion: int = 64
    expansion_free_bytes: int = 64 << 20


DEFAULT_SIZE_LIMITS = SizeLimits()
