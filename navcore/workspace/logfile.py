"""navigator.log: navcore's log records in the workspace, for the time of one run."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path


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


@contextlib.contextmanager
def logged(path: Path) -> Iterator[None]:
    """Send navcore's log records to a file for the time of a block; no handler stays behind.

    The file gets everything from INFO on; the program's own handlers get what the logger's level lets through.
    """
    handler = _LogFile(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("navcore")
    level, propagate = logger.level, logger.propagate
    shown = logger.getEffectiveLevel()
    own = logger.handlers[:]
    levels = [one.level for one in own]
    handlers: list[logging.Handler] = [handler]
    if propagate and logger.parent is not None:
        handlers.append(_Onward(logger.parent, shown))
    for one in own:
        one.setLevel(max(one.level, shown))
    for one in handlers:
        logger.addHandler(one)
    logger.propagate = False
    logger.setLevel(min(shown, logging.INFO))
    try:
        yield
    finally:
        for one in handlers:
            logger.removeHandler(one)
        for one, before in zip(own, levels, strict=True):
            one.setLevel(before)
        logger.setLevel(level)
        logger.propagate = propagate
        with contextlib.suppress(OSError):
            handler.close()
