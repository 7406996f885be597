"""Carries a request to a child process and its result back, in files that are complete or not there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from navcore.errors import InputError
from navcore.execution.isolation.procfs import own_peak_memory
from navcore.workspace import sweep, write_bytes

RESULT = "result.json"
REQUEST = "request.json"

# A result file is one line of JSON that begins with the digest of everything after it.
_PREFIX = b'{"sha256": "'
_DIGEST_END = len(_PREFIX) + 64


@attrs.frozen
class WrittenResult:
    """What a complete result file says: ``done`` tells the result from mere progress.

    ``peak_memory`` is the writer's own, in bytes.
    """

    result: dict[str, Any]
    done: bool
    peak_memory: int | None


def write_result(folder: Path, result: Mapping[str, Any], *, done: bool = False) -> None:
    """Write what the child knows so far, or with ``done=True`` its final word.

    May be called any number of times: the last complete one is what the parent reads, also when the child crashes
    afterwards. Only a result with ``done=True`` makes the step a success; whatever the child does after that
    (a slow exit, a crash while native libraries are unloaded) no longer counts.

    Raises TypeError or ValueError when the result is not plain JSON data; the file is then as it was before.
    """
    said = {"done": done, "peak_memory": own_peak_memory(), "result": dict(result)}
    rest = b'", ' + json.dumps(said).encode()[1:] + b"\n"
    digest = hashlib.sha256(rest).hexdigest().encode()
    write_bytes(Path(folder) / RESULT, _PREFIX + digest + rest)


def read_result(folder: Path) -> dict[str, Any] | None:
    """Return the last complete result or progress that a child wrote into ``folder``.

    None when there is none, or when the file is torn or was changed after it was written.
    """
    written = read_written(folder)
    return written.result if written is not None else None


def read_written(folder: Path) -> WrittenResult | None:
    """Return the result file with what it says about itself; None as in `read_result`."""
    try:
        content = (Path(folder) / RESULT).read_bytes()
    except OSError:
        return None
    rest = content[_DIGEST_END:]
    if content[:_DIGEST_END] != _PREFIX + hashlib.sha256(rest).hexdigest().encode():
        return None
    try:
        said = json.loads(content)
        return WrittenResult(result=dict(said["result"]), done=said["done"] is True, peak_memory=said["peak_memory"])
    except (ValueError, TypeError, KeyError):
        return None


class ResultWatch:
    """Looks at a folder again and again, cheaply, for the final result of a child."""

    def __init__(self, folder: Path) -> None:
        self._path = Path(folder) / RESULT
        self._seen: tuple[int, int] | None = None

    def is_done(self) -> bool:
        """Say whether a final result has appeared since the last look; only a new file is read."""
        try:
            status = self._path.stat()
        except OSError:
            return False
        version = (status.st_ino, status.st_mtime_ns)
        if version == self._seen:
            return False
        self._seen = version
        written = read_written(self._path.parent)
        return written is not None and written.done


def write_request(folder: Path, request: Mapping[str, Any]) -> Path:
    """Write the request of a child as ``folder/request.json`` and return that path.

    Raises TypeError or ValueError when the request is not plain JSON data.
    """
    path = Path(folder) / REQUEST
    write_bytes(path, json.dumps(dict(request), indent=1).encode() + b"\n")
    return path


def read_request(path: Path) -> dict[str, Any]:
    """Return the request at ``path``; raises InputError when there is none or it is not a JSON object."""
    try:
        request = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"the request cannot be read: {error}.", who=str(path)) from error
    if not isinstance(request, dict):
        raise InputError(f"the request is a {type(request).__name__}, not a JSON object.", who=str(path))
    return request


def remove_results(folder: Path) -> None:
    """Remove what an earlier child wrote."""
    (Path(folder) / RESULT).unlink(missing_ok=True)
    remove_half_written(folder)


def remove_half_written(folder: Path) -> None:
    """Remove what a killed writer did not get to rename."""
    sweep(Path(folder))
