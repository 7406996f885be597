"""Reads and writes ``status.yaml``: everything that a run learned, in one file."""

from __future__ import annotations

from navcore.status.record import FORMAT_VERSION, Record
from navcore.status.statusfile import read_status, write_status

__all__ = ["FORMAT_VERSION", "Record", "read_status", "write_status"]
