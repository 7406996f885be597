"""The files to be packed, as they were when the package was laid out: opened with care, and told when they change."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from navcore.package.archive.digested_copy import copy_and_digest, read_exactly
from navcore.package.archive.refusals import Refusal, refusal

_PEEK = 64 << 10


@attrs.frozen
class Origin:
    """A file to be packed under ``name``; ``size`` in bytes, ``fingerprint`` tells whether it changed since.

    ``regions`` say where its tensors lie, as (offset, length) in bytes; see :class:`navcore.package.archive.Member`.
    """

    name: str
    path: Path
    size: int
    fingerprint: tuple[int, ...]
    regions: tuple[tuple[int, int], ...] = ()


def survey(name: str, path: Path, regions: tuple[tuple[int, int], ...] = ()) -> Origin:
    """The file as it is now. Raises ``PackageError`` (``source-file``) where there is no regular file."""
    with opened(path) as descriptor:
        fingerprint = _fingerprint(descriptor)
        return Origin(name, path, fingerprint[0], fingerprint, regions)


@contextmanager
def opened(source: Path) -> Iterator[int]:
    """Open a source without following a link at its end, and without waiting for the other end of a pipe."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise refusal(Refusal.SOURCE_FILE, f"{source} cannot be packed ({error.strerror}).") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise refusal(Refusal.SOURCE_FILE, f"{source} cannot be packed (it is not a regular file).")
        yield descriptor
    finally:
        os.close(descriptor)


def _fingerprint(descriptor: int) -> tuple[int, ...]:
    status = os.fstat(descriptor)
    return (status.st_size, status.st_dev, status.st_ino, status.st_mtime_ns)


def refuse_changed(origin: Origin, descriptor: int) -> None:
    """Raise ``PackageError`` (``source-changed``) where the file is not the one that was surveyed."""
    if _fingerprint(descriptor) != origin.fingerprint:
        raise refusal(Refusal.SOURCE_CHANGED, f"{origin.path} changed while it was being packed.")


def peek(origin: Origin, offset: int, size: int) -> bytes:
    """A digest of both ends of a range: what differs there need not be read further."""
    with opened(origin.path) as descriptor:
        shown = min(size, _PEEK)
        ends = read_exactly(descriptor, offset, shown) + read_exactly(descriptor, offset + size - shown, shown)
        refuse_changed(origin, descriptor)
    return hashlib.sha256(ends).digest()


def digest(origin: Origin, offset: int, size: int) -> str:
    """The SHA-256 of a range, in lower-case hex."""
    with opened(origin.path) as descriptor:
        found = copy_and_digest(descriptor, offset, size, None).sha256
        refuse_changed(origin, descriptor)
    return found
