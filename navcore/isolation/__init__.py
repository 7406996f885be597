"""Runs work in child processes that cannot harm the caller, and reports how each one ended.

A child is its own session, with its output in a capped log, under a time and a memory limit; it dies with its parent.
Its answer is a file with a digest, never an exit status. Linux only: this room lives on ``/proc`` and ``prctl``.
"""

from __future__ import annotations

from navcore.isolation.childhood import die_with, enter_child
from navcore.isolation.forking import run_forked
from navcore.isolation.output import captured_output
from navcore.isolation.records import kill_children, reap_orphans
from navcore.isolation.resultfile import read_request, read_result, write_result
from navcore.isolation.spawning import run_module
from navcore.isolation.supervision import ChildReport, Limits

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
