"""The process at the head of a family: how its end is noticed, and who takes its exit status."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from typing import Protocol

_JUST_LOOK = os.WEXITED | os.WNOWAIT | os.WNOHANG


class Leader(Protocol):
    """A process whose number stays its own until :meth:`reap`."""

    @property
    def pid(self) -> int:
        """Its number."""

    @property
    def parent(self) -> int:
        """The number of the process that started it."""

    def has_ended(self) -> bool:
        """Say whether it has ended; True as well where nobody can know any more."""

    def is_taken(self) -> bool:
        """Say whether somebody else took its exit status, so that its number may belong to a stranger by now."""

    def reap(self) -> int | None:
        """Give up the number of one that has ended, and return its exit code: negative for a signal, None if unknown.

        May be called several times; the first answer counts.
        """


class OwnChild:
    """A child of this very process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.parent = os.getpid()

    def has_ended(self) -> bool:
        """See :class:`Leader`."""
        try:
            return os.waitid(os.P_PID, self.pid, _JUST_LOOK) is not None
        except ChildProcessError:  # the program around us reaps all its children
            return True

    def is_taken(self) -> bool:
        """See :class:`Leader`."""
        try:
            os.waitid(os.P_PID, self.pid, _JUST_LOOK)
        except ChildProcessError:
            return True
        return False

    def reap(self) -> int | None:
        """See :class:`Leader`."""
        with contextlib.suppress(ChildProcessError):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return os.waitstatus_to_exitcode(status) if pid else None
        return None


class WarmChild:
    """A fork of a warm process, which keeps its exit status until it is asked for it over ``line``.

    ``descriptor`` is one for the process (pidfd): it never means another one.
    """

    def __init__(self, pid: int, parent: int, descriptor: int, line: socket.socket) -> None:
        self.pid = pid
        self.parent = parent
        self._descriptor = descriptor
        self._line = line

    def has_ended(self) -> bool:
        """See :class:`Leader`."""
        return bool(select.select([self._descriptor], [], [], 0)[0])

    def is_taken(self) -> bool:
        """See :class:`Leader`: when the warm process is gone, the kernel has taken it."""
        return self.has_ended() and self._is_cut()

    def _is_cut(self) -> bool:
        try:
            return bool(select.select([self._line], [], [], 0)[0]) and self._line.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def reap(self) -> int | None:
        """See :class:`Leader`."""
        try:
            self._line.send(b"reap")
            said = self._line.recv(32)
            return int(said) if said else None
        except OSError:
            return None

    def close(self) -> None:
        """Close what is open for it."""
        os.close(self._descriptor)
        self._line.close()
