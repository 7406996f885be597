"""Keys by which finished steps are found again: digests of recipes, never of what an exporter happened to write."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from navcore.registry import code_of

if TYPE_CHECKING:
    import numpy as np

    from navcore.contract import Route

_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def digest(*parts: Any) -> str:
    """SHA-256 of plain data, in a canonical spelling."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def digest_of_bytes(path: Path) -> str:
    """SHA-256 of what a file holds, as a package's manifest lists it."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files with their names."""
    total = hashlib.sha256()
    files = sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]
    for part in files:
        name = os.fsencode(part.relative_to(path).as_posix())  # a name on disk need not be text
        total.update(name + f"\0{part.stat().st_size}\0".encode())
        total.update(bytes.fromhex(digest_of_bytes(part)))
    return total.hexdigest()


def digest_of_state(state: Iterable[tuple[str, np.ndarray]]) -> str:
    """SHA-256 of a live model's named weights, streamed: one array in memory at a time."""
    total = hashlib.sha256()
    for name, array in state:
        total.update(f"{name}\0{array.dtype}\0{array.shape}\0".encode())
        contiguous = array if array.flags["C_CONTIGUOUS"] else array.copy()
        total.update(contiguous.reshape(-1).view("uint8").data if contiguous.size else b"")
    return total.hexdigest()


def versions_behind(route: Route) -> Mapping[str, str]:
    """The versions that the route's result depends on: its plugin's, and those of the plugin's direct requirements.

    Where the plugin is being written (:func:`navcore.registry.code_of`) its code stands behind its version.
    """
    versions = {route.distribution: route.version, "python": platform.python_version()}
    if code := code_of(route):
        versions[route.distribution] = f"{route.version}+code.{code[:16]}".lstrip("+")
    return {**versions, **_versions_required(route.distribution)}


@functools.cache
def _versions_required(distribution: str) -> Mapping[str, str]:
    """Of what is installed of a distribution's requirements; looked up once, as what is imported stays what it is."""
    versions: dict[str, str] = {}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for requirement in importlib.metadata.requires(distribution) or []:
            if match := _REQUIREMENT.match(requirement):
                with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                    versions[match.group()] = importlib.metadata.version(match.group())
    return versions
