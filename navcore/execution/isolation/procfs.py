"""Says who a process is, who belongs to it, and how much memory they hold.

psutil tells the memory. It cannot tell sessions, pipes, or the environment of who is about to end; its time of creation
moves with the system's clock, where a record on disk has to mean the same process for another program; and to find
children it reads all of ``/proc``, twenty times a second beside a measurement. That much is read here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import attrs

# What reading /proc/<pid>/… raises when the process ends meanwhile (ESRCH), or is somebody else's (EPERM).
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


@attrs.frozen
class Process:
    """One process of this boot: the start time tells it from a later one with the same recycled number.

    ``started`` is in clock ticks since the machine started (field 22 of ``/proc/<pid>/stat``, see proc(5)).
    """

    pid: int
    started: int


@attrs.frozen
class _Stat:
    state: str
    parent: int
    session: int
    started: int


def _read_stat(pid: int) -> _Stat | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except _GONE:
        return None
    # The second field is the program's name in parentheses, and the name itself may hold spaces and parentheses.
    fields = text.rpartition(b")")[2].split()
    return _Stat(state=fields[0].decode(), parent=int(fields[1]), session=int(fields[3]), started=int(fields[19]))


def identify(pid: int) -> Process | None:
    """Return the process that has this number now, or None where none is running (a zombie has ended)."""
    stat = _read_stat(pid)
    if stat is None or stat.state in "ZX":
        return None
    return Process(pid, stat.started)


def is_running(process: Process) -> bool:
    """Say whether this very process, and not a later one with its number, is still running."""
    return identify(process.pid) == process


def session_members(session: int) -> list[Process]:
    """Return the running processes of a session, process groups of its own included.

    Orphans stay in their session, so this finds what the tree of parents no longer shows.
    """
    members = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            stat = _read_stat(int(entry))
            if stat is not None and stat.session == session and stat.state not in "ZX":
                members.append(Process(int(entry), stat.started))
    return members


def descendants(pid: int) -> list[Process]:
    """Return the running children of a process, their children and so on, without the process itself."""
    found: list[Process] = []
    for child in _children(pid):
        process = identify(child)
        if process is not None:
            found.append(process)
            found.extend(descendants(child))
    return found


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(*_GONE):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(*_GONE), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                yield from map(int, file.read().split())


def resident_memory(pid: int) -> int:
    """Return the bytes of a process that are in memory now; 0 when it has ended."""
    import psutil  # here, since a child that never watches another one need not wait for it

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def own_peak_memory() -> int | None:
    """Return the most bytes that this process ever held in memory (``VmHWM``), or None where the kernel hides it."""
    with open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def machine_name() -> str:
    """Return a name for "this boot of this machine, in this container", the reach of a process number."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        boot = file.read().strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"


def started_with(token: str) -> list[Process]:
    """Return the running processes, this one apart, that were started with this token in their environment.

    A session of their own, or a dead parent, hides nobody from this; only who empties the environment is not found.
    """
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and int(entry) != os.getpid() and has_in_environment(int(entry), token):
            process = identify(int(entry))
            if process is not None:
                found.append(process)
    return found


def has_in_environment(pid: int, text: str) -> bool:
    """Say whether a process was started with this text in its environment."""
    with contextlib.suppress(*_GONE), open(f"/proc/{pid}/environ", "rb") as file:
        return os.fsencode(text) in file.read()
    return False


def has_open(pid: int, target: str) -> bool:
    """Say whether a process holds a descriptor of this file, socket or pipe (``"pipe:[12345]"``)."""
    with contextlib.suppress(*_GONE):
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(*_GONE):
                if os.readlink(f"/proc/{pid}/fd/{descriptor}") == target:
                    return True
    return False
