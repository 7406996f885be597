"""The raw numbers behind a record, read where they are: in a workspace, or in a package that stays packed."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from navcore.errors import PackageError
from navcore.package.archive import Manifest, read_members
from navcore.workspace import Kind, Workspace

_LARGEST = 16 << 20
"""Bytes of one file; larger ones are left alone."""
_ALL_TOGETHER = 128 << 20


def reader_of_workspace(workspace: Workspace) -> Callable[[str], bytes | None]:
    """What reads a file by its place in the workspace; ``None`` for one that is not there, or is no regular file."""

    def read(place: str) -> bytes | None:
        try:
            descriptor = os.open(workspace.root / place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                content = file.read(_LARGEST + 1)
        except OSError:
            return None
        return content if len(content) <= _LARGEST else None

    return read


def reader_of_package(path: Path, manifest: Manifest) -> Callable[[str], bytes | None]:
    """The same for the measurements in the package at ``path``; what it reads has the SHA-256 that ``manifest`` lists.

    The package is looked into once, when the first file is asked for. A damaged file, and all of them where there is
    another package meanwhile, are not there: the record is shown without.
    """
    names = {
        entry.place: entry.name for entry in manifest.files if entry.kind is Kind.MEASUREMENT and entry.size <= _LARGEST
    }

    @cache
    def contents() -> dict[str, bytes]:
        try:
            return read_members(path, manifest, list(names.values()), largest=_ALL_TOGETHER)
        except PackageError:
            return {}

    return lambda place: contents().get(names[place]) if place in names else None
