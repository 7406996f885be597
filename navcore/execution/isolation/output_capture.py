"""Keeps what a child prints, Python and C level alike, in a log file of limited size."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

_CHUNK = 1 << 16
_LINE_BUFFERED = 1  # _IOLBF of <stdio.h>


class CappedLog:
    """A log file that keeps the beginning and the end of an output, and says how much it dropped between them.

    The end is kept because that is where a crash explains itself. ``limit`` is in bytes; three quarters of it go to
    the beginning, which is on disk at once, and one quarter to the end, which is written on closing.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._tail_size = limit // 4
        self._head_room = limit - self._tail_size
        self._tail = bytearray()
        self._dropped = 0
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 -- closed by __exit__

    def __enter__(self) -> CappedLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # A log that cannot be written (a full disk) must not hide how the child ended.
            with contextlib.suppress(OSError):
                self._write_end()
        finally:
            self._file.close()

    def take(self, descriptor: int) -> int | None:
        """Move one chunk at most from a non-blocking pipe and return its bytes: 0 at the end, None when none wait."""
        try:
            chunk = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return None
        self._add(chunk)
        return len(chunk)

    def _add(self, chunk: bytes) -> None:
        head, rest = chunk[: self._head_room], chunk[self._head_room :]
        if head:
            self._head_room -= len(head)
            with contextlib.suppress(OSError):
                self._file.write(head)
        self._tail += rest
        # Trimmed in large pieces: moving the buffer for each chunk would make a flood expensive.
        if len(self._tail) > self._tail_size + (1 << 20):
            self._trim()

    def _trim(self) -> None:
        surplus = len(self._tail) - self._tail_size
        if surplus > 0:
            del self._tail[:surplus]
            self._dropped += surplus

    def _write_end(self) -> None:
        self._trim()
        if self._dropped:
            self._file.write(f"\n[... {self._dropped} bytes of output dropped here ...]\n".encode())
        self._file.write(self._tail)


def flush_output() -> None:
    """Push out what Python and C hold back of standard output and error, as far as they let themselves be flushed."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    libc = ctypes.CDLL(None)
    # Not fflush(NULL): it waits for a thread that is reading the terminal.
    for name in ("stdout", "stderr"):
        libc.fflush(ctypes.c_void_p.in_dll(libc, name))


def write_output_by_line() -> None:
    """Let standard output leave the process line by line, so that a crash takes no finished line with it."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(line_buffering=True, errors="backslashreplace")
    libc = ctypes.CDLL(None)
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, _LINE_BUFFERED, ctypes.c_size_t(0))


def replace_standard_streams(output: int) -> list[object]:
    """Point descriptors 1 and 2 at ``output`` and 0 at nothing, and give Python fresh, empty text streams on them.

    For a forked child: the streams it inherits may hold text of its parent, or be a notebook's or a test runner's.
    They are returned to be kept, because a stream that is collected writes what it holds and closes its descriptor.
    """
    inherited: list[object] = [sys.stdin, sys.stdout, sys.stderr]
    os.dup2(output, 1)
    os.dup2(output, 2)
    if output > 2:
        os.close(output)
    nothing = os.open(os.devnull, os.O_RDONLY)
    if nothing != 0:
        os.dup2(nothing, 0)
        os.close(nothing)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    return inherited


@contextlib.contextmanager
def captured_output(log: Path) -> Iterator[None]:
    """Send what this process writes to descriptors 1 and 2, and to Python's streams, to ``log`` until the block ends.

    It concerns the whole process, other threads included: only for a process that is navcore's own.
    """
    flush_output()
    kept = [os.dup(1), os.dup(2)]
    with open(log, "ab", buffering=0) as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    # On the descriptors, not on the log: a log handler that is made meanwhile keeps its stream, and then reaches the
    # terminal again when the block has ended.
    out, err = (
        open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        for descriptor in (1, 2)
    )
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield
    finally:
        out.flush()
        err.flush()
        flush_output()
        for descriptor, saved in zip((1, 2), kept, strict=True):
            os.dup2(saved, descriptor)
            os.close(saved)
