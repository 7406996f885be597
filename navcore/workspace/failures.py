"""From an exception, or a child that died, to the failure that a user reads: cause, category, frame, hint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from navcore.errors import NavcoreError, StepCrashed, first_line
from navcore.workspace.results import Failure

_HINTS = {
    "crash": "Native code ended the step's process; its log has the last words.",
    "timeout": "Give it more time with timeout=, or look in its log for where it hangs.",
    "memory": "Give it more memory with memory_limit=, or a smaller example.",
    "no-result": "The step's code ended its own process; its log has the last words.",
    "internal": "This is a fault of navcore or of a plugin: please report it with the log.",
}


def describe(error: BaseException) -> Failure:
    """The failure behind an exception: its first line, and the innermost cause that a user can act on."""
    chain = list(_causes(error))
    if isinstance(error, NavcoreError):
        cause = f"{error.who}: {_in_one_line(error)}" if error.who else _in_one_line(error)
        category, hint = error.category, error.hint
    else:
        cause, category, hint = f"{type(error).__name__}: {first_line(error)}", "internal", ""
    if isinstance(error, StepCrashed):
        category = error.crash_category
    elif any(isinstance(one, MemoryError) for one in chain):
        category = "memory"
    frame = next((frame for one in reversed(chain) if (frame := user_frame(one))), "")
    return Failure(cause, category, frame, hint or _HINTS.get(category, ""))


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
        if file.exists() and not any(place == file or place in file.parents for place in foreign):
            return f"{frame.filename}:{frame.lineno} in {frame.name}"
    return ""


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
