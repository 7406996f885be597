"""Files that are written whole or not at all, and folders that are emptied, filled and measured."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

PART = ".part"


def remove(path: Path) -> None:
    """Delete a file, a link (never what it points to) or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write the file whole or not at all: private name, fsync, rename, fsync of the folder."""
    private = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        with open(private, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(private, path)
    except BaseException:
        private.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    beside = ("config.yaml", "measurements", "assets")
    parts = [part for part in folder.iterdir() if part.suffix != ".log" and part.name not in beside]
    return sum(size_of(part) for part in parts)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    if path.is_dir():
        return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
    return path.stat().st_size
