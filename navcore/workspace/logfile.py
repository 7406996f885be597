"""navigator.log: navcore's log records in the workspace, for the time of one run."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path

from navcore.errors import NavcoreError
from navcore.workspace.results import Failure, FormatResult, Status

LOGGER = logging.getLogger("navcore")
"""The logger of navcore: its levels and handlers are the program's own business."""


def log_reasons(results: Sequence[FormatResult]) -> None:
    """Log a line for every row that is not ok, with its reason."""
    for row in results:
        if row.status != Status.OK:
            LOGGER.info("row %s %s: %s", row.format.name, row.status, _reason(row.failure))
        for one in row.runtimes:
            if one.status != Status.OK:
                LOGGER.info("row %s in %s %s: %s", row.format.name, one.runtime, one.status, _reason(one.failure))


def _reason(failure: Failure | None) -> str:
    if failure is None:
        return "no runtime here could check it"
    return str(NavcoreError(failure.cause, hint=failure.hint))


class _Onward(logging.Handler):
    """Hands on to the rest of the program what it would have seen without navigator.log, and no more."""

    def __init__(self, parent: logging.Logger, level: int) -> None:
        super().__init__(level)
        self._parent = parent

    def emit(self, record: logging.LogRecord) -> None:
        self._parent.callHandlers(record)


class _LogFile(logging.FileHandler):
    """A log whose own trouble, as a full disk, is nobody's news: what it was about is told elsewhere."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        pass


class _Shared:
    """What the files of several runs at once change of the logger: once, and back when the last of them is closed.

    Each change is undone by what stood there before the first.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files = 0
        self._undo = contextlib.ExitStack()

    def add(self, handler: logging.Handler) -> None:
        logger = LOGGER
        with self._lock:
            if not self._files:
                self._change(logger)
            self._files += 1
            logger.addHandler(handler)

    def remove(self, handler: logging.Handler) -> None:
        with self._lock:
            LOGGER.removeHandler(handler)
            self._files -= 1
            if not self._files:
                self._undo.close()

    def _change(self, logger: logging.Logger) -> None:
        level, propagate, shown = logger.level, logger.propagate, logger.getEffectiveLevel()
        for own in logger.handlers:
            self._undo.callback(own.setLevel, own.level)
            own.setLevel(max(own.level, shown))
        if propagate and logger.parent is not None:
            onward = _Onward(logger.parent, shown)
            logger.addHandler(onward)
            self._undo.callback(logger.removeHandler, onward)
        self._undo.callback(setattr, logger, "propagate", propagate)
        self._undo.callback(logger.setLevel, level)
        logger.propagate = False
        logger.setLevel(min(shown, logging.INFO))


_shared = _Shared()
_run: ContextVar[object] = ContextVar("navcore run", default=None)


@contextlib.contextmanager
def logged(path: Path) -> Iterator[None]:
    """Send navcore's log records to a file for the time of a block; no handler stays behind.

    The file gets everything from INFO on, less what other runs in other threads tell; the program's own handlers get
    what the logger's level lets through.
    """
    handler = _LogFile(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(lambda _record: _run.get() in (None, handler))
    token = _run.set(handler)
    _shared.add(handler)
    try:
        yield
    finally:
        _shared.remove(handler)
        _run.reset(token)
        with contextlib.suppress(OSError):
            handler.close()
