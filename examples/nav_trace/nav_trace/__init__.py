"""nav-trace: note when each step of a run begins and ends, in whichever process it is; `nav-trace` merges the notes."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import navcore

__version__ = "0.1.0"

NOTES = "nav_trace.log"


def _note(phase: str, job: Any, route: navcore.Route) -> None:
    event = {"ph": phase, "ts": time.time_ns() / 1000, "pid": os.getpid(), "tid": threading.get_native_id()}
    line = json.dumps({**event, "name": route.name, "cat": route.hook, "args": {"by": route.who}}) + "\n"
    with contextlib.suppress(OSError), (job.log_dir / NOTES).open("a") as notes:  # a full disk is not the step's fault
        notes.write(line)


def _observer(hook: str) -> Callable[[Any, navcore.Route], Generator[None, Any, Any]]:
    @navcore.hookimpl(wrapper=True, specname=hook)
    def observed(job: Any, route: navcore.Route) -> Generator[None, Any, Any]:
        _note("B", job, route)  # written at once: a step that dies has no last words
        try:
            return (yield)
        finally:
            _note("E", job, route)

    return observed


export_model, convert, make_runner, profile = map(_observer, ("export_model", "convert", "make_runner", "profile"))
