"""Remembers on disk which child runs for whom, so that orphans of a killed program can be found and killed later."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from navcore.execution.isolation.process_tree import kill_exactly
from navcore.execution.isolation.procfs import (
    Process,
    has_in_environment,
    has_open,
    identify,
    is_running,
    machine_name,
    session_members,
    started_with,
)
from navcore.workspace import write_text

RECORD = ".running.json"
STOP = ".stop"


@attrs.frozen
class ChildEntry:
    """A running child and the process that supervises it.

    ``machine`` says where the process numbers mean anything. ``token`` is in the environment of what the child
    starts, and ``output`` (``"pipe:[12345]"``) among its descriptors: by these its orphans are recognised.
    """

    machine: str
    parent: Process
    child: Process
    token: str
    output: str


def register_child(folder: Path, record: ChildEntry) -> None:
    """Write ``folder/.running.json``, which is there as long as the child runs."""
    write_text(folder / RECORD, json.dumps(attrs.asdict(record)))


def unregister_child(folder: Path) -> None:
    """Forget a child that has ended."""
    with contextlib.suppress(OSError):
        (folder / RECORD).unlink()


def reap_orphans(folder: Path) -> list[int]:
    """Kill what killed programs left running, for all records below ``folder``, and return the numbers killed.

    Nothing is killed on account of a record whose supervisor is alive, or that was made on another machine, in
    another container or before the last start of this one. A process is killed only when it is provably the
    recorded child or something that it started: a process that got a recycled number is never touched.
    """
    return _kill_registered(folder, lambda record: not is_running(record.parent))


def runs_in(folder: Path) -> bool:
    """Whether some child is on record below ``folder``."""
    return any(True for _ in _records(folder))


def kill_children(folder: Path) -> list[int]:
    """Kill the children that this very process is running below ``folder`` and return the numbers killed.

    For a program that is interrupted while its threads supervise: their runs return at once, as crashes. Those that
    another process supervises for it, perhaps on another machine, are asked to end by a file beside their record.
    """
    ourselves = identify(os.getpid())
    for path, record in _records(folder):
        if record.machine != machine_name() or record.parent != ourselves:
            with contextlib.suppress(OSError):
                path.with_name(STOP).touch()
    return _kill_registered(folder, lambda record: record.parent == ourselves)


def _kill_registered(folder: Path, is_meant: Callable[[ChildEntry], bool]) -> list[int]:
    here = machine_name()
    killed = []
    for path, record in _records(folder):
        if record.machine != here or not is_meant(record):
            continue
        for process in _still_running(record):
            kill_exactly(process)
            killed.append(process.pid)
        with contextlib.suppress(OSError):
            path.unlink()
    return killed


def _records(folder: Path) -> Iterator[tuple[Path, ChildEntry]]:
    for place, _, names in os.walk(folder):
        if RECORD in names:
            path = Path(place) / RECORD
            # A file that is no record, or has just been removed, is nobody's orphan.
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                said = json.loads(path.read_text())
                parent, child = Process(**said.pop("parent")), Process(**said.pop("child"))
                yield path, ChildEntry(parent=parent, child=child, **said)


def _still_running(record: ChildEntry) -> list[Process]:
    members = session_members(record.child.pid)
    elsewhere = [process for process in started_with(record.token) if process not in members]
    if is_running(record.child):
        return [record.child, *(process for process in (*members, *elsewhere) if process != record.child)]
    # The leader is gone. Its number may since have served another session, so each member has to prove its descent.
    proven = [
        process
        for process in members
        if has_in_environment(process.pid, record.token) or has_open(process.pid, record.output)
    ]
    return [*proven, *elsewhere]
