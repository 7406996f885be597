"""Whether a package can be loaded where a workspace is already, with nothing lost on either side."""

from __future__ import annotations

from pathlib import Path

import attrs

from navcore.errors import NavcoreError, WorkspaceExists
from navcore.package.archive import Manifest
from navcore.package.reading import Told
from navcore.workspace import PRIVATE, FormatResult, Kind, digest_of_bytes, is_private, kind_of, read_status


def refuse_other_content(root: Path, told: Told) -> None:
    """Raise :class:`WorkspaceExists` where the workspace and the package do not hold the same.

    Right after saving they do, as in the reference page's example: then the package is loaded into the workspace as it
    stands, and nothing is replaced.
    """
    what = _first_difference(root, told)
    if what:
        raise WorkspaceExists(
            f"The workspace {root} exists, and {what}.",
            hint="Give another workdir, or override_workdir=True to delete what is there and load the package.",
        )


def _first_difference(root: Path, told: Told) -> str:
    listed = {entry.place: entry for entry in told.manifest.files}
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root).as_posix()
        if path.is_dir() and not path.is_symlink():
            continue
        private = place.partition("/")[0] == PRIVATE or is_private(path)
        if not private and kind_of(place) is not Kind.RECORD and place not in listed:
            return f"holds {place}, which the package does not"
    if other := _other_model(root, told.manifest):
        return f"does not hold {other} as the package does"
    try:
        results = read_status(root / "status.yaml").results
    except NavcoreError:
        return "has no status.yaml that could be read"
    if _without_words(results) != _without_words(told.record.results):
        return "has other results than the package"
    return ""


def _other_model(root: Path, manifest: Manifest) -> str:
    """The first model or sample of the package that the workspace does not hold byte for byte, or ``""``."""
    for entry in manifest.files:
        path = root / entry.place
        if entry.kind is Kind.RECORD:
            continue
        if not path.is_file() or path.stat().st_size != entry.size or digest_of_bytes(path) != entry.sha256:
            return entry.place
    return ""


def _without_words(results: tuple[FormatResult, ...]) -> tuple[FormatResult, ...]:
    """The results without the user's own word, which a load carries over."""
    return tuple(
        attrs.evolve(row, runtimes=tuple(attrs.evolve(one, verified=False) for one in row.runtimes)) for row in results
    )
