"""Make a file or a folder appear at its place at once and complete, or not at all.

The work happens under a private name in the same folder, is flushed to the disk and renamed. A process that is killed
leaves the private name behind; it holds a lock on it while alive, so that the next one can tell and clear it away.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from navcore.errors import PackageError, PackageExists
from navcore.package.archive.refusals import Refusal


@contextmanager
def atomic_file(path: Path, *, replace: bool) -> Iterator[int]:
    """Yield the descriptor of a private file that becomes ``path`` when the block ends well.

    On any failure the private file is removed, and what was at ``path`` stays as it was.
    Raises ``PackageExists`` if ``path`` exists and may not be replaced, also when it came into being meanwhile,
    and ``PackageError`` (``write-failed``) when the disk is full or cannot be written.
    """
    with _write_failures_reported(path):
        refuse_existing(path, replace=replace)
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
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a new empty folder that becomes ``target`` when the block ends well, and is removed when it does not.

    The caller flushes the files; the folders are flushed here. Raises like ``atomic_file``.
    """
    with _write_failures_reported(target):
        refuse_existing(target, replace=False)
        _clear_leftovers(target)
        private, descriptor = _claim_private_name(target, _create_folder)
        try:
            # The private folder is closed to others; the one inside gets the permissions the user's umask gives.
            content = private / "content"
            content.mkdir()
            yield content
            for folder, _, _ in os.walk(content, topdown=False):
                sync_folder(Path(folder))
            refuse_existing(target, replace=False)
            try:
                content.rename(target)
            except OSError:
                refuse_existing(target, replace=False)  # another run was faster by a moment
                raise
        finally:
            os.close(descriptor)
            shutil.rmtree(private)
        sync_folder(target.parent)


def refuse_existing(path: Path, *, replace: bool) -> None:
    """Raise ``PackageExists`` if something is at ``path`` (a dangling link included) that may not be replaced."""
    if path.is_dir() and not path.is_symlink():
        hint = "Choose another path."
    elif os.path.lexists(path) and not replace:
        hint = "Choose another path, or allow it to be replaced with override=True."
    else:
        return
    raise PackageExists("there is something at this path already.", code=Refusal.EXISTS.value, who=str(path), hint=hint)


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


@contextmanager
def _write_failures_reported(path: Path) -> Iterator[None]:
    try:
        yield
    except PackageError:
        raise
    except OSError as error:
        what = f"it cannot be written ({error.strerror or error})."
        hint = "Check the free space and the permissions."
        raise PackageError(what, code=Refusal.WRITE_FAILED.value, who=str(path), hint=hint) from error


def _rename_to_new(private: Path, path: Path) -> None:
    """Rename without ever replacing: a hard link fails if the name was taken meanwhile."""
    try:
        os.link(private, path)
    except FileExistsError:
        refuse_existing(path, replace=False)
        raise
    except OSError:
        # Some network and memory-card file systems have no hard links.
        refuse_existing(path, replace=False)
        private.rename(path)


def _private_prefix(path: Path) -> str:
    return f".nav-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}-"


def _claim_private_name(path: Path, create: Callable[[Path], int]) -> tuple[Path, int]:
    """Create a locked private file or folder beside ``path``; return its path and open descriptor."""
    while True:
        private = path.with_name(f"{_private_prefix(path)}{secrets.token_hex(6)}.part")
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
    """Remove what earlier attempts at ``path`` left behind when they were killed; a lock means still at work."""
    for leftover in path.parent.glob(f"{_private_prefix(path)}*.part"):
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
