"""Artifacts from what is known of a model: the live source, a recorded row, what a route has just made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from navcore.contract import Artifact, Format, Made, Signature
from navcore.errors import PackageIncomplete
from navcore.registry import Registry
from navcore.workspace import FormatResult


def live_artifact(format: Format, signature: Signature, model: Any) -> Artifact:
    """A live model, called as its own users call it."""
    return Artifact(format, signature, None, model, "structure")


def artifact_of(row: FormatResult, signature: Signature, root: Path, registry: Registry, model: Any = None) -> Artifact:
    """The artifact of a row in the workspace ``root``; ``model`` is the source where the row is live.

    ``signature`` is the source's, which counts where the row has none of its own. A row from the disk knows its format
    by description only; the plugin's own can do more. Raises :class:`PackageIncomplete` for a row without a file.
    """
    known = next((format for format in registry.formats if format == row.format), row.format)
    if row.live:
        return live_artifact(known, signature, model)
    if row.path is None:
        why = row.failure.cause if row.failure else "no file was made"
        raise PackageIncomplete(f"There is no {row.format.name} model: {why}")
    return Artifact(known, row.signature or signature, root / row.path, None, row.calling, row.facts)


def product_of(made: Made, format: Format, origin: Signature, path: Path) -> Artifact:
    """What a route has made at ``path`` from a model of the signature ``origin``."""
    return Artifact(format, made.signature or origin, path, None, made.calling, made.facts)
