"""Whether a package can be loaded where a workspace is already, with nothing lost on either side."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import attrs

from navcore.errors import NavcoreError, WorkspaceExists
from navcore.package.archive import FileEntry, Manifest
from navcore.package.reading import Told
from navcore.package.replanning import is_converted
from navcore.workspace import (
    PRIVATE,
    FormatResult,
    Journal,
    Kind,
    Record,
    Workspace,
    digest_of_bytes,
    is_private,
    keep_verified,
    kind_of,
    loaded_package,
    read_status,
)

_OF_THE_MOMENT = (Kind.RECORD, Kind.MEASUREMENT)
"""What a workspace may have of its own: nothing replaces it where a package is loaded as the workspace stands."""


def record_there(root: Path, told: Told) -> Record:
    """What is known in the workspace at ``root`` of the package that is loaded into it, and nothing of it replaced.

    Where the package was loaded before, that is what the workspace says of itself: a load goes on there, as a run does.
    Right after saving, as in the reference page's example, both hold the same. Raises :class:`WorkspaceExists` for
    every other workspace, and for one that lacks a file of the package.
    """
    try:
        record = read_status(root / "status.yaml")
    except NavcoreError:
        raise _refused(root, "has no status.yaml that could be read") from None
    before = loaded_package(root) == told.manifest.digest
    what = _first_lost(root, told.manifest, record) if before else _first_difference(root, told, record)
    if what:
        raise _refused(root, what)
    found = record if before else told.record
    return attrs.evolve(found, results=keep_verified(record, found.results, Journal(Workspace(root).journal_file)))


def _refused(root: Path, what: str) -> WorkspaceExists:
    return WorkspaceExists(
        f"The workspace {root} exists, and {what}.",
        hint="Give another workdir, or override_workdir=True to delete what is there and load the package.",
    )


def _first_lost(root: Path, manifest: Manifest, record: Record) -> str:
    """What the workspace of a package has lost of it, but for the models that are made again anyway."""
    again = {row.format.name for row in record.results if is_converted(row, record)}
    rest = [entry for entry in manifest.files if entry.place.partition("/")[0] not in again]
    other = _other_model(root, rest)
    return f"no longer holds {other} as the package does" if other else ""


def _first_difference(root: Path, told: Told, record: Record) -> str:
    listed = {entry.place: entry for entry in told.manifest.files}
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root).as_posix()
        if path.is_dir() and not path.is_symlink():
            continue
        private = place.partition("/")[0] == PRIVATE or is_private(path)
        if not private and kind_of(place) not in _OF_THE_MOMENT and place not in listed:
            return f"holds {place}, which the package does not"
    if other := _other_model(root, told.manifest.files):
        return f"does not hold {other} as the package does"
    if _without_words(record.results) != _without_words(told.record.results):
        return "has other results than the package"
    return ""


def _other_model(root: Path, files: Iterable[FileEntry]) -> str:
    """The first model or sample of the package that the workspace does not hold byte for byte, or ``""``."""
    for entry in files:
        path = root / entry.place
        if entry.kind in _OF_THE_MOMENT:
            continue
        if not path.is_file() or path.stat().st_size != entry.size or digest_of_bytes(path) != entry.sha256:
            return entry.place
    return ""


def _without_words(results: tuple[FormatResult, ...]) -> tuple[FormatResult, ...]:
    """The results without the user's own word, which a load carries over."""
    return tuple(
        attrs.evolve(row, runtimes=tuple(attrs.evolve(one, verified=False) for one in row.runtimes)) for row in results
    )
