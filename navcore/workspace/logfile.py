"""navigator.log: navcore's log records in the workspace, for the time of one run."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

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
    return f"{failure.cause} {failure.hint}".strip()


class _Onward(logging.Handler):
    """Hands on to the rest of the program what it would have seen without navigator.log, and no more."""

    def __init__(self, parent: logging.Logger, level: int) -> None:
        super().__init__(level)
        self._parent = parent

    def emit(self, record: logging.LogRecord) -> None:
        self._parent.callHandlers(record)


@contextlib.contextmanager
def logged(path: Path) -> Iterator[None]:
    """Send navcore's log records to a file for the time of a block; no handler stays behind.

    The file gets everything from INFO on; the program's own handlers get what the logger's level lets through.
    """
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = LOGGER
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
        handler.close()
