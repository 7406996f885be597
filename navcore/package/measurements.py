"""The raw numbers behind a record, read where they are: in a workspace, or in a package that stays packed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from navcore.errors import PackageError
from navcore.package.archive import Manifest, read_member
from navcore.workspace import Workspace

_LARGEST = 16 << 20
"""Bytes of one file; larger ones are left alone."""


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
    """The same for the package at ``path``; what it reads has the SHA-256 that ``manifest`` lists."""
    names = {entry.place: entry.name for entry in manifest.files if entry.size <= _LARGEST}

    def read(place: str) -> bytes | None:
        if place not in names:
            return None
        try:
            return read_member(path, manifest, names[place], largest=_LARGEST)
        except PackageError:  # damaged, or another package meanwhile: the record is shown without it
            return None

    return read
