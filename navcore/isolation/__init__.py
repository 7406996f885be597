"""Runs work in child processes that cannot harm the caller, and reports how each one ended.

A child is its own session, with its output in a capped log, under a time and a memory limit; it dies with its parent.
Its answer is a file with a digest, never an exit status. Linux only: this room lives on ``/proc`` and ``prctl``.

Names are resolved when they are first used: a child needs nothing of what starts and watches children, and every step
waits for its imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

_HOMES = {
    "childhood": ("die_with", "enter_child"),
    "forking": ("run_forked",),
    "output": ("captured_output",),
    "records": ("kill_children", "reap_orphans"),
    "resultfile": ("read_request", "read_result", "write_result"),
    "spawning": ("run_module",),
    "supervision": ("ChildReport", "Limits"),
}
_PUBLIC = {name: home for home, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from navcore.isolation.childhood import die_with, enter_child
    from navcore.isolation.forking import run_forked
    from navcore.isolation.output import captured_output
    from navcore.isolation.records import kill_children, reap_orphans
    from navcore.isolation.resultfile import read_request, read_result, write_result
    from navcore.isolation.spawning import run_module
    from navcore.isolation.supervision import ChildReport, Limits


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


__all__ = [
    "ChildReport",
    "Limits",
    "captured_output",
    "die_with",
    "enter_child",
    "kill_children",
    "read_request",
    "read_result",
    "reap_orphans",
    "run_forked",
    "run_module",
    "write_result",
]
