"""What a file system has no room for: recognised in errors, and told in one sentence that names the file system."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from navcore.errors import WorkspaceError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the kernel answers to a write for which there is no room: on the disk, in the quota, in one file."""

NEARLY = 1 << 20
"""Bytes below which a file system is taken to be full: what failed to be written is often gone when one looks."""


def is_about_room(error: BaseException) -> bool:
    """Whether the error says that there was no room for what was to be written."""
    return isinstance(error, OSError) and error.errno in FULL


def is_full(place: Path) -> bool:
    """Whether the file system of ``place`` has next to nothing left; ``False`` where it does not tell."""
    try:
        facts = os.statvfs(_existing(place))
    except OSError:
        return False
    return facts.f_bavail * facts.f_frsize < NEARLY or (facts.f_files > 0 and facts.f_favail == 0)


def what_is_lacking(place: Path, error: OSError | None = None) -> str:
    """Which file system lacks what, as the second half of a sentence."""
    mounted = _mount_point(_existing(place))
    if error is not None and error.errno == errno.EDQUOT:
        return f"your quota of the file system at {mounted} is used up"
    if error is not None and error.errno == errno.EFBIG:
        largest = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        limit = "" if largest == resource.RLIM_INFINITY else f" of {_told(largest)} (ulimit -f)"
        return f"a file on the file system at {mounted} would exceed the largest size{limit}"
    try:
        facts = os.statvfs(mounted)
    except OSError:
        return f"the file system at {mounted} is full"
    if facts.f_files > 0 and facts.f_favail == 0:
        return f"the file system at {mounted} has room for no further file: all {facts.f_files} are taken"
    free, whole = facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
    return f"the file system at {mounted} is full: {_told(free)} of {_told(whole)} are free"


@contextlib.contextmanager
def told_when_full(root: Path) -> Iterator[None]:
    """Raise :class:`WorkspaceError` in place of an ``OSError`` that says that there was no room below ``root``."""
    try:
        yield
    except OSError as error:
        if not is_about_room(error):
            raise
        raise no_room(root, error) from error


def no_room(root: Path, error: OSError) -> WorkspaceError:
    """The error for a workspace that could not be written for want of room."""
    return WorkspaceError(
        f"The workspace {root} cannot be written: {what_is_lacking(root, error)}.",
        hint="Everything that was finished is kept: make room, and run the same again.",
    )


def _existing(place: Path) -> Path:
    place = place.absolute()
    return next((one for one in (place, *place.parents) if one.exists()), Path("/"))


def _mount_point(place: Path) -> Path:
    place = place.resolve()
    return next((one for one in (place, *place.parents) if one.is_mount()), place)


def _told(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.4g} TiB"
