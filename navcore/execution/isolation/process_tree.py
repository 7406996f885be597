"""Follows a child process and everything it started, and ends all of it."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from navcore.execution.isolation.leader import Leader
from navcore.execution.isolation.procfs import (
    Process,
    descendants,
    identify,
    is_running,
    resident_memory,
    session_members,
    started_with,
)

_STRAYS_EVERY = 1.0  # seconds; finding orphans means reading the whole of /proc
_PATIENCE = 5.0  # seconds to wait for killed processes, which the kernel may hold in the middle of a device call


class Family:
    """A child that leads a session, with its descendants and the orphans that they left in the session or outside.

    Outside its session they are known by the ``token``, which what the child starts has in its environment. The child
    is not reaped before `end`, so its number stays its own, and its group can be signalled safely.
    """

    def __init__(self, leader: Leader, token: str) -> None:
        self._leader = leader
        self.leader = leader.pid
        self._token = token
        self._known: set[Process] = set()
        self._next_scan = 0.0
        self._ended = False
        self._code: int | None = None

    def resident_memory(self) -> int:
        """Return the bytes that the family holds in memory now; pages that several share count once for each."""
        found = set(descendants(self.leader))
        now = time.monotonic()
        if now >= self._next_scan:
            self._next_scan = now + _STRAYS_EVERY
            found.update(session_members(self.leader), started_with(self._token))
        found.update(process for process in self._known if is_running(process))
        leader = identify(self.leader)
        self._known = found - {leader} if leader is not None else found
        return resident_memory(self.leader) + sum(resident_memory(process.pid) for process in self._known)

    def has_lost_its_leader(self) -> bool:
        """Say whether the child itself has ended."""
        return self._leader.has_ended()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the child and its process group."""
        for deliver in (os.kill, os.killpg):
            # A forked child that has not got as far as leading its own group is reached by its number alone.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                deliver(self.leader, number)

    def end(self) -> int | None:
        """Kill whatever is left, reap the child and return its exit code: negative for a signal, None if unknown."""
        if self._ended:
            return self._code
        if not self._leader.is_taken():
            self.send(signal.SIGKILL)
        deadline = time.monotonic() + _PATIENCE
        pause = 0.001
        while (left := self._left()) or not self.has_lost_its_leader():
            for process in left:
                kill_exactly(process)
            if time.monotonic() > deadline:
                break
            time.sleep(pause)
            pause = min(2 * pause, 0.05)  # looking costs the time that the killed need to end
        self._code = self._leader.reap()
        self._ended = True
        return self._code

    def _left(self) -> list[Process]:
        known = {process for process in self._known if is_running(process)}
        return list(known.union(session_members(self.leader), started_with(self._token)))


def kill_exactly(process: Process) -> None:
    """Kill this very process; a later one that got its number is never touched."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    except OSError:  # a kernel before 5.3, or a container that forbids the call
        descriptor = -1
    try:
        # Looked at after the descriptor was opened: from here on it cannot come to mean another process.
        if is_running(process):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if descriptor >= 0:
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                else:
                    os.kill(process.pid, signal.SIGKILL)
    finally:
        if descriptor >= 0:
            os.close(descriptor)
