"""Which package a workspace was loaded from: ours to say, since no package can write where it stands."""

from __future__ import annotations

import json
from pathlib import Path

from navcore.workspace.atomic_files import write_json
from navcore.workspace.folder import PRIVATE, Workspace

_FILE = "origin.json"


def remember_package(workspace: Workspace, digest: str) -> None:
    """From now on the workspace is the one that the package of this digest was loaded into."""
    write_json(workspace.private / _FILE, {"package": digest})


def loaded_package(root: Path) -> str:
    """The digest of the package that was loaded into the workspace last; ``""`` for none, or a run since then."""
    try:
        return str(json.loads((root / PRIVATE / _FILE).read_bytes())["package"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def forget_package(workspace: Workspace) -> None:
    """What follows makes the workspace that of a run."""
    (workspace.private / _FILE).unlink(missing_ok=True)
