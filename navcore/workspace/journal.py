"""The journal of a workspace: one checksummed line per finished event; a torn last line is ignored."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


class Journal:
    """What has been finished in a workspace, by event and key, for one run that holds the workspace's lock.

    The file is read once, when something is first looked for. From then on what is appended goes to the file and to
    what was read: nobody else appends while the lock is held. Threads may share a journal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._last: dict[tuple[str, str], dict[str, Any]] | None = None

    def append(self, event: str, key: str, data: Mapping[str, Any]) -> None:
        """Append one event, on disk before this returns."""
        body = json.dumps({"event": event, "key": key, "data": data}, sort_keys=True, separators=(",", ":"))
        with self._lock:
            self._write(f"{_checksum(body)} {body}\n".encode())
            if self._last is not None:
                self._last[event, key] = json.loads(body)["data"]  # as the next run will read it

    def find(self, event: str, key: str) -> dict[str, Any] | None:
        """The data last recorded for that event and key."""
        with self._lock:
            if self._last is None:
                self._last = {(entry["event"], entry["key"]): entry["data"] for entry in self.entries()}
            return self._last.get((event, key))

    def entries(self) -> Iterator[dict[str, Any]]:
        """Every whole line of the file, in order; a line whose checksum does not fit is passed over."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            checksum, _, body = line.decode("utf-8", "replace").partition(" ")
            if body and checksum == _checksum(body):
                yield json.loads(body)

    def _write(self, line: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            if self._ends_torn():
                line = b"\n" + line
            while line:  # a disk that is about to be full takes a part, and says why with the next
                line = line[os.write(descriptor, line) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _ends_torn(self) -> bool:
        with open(self.path, "rb") as stream:
            if stream.seek(0, os.SEEK_END) == 0:
                return False
            stream.seek(-1, os.SEEK_END)
            return stream.read(1) != b"\n"


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]
