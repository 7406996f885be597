"""Make a file or a folder appear at its place at once and complete, or not at all.

The work happens under a private name in the same folder, is flushed to the disk and renamed, and the folder is flushed
too. A process that is killed leaves the private name behind; it holds a lock on it while alive, so that whoever comes
next can tell and clear it away.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_PART = ".part"
_PRIVATE = re.compile(r"\.nav-[0-9a-f]{12}-[0-9a-f]{12}\.part")


@contextmanager
def whole_file(path: Path, *, replace: bool = True) -> Iterator[int]:
    """Yield the descriptor of a private file that becomes ``path`` when the block ends well.

    On any failure the private file is removed, and what was at ``path`` stays as it was. Raises ``OSError`` when the
    disk is full or cannot be written, ``IsADirectoryError`` for a folder at ``path``, and without ``replace``
    ``FileExistsError`` if something is there, also when it came into being meanwhile.
    """
    _refuse_existing(path, replace=replace)
    _clear_leftovers(path)
    private, descriptor = _claim_private_name(path, _create_file)
    try:
        yield descriptor
        os.fsync(descriptor)
        if replace:
            os.replace(private, path)
        else:
            _rename_to_new(private, path)
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            private.unlink()
    sync_folder(path.parent)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield a new empty folder that becomes ``target`` when the block ends well, and is removed when it does not.

    The caller flushes the files; the folders are flushed here. Raises as :func:`whole_file` without ``replace``.
    """
    _refuse_existing(target, replace=False)
    _clear_leftovers(target)
    private, descriptor = _claim_private_name(target, _create_folder)
    try:
        # The private folder is closed to others; the one inside gets the permissions the user's umask gives.
        content = private / "content"
        content.mkdir()
        yield content
        for folder, _, _ in os.walk(content, topdown=False):
            sync_folder(Path(folder))
        _refuse_existing(target, replace=False)
        try:
            content.rename(target)
        except OSError:
            _refuse_existing(target, replace=False)  # another run was faster by a moment
            raise
    finally:
        os.close(descriptor)
        shutil.rmtree(private)
    sync_folder(target.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write the file whole or not at all; raises ``OSError`` as :func:`whole_file`."""
    with whole_file(path) as descriptor, os.fdopen(descriptor, "wb", closefd=False) as stream:
        stream.write(content)


def write_text(path: Path, text: str) -> None:
    """The same for text, as UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """The same for plain data."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def sync_folder(folder: Path) -> None:
    """Flush the entries of ``folder`` to the disk, where its file system knows how to."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def is_private(path: Path) -> bool:
    """Whether the name is one under which a writer of this module works, or was killed."""
    return _PRIVATE.fullmatch(path.name) is not None


def sweep(folder: Path) -> None:
    """Remove what killed writers left anywhere below ``folder``; what a living one works on stays."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if is_private(path := Path(place, name)):
                _clear(path)
        folders[:] = [name for name in folders if not is_private(Path(name))]


def _refuse_existing(path: Path, *, replace: bool) -> None:
    """Raise when something is at ``path`` (a dangling link included) that may not be replaced."""
    if not replace and os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    if path.is_dir() and not path.is_symlink():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def _rename_to_new(private: Path, path: Path) -> None:
    """Rename without ever replacing: a hard link fails if the name was taken meanwhile."""
    try:
        os.link(private, path)
    except FileExistsError:
        raise
    except OSError:
        # Some network and memory-card file systems have no hard links.
        _refuse_existing(path, replace=False)
        private.rename(path)


def _private_prefix(path: Path) -> str:
    return f".nav-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}-"


def _claim_private_name(path: Path, create: Callable[[Path], int]) -> tuple[Path, int]:
    """Create a locked private file or folder beside ``path``; return its path and open descriptor."""
    while True:
        private = path.with_name(f"{_private_prefix(path)}{secrets.token_hex(6)}{_PART}")
        descriptor = create(private)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # another process takes it for a leftover, and is about to remove it
        except OSError:
            return private, descriptor  # no locks on this file system: then nobody clears away either
        else:
            if private.exists():
                return private, descriptor
        os.close(descriptor)


def _create_file(private: Path) -> int:
    return os.open(private, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def _create_folder(private: Path) -> int:
    private.mkdir(mode=0o700)
    return os.open(private, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _clear_leftovers(path: Path) -> None:
    """Remove what earlier attempts at ``path`` left behind when they were killed."""
    for leftover in path.parent.glob(f"{_private_prefix(path)}*{_PART}"):
        _clear(leftover)


def _clear(leftover: Path) -> None:
    """Remove a private file or folder, unless a lock says that somebody is still at work on it."""
    with suppress(OSError):
        descriptor = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()
        finally:
            os.close(descriptor)
