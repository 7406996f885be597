"""Artifacts from what is known of a model: the live source, a recorded row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from navcore.contract import Artifact, Format, Signature, asset_paths
from navcore.errors import PackageIncomplete
from navcore.registry import Registry
from navcore.workspace import FormatResult


def live_artifact(format: Format, signature: Signature, model: Any) -> Artifact:
    """A live model, called as its own users call it."""
    return Artifact(format, signature, None, model, "structure")


def artifact_of(row: FormatResult, signature: Signature, root: Path, registry: Registry, model: Any = None) -> Artifact:
    """The artifact of a row in the workspace ``root``; ``model`` is the source where the row is live.

    ``signature`` is the source's, which counts where the row has none of its own. A row from the disk knows its format
    by description only; the plugin's own can do more. Raises :class:`PackageIncomplete` for a row without a file,
    or without one of its assets.
    """
    known = next((format for format in registry.formats if format == row.format), row.format)
    if row.live:
        return live_artifact(known, signature, model)
    path, assets = _path_of(row, root), assets_of(row, root)
    return Artifact(known, row.signature or signature, path, None, row.calling, row.facts, assets)


def assets_of(row: FormatResult, root: Path) -> Mapping[str, Path]:
    """The assets of a row in the workspace ``root``, by name; none for a live model.

    Raises :class:`PackageIncomplete` for a row without a file, and naming the asset that is gone.
    """
    if row.live:
        return {}
    found = asset_paths(row.assets, _path_of(row, root))
    for name, path in found.items():
        if path.is_symlink() or not path.is_file():
            raise PackageIncomplete(f"The asset {name!r} of {row.format.name} is not in the workspace any more.")
    return found


def _path_of(row: FormatResult, root: Path) -> Path:
    if row.path is None:
        why = row.failure.cause if row.failure else "no file was made"
        raise PackageIncomplete(f"There is no {row.format.name} model: {why}")
    return root / row.path
