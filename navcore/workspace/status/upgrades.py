"""Older versions of ``status.yaml`` → the current one, one step at a time, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from navcore.errors import PackageError
from navcore.workspace.status.record import FORMAT_VERSION
from navcore.workspace.status.upgrade_0_1_0 import from_reference

Upgrade = Callable[[Mapping[str, Any]], dict[str, Any]]

UPGRADES: tuple[tuple[str, Upgrade], ...] = (("0.1.0", from_reference),)
"""Each version and the function that turns its content into that of the next one in this list, or of today."""


def upgraded(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The content as today's version has it. Raises :class:`PackageError` (code ``version``) for an unknown version."""
    version = str(data.get("format_version"))
    if version == FORMAT_VERSION:
        return data
    known = [old for old, _ in UPGRADES]
    if version not in known:
        raise _unknown(data.get("format_version"))
    for _, upgrade in UPGRADES[known.index(version) :]:
        data = upgrade(data)
    return data


def _unknown(version: Any) -> PackageError:
    if version is None:
        return PackageError(
            "The file has no format_version, so it is not one of navcore's.", code="version", hint="Check the path."
        )
    if _parts(str(version)) > _parts(FORMAT_VERSION):
        return PackageError(
            f"The file has format version {version}, and this navcore knows {FORMAT_VERSION} and older ones.",
            code="version",
            hint="Install a newer navcore.",
        )
    read = ", ".join(known for known, _ in UPGRADES)
    return PackageError(
        f"The file has format version {version}, which no navcore ever wrote.",
        code="version",
        hint=f"Versions that can be read: {read}, {FORMAT_VERSION}.",
    )


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() and part.isascii() else -1 for part in version.split("."))
