"""Notices files that a step leaves where it has no business: current folder, home, temporary files, the workspace."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

_CACHES = (".cache", ".nv")
"""Folders of the home folder that exist to be written to: caches of libraries and of the CUDA driver."""


@contextlib.contextmanager
def watched(place: Path, kept: Path, *, except_for: Sequence[Path]) -> Iterator[list[str]]:
    """Work in empty folders below ``place`` and keep an eye on ``kept``; the list is filled when the block ends.

    The current folder, the home folder and the one for temporary files are replaced for this process and for the
    children that it starts. ``place`` may be the same each time, so that warm processes serve several steps: what lay
    there is removed. In ``kept`` everything but the folders ``except_for`` and log files has to stay as it is.
    """
    empty = {name: place / name for name in ("current", "home", "temporary")}
    for folder in empty.values():
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    before = _files(kept, except_for)
    strays: list[str] = []
    cached = tempfile.tempdir
    variables = {"HOME": str(empty["home"]), "TMPDIR": str(empty["temporary"])}
    previous = {name: os.environ.get(name) for name in variables}
    try:
        os.environ.update(variables)
        tempfile.tempdir = None
        with contextlib.chdir(empty["current"]):
            yield strays
    finally:
        tempfile.tempdir = cached
        for name, value in previous.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    for name, folder in empty.items():
        strays += [f"{path} in the {name} folder" for path in _left(folder)]
    after = _files(kept, except_for)
    strays += [f"{path} in the workspace" for path in sorted({*before, *after}) if before.get(path) != after.get(path)]


def _left(folder: Path) -> list[str]:
    found = [path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()]
    return sorted(str(path) for path in found if path.parts[0] not in _CACHES)


def _files(folder: Path, except_for: Sequence[Path]) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file, by its path."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".log" and not any(path.is_relative_to(one) for one in except_for):
            facts = path.stat()
            found[str(path.relative_to(folder))] = (facts.st_size, facts.st_mtime_ns)
    return found
