"""Folders of a model repository that appear whole or not at all, and files that are on the disk when they do."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = ".nav-triton-"


@contextlib.contextmanager
def staged(repository: Path) -> Iterator[Path]:
    """Yield a private folder on the repository's file system, removed when the block ends.

    It lies beside the repository, where that is possible: Triton takes every folder in it for a model. Whoever is
    killed leaves it behind; it holds nothing that is needed.
    """
    repository.mkdir(parents=True, exist_ok=True)
    beside = repository.parent
    same = os.access(beside, os.W_OK) and beside.stat().st_dev == repository.stat().st_dev
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=beside if same else repository))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(prepared: Path, place: Path, retired: Path) -> None:
    """Let ``prepared``, flushed to the disk, be ``place``; what is there goes to ``retired`` a moment before."""
    flush(prepared)
    if place.exists():
        place.rename(retired)
    try:
        prepared.rename(place)
    except OSError:
        if retired.exists():
            retired.rename(place)
        raise
    _flush_entry(place.parent)


def flush(folder: Path) -> None:
    """Bring every file and folder below to the disk, and give it the permissions that the umask allows.

    The folder was private until now, and Triton may run as another user.
    """
    mask = os.umask(0)
    os.umask(mask)
    for place, _, files in os.walk(folder, topdown=False):
        for name in files:
            _flush_entry(Path(place, name))
        os.chmod(place, 0o777 & ~mask)
        _flush_entry(Path(place))


def _flush_entry(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # some file systems know no flushing of folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
