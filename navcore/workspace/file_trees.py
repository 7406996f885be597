"""Trees of files: removed, emptied, moved and measured."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from navcore.contract import ASSETS
from navcore.workspace.atomic_files import sync_folder


def remove(path: Path) -> None:
    """Delete a file, a link (never what it points to) or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def fresh_folder(path: Path) -> Path:
    """An empty folder at ``path``; whatever an earlier, interrupted run left there is gone."""
    remove(path)
    path.mkdir(parents=True)
    return path


def move_contents(source: Path, target: Path) -> None:
    """Rename every entry of ``source`` into ``target``, then remove ``source``."""
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()):
        destination = target / entry.name
        remove(destination)
        os.replace(entry, destination)
    source.rmdir()
    sync_folder(target)


def size_of_model(folder: Path) -> int:
    """Bytes of everything that makes up the model in a format's folder: not its logs, config.yaml and measurements."""
    beside = ("config.yaml", "measurements", ASSETS)
    parts = [part for part in folder.iterdir() if part.suffix != ".log" and part.name not in beside]
    return sum(size_of(part) for part in parts)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    if path.is_dir():
        return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
    return path.stat().st_size
