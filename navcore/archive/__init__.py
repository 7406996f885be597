"""The ``.nav`` file: write, inspect and extract it without trusting it."""

from __future__ import annotations

from navcore.archive.limits import Limits
from navcore.archive.manifest import JSON, FileEntry, Manifest
from navcore.archive.reading import extract_archive, read_manifest, read_member
from navcore.archive.refusals import Refusal
from navcore.archive.writing import Member, write_archive

__all__ = [
    "JSON",
    "FileEntry",
    "Limits",
    "Manifest",
    "Member",
    "Refusal",
    "extract_archive",
    "read_manifest",
    "read_member",
    "write_archive",
]
