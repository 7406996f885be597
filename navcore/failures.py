"""From an exception, or a child that died, to the failure that a user reads: cause, category, frame, hint."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

from navcore.errors import NavcoreError, StepCrashed
from navcore.results import Failure

_HINTS = {
    "crash": "Native code ended the step's process; its log has the last words.",
    "timeout": "Give it more time with timeout=, or look in its log for where it hangs.",
    "memory": "Give it more memory with memory_limit=, or a smaller example.",
    "no-result": "The step's code ended its own process; its log has the last words.",
    "internal": "This is a fault of navcore or of a plugin: please report it with the log.",
}


def describe(error: BaseException) -> Failure:
    """The failure behind an exception: the innermost cause that a user can act on, in one line."""
    root = error.__cause__ if isinstance(error, NavcoreError) and error.__cause__ is not None else error
    category = error.category if isinstance(error, NavcoreError) else _category(error)
    if isinstance(error, StepCrashed):
        category = error.crash_category
    if isinstance(error, NavcoreError):
        cause = f"{error.who}: {error.what}" if error.who else error.what
        hint = error.hint
    else:
        cause, hint = f"{type(error).__name__}: {first_line(error)}", ""
    return Failure(cause, category, user_frame(root), hint or _HINTS.get(category, ""))


def died(ended: str, cause: str, who: str) -> Failure:
    """The failure of a child that left no complete result."""
    return Failure(f"{who}: {cause}" if who else cause, ended, "", _HINTS.get(ended, ""))


def first_line(error: BaseException) -> str:
    """The first line of the message that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else "(no message)"


def _category(error: BaseException) -> str:
    return "memory" if isinstance(error, MemoryError) else "internal"


def user_frame(error: BaseException) -> str:
    """The innermost frame that is neither in an installed package nor in the standard library, as ``file:line``.

    That is where the user's own model or script was; ``""`` when the error never passed through it.
    """
    own = Path(__file__).parent
    libraries = [Path(path) for path in (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib")) if path]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        foreign = any(library in file.parents for library in libraries) or own in file.parents
        if not foreign and file.exists() and not _in_plugin(file):
            return f"{frame.filename}:{frame.lineno} in {frame.name}"
    return ""


def _in_plugin(file: Path) -> bool:
    """Whether the file belongs to a plugin that is installed in place (outside site-packages)."""
    from navcore.registry import load_registry

    return any(
        Path(str(plugin.module.__file__)).parent in file.parents
        for plugin in load_registry().plugins
        if plugin.module is not None and getattr(plugin.module, "__file__", None)
    )
