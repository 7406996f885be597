"""Imports once, in the process that forks, what exports import in each of their forks: frameworks take seconds.

A plugin of the conformance kit notes it in the fork; :func:`bring_in` reads the notes in the process that is forked.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Collection, Generator
from pathlib import Path
from typing import Any

from navcore.contract import hookimpl

NAME = "navcore_conformance_imports"
VARIABLE = "NAVCORE_CONFORMANCE_IMPORTS"
"""Holds the folder of the notes."""


@hookimpl(wrapper=True)
def export_model() -> Generator[None, Any, Any]:
    """Note what is imported in the course of an export, in the order in which it was begun."""
    before = set(sys.modules)
    try:
        return (yield)
    finally:
        with contextlib.suppress(OSError, KeyError):  # a note that is missing costs time and nothing else
            _note(Path(os.environ[VARIABLE]), [name for name in list(sys.modules) if name not in before])


def _note(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / f"{os.getpid()}.unfinished"
    written.write_text(json.dumps([name for name in names if _is_imported(name)]))
    written.replace(written.with_suffix(".json"))


def _is_imported(name: str) -> bool:
    """Whether it comes from a file, and was not put together in memory."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return getattr(spec, "name", None) == name and bool(getattr(spec, "origin", None))


def bring_in(folder: Path, without: Collection[str]) -> None:
    """Import what was noted in ``folder``, but for packages called ``without``: plugins are tried as they come.

    A module that cannot be imported by itself is left to the forks. A module that starts a thread is the last one:
    forks of a process with threads may wait for ever for a lock that one of them holds. What they write into the
    environment is undone, as it is gone with a fork: PyTorch writes down where its caches are, for all that follow.
    """
    environment = dict(os.environ)
    noted = sorted(folder.glob("*.json"))
    names = dict.fromkeys(name for note in noted for name in json.loads(note.read_text()))
    threads = _threads()
    for name in names:
        if name not in sys.modules and name.partition(".")[0] not in without and _threads() <= threads:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    for variable in set(os.environ) - set(environment):
        del os.environ[variable]
    os.environ.update(environment)
    for note in noted:
        note.unlink()


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))
