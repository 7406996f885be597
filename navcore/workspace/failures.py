"""From an exception, or a child that died, to the failure that a user reads: cause, category, frame, hint."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

from navcore.errors import NavcoreError, StepCrashed, first_line
from navcore.workspace.bounded import bounded_text
from navcore.workspace.disk_space import is_about_room, is_full, what_is_lacking
from navcore.workspace.results import Failure

_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_NOT_BY_ROOM = ("unavailable", "timeout", "memory")

_HINTS = {
    "crash": (
        "Native code ended the step's process; its log has the last words. It is not tried again before a version, an "
        "option or a limit of the step changes, or override_workdir=True forgets all."
    ),
    "killed": "That says nothing about the step: the next run tries it again.",
    "interrupted": "The next run tries it again.",
    "disk": "Make room: the next run tries it again.",
    "out-of-memory": "The machine had no more: the next run tries it again.",
    "timeout": "Give it more time with timeout=, or look in its log for where it hangs.",
    "memory": "Give it more memory with memory_limit=, or a smaller example.",
    "no-result": "The step's code ended its own process; its log has the last words.",
    "internal": "This is a fault of navcore or of a plugin: please report it with the log.",
}


_CHANCE = frozenset({"killed", "interrupted", "disk", "out-of-memory"})


def is_chance(failure: Failure | None) -> bool:
    """Whether this says something about the moment, and nothing about the step: it is not to be remembered.

    A signal from outside, an interrupt, a full disk, a machine without memory. Whatever exceeds the user's own limit
    is no chance, nor is a crash that the step's own code brought on.
    """
    return failure is not None and failure.category in _CHANCE


def without_room(failure: Failure, place: Path) -> Failure:
    """The failure of a step for whose files, in ``place``, there was no room; any other as it is.

    Native code tells a full disk in many words, or dies of it: whatever fails where nothing is left is taken so.
    """
    if failure.category != "disk" and (is_chance(failure) or failure.category in _NOT_BY_ROOM or not is_full(place)):
        return failure
    lacking = what_is_lacking(place)
    cause = f"{lacking[0].upper()}{lacking[1:]} ({failure.cause.rstrip('.')})."
    return Failure(cause, "disk", failure.frame, _HINTS["disk"])


def describe(error: BaseException) -> Failure:
    """The failure behind an exception: its first line, and the innermost cause that a user can act on."""
    chain = list(_causes(error))
    if isinstance(error, NavcoreError):
        cause = f"{error.who}: {_in_one_line(error)}" if error.who else _in_one_line(error)
        category, hint = error.category, error.hint
    else:
        cause, category, hint = f"{type(error).__name__}: {first_line(error)}", "internal", ""
    cause = bounded_text(cause)
    if isinstance(error, StepCrashed):
        category = error.crash_category
    elif found := chance_in(error):
        category, hint = found, ""
    frame = next((frame for one in reversed(chain) if (frame := user_frame(one))), "")
    return Failure(cause, category, frame, hint or _HINTS.get(category, ""))


def chance_in(error: BaseException) -> str:
    """The category of an error that says something about the moment only, or ``""``; see :func:`is_chance`."""
    return next((told for one in _causes(error) if (told := _chance_category(one))), "")


def _chance_category(error: BaseException) -> str:
    # The second is a device's, as frameworks tell it.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out-of-memory"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if is_about_room(error):
        return "disk"
    # A program that the step started, as subprocess tells it.
    code = getattr(error, "returncode", None)
    if type(error).__name__ == "CalledProcessError" and isinstance(code, int) and -code in _FROM_OUTSIDE:
        return "killed"
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, innermost last."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__


def _in_one_line(error: NavcoreError) -> str:
    return next((line.strip() for line in error.what.splitlines() if line.strip()), type(error).__name__)


def died(ended: str, cause: str, who: str) -> Failure:
    """The failure of a child that left no complete result."""
    return Failure(f"{who}: {cause}" if who else cause, ended, "", _HINTS.get(ended, ""))


def user_frame(error: BaseException) -> str:
    """The innermost frame that is neither in an installed package nor in the standard library, as ``file:line``.

    That is where the user's own model or script was; ``""`` when the error never passed through it.
    """
    import traceback

    foreign = [Path(__file__).parents[1], *_libraries(), *_plugin_places()]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if not _INSTALLED.isdisjoint(file.parts):
            continue
        if file.exists() and not any(place == file or place in file.parents for place in foreign):
            return f"{frame.filename}:{frame.lineno} in {frame.name}"
    return ""


_INSTALLED = {"site-packages", "dist-packages"}
"""Folders that hold what is installed, wherever they lie: a child may find libraries where this Python has none."""


def _libraries() -> Iterator[Path]:
    import sysconfig

    for kind in ("purelib", "platlib", "stdlib", "platstdlib"):
        if path := sysconfig.get_path(kind):
            yield Path(path)


def _plugin_places() -> Iterator[Path]:
    """Where plugins live that are installed in place: the folder of a package, the file of a single module."""
    from navcore.registry import load_registry

    for plugin in load_registry().plugins:
        yield from plugin.places
