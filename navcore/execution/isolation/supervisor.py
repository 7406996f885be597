"""Watches one child process until it ends, keeps it within its limits, and tells how it went."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from pathlib import Path
from typing import Any

import attrs

from navcore.errors import OptionError
from navcore.execution.isolation.child_register import STOP, ChildEntry, register_child, unregister_child
from navcore.execution.isolation.leader import Leader
from navcore.execution.isolation.output_capture import CappedLog
from navcore.execution.isolation.process_tree import Family
from navcore.execution.isolation.procfs import identify, machine_name, resident_memory
from navcore.execution.isolation.result_file import (
    ResultWatch,
    WrittenResult,
    read_written,
    remove_half_written,
    remove_results,
)

_LOOK_EVERY = 0.05  # seconds between two looks at memory and result
_SECOND_LOOK = 0.02  # seconds until an excess of memory is looked at again
_GRACE = 0.5  # seconds between SIGTERM and SIGKILL
_FAREWELL = 0.2  # seconds for a child to exit once its final result is there
_LOST = "killed together with the warm process that it was forked from"
_PIPE_CHUNKS = 64  # more than a pipe holds: what is read after the end is bounded even if somebody still writes
FAULTS = frozenset(
    {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
)
"""What a process brings on itself. Any other was sent to it, by somebody or by a kernel that is short of memory."""


def _refuse_not_positive(limits: object, field: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not value > 0:
        raise OptionError(f"{field.name}={value!r} is not a limit: it has to be greater than zero, or None for none.")


@attrs.frozen
class Limits:
    """What a child may use: wall-clock seconds, bytes of resident memory, bytes of log; None means no limit.

    Memory is that of the child and all it started, counted every 50 ms. For a forked child it is what comes on top of
    what it inherited. Raises OptionError for a limit that is not positive.
    """

    seconds: float | None = attrs.field(default=None, validator=_refuse_not_positive)
    memory_bytes: int | None = attrs.field(default=None, validator=_refuse_not_positive)
    log_bytes: int = attrs.field(default=4 << 20, validator=_refuse_not_positive)


@attrs.frozen
class ChildReport:
    """How a child went.

    ``result`` is the last complete result that the child wrote. When ``ended`` is not ``"ok"`` it is the progress
    that the child had reported before it ended, or None.

    ``ended`` is ``"ok"`` (a final result is there, whatever happened after it was written), ``"crash"`` (a signal that
    its own code brought on, as SIGSEGV), ``"killed"`` (a signal from outside), ``"interrupted"`` (with the run),
    ``"timeout"``, ``"memory"``, or ``"no-result"`` (it exited, and left no final result). The exit status is never
    taken as an answer.

    ``cause`` is a phrase that completes "the child …", empty when ok. ``seconds`` is wall-clock time from start to
    end. ``peak_memory`` is the most resident memory in bytes that was seen of the child and all it started, for a
    forked child without what it inherited; None when it ended before it could be looked at.
    """

    result: dict[str, Any] | None
    ended: str
    cause: str
    seconds: float
    peak_memory: int | None
    log: Path


@attrs.frozen
class StartedChild:
    """A child that runs and leads its own session, or is about to: ``leader``.

    ``output`` is the reading end of the pipe that is its standard output and error. A forked child waits for
    the event ``gate``: what it has in memory until then is its parent's. Both descriptors become the supervisor's.
    ``mask`` are the signals that the calling thread blocked before `block_signals`.
    """

    leader: Leader
    output: int
    token: str
    began: float
    mask: set[int]
    gate: int | None = None

    @property
    def pid(self) -> int:
        return self.leader.pid


def block_signals() -> set[int]:
    """Block all signals for the calling thread and a child that it starts now; return those blocked before."""
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()))


def prepare(folder: Path, log: Path) -> None:
    """Make the folders of a child and remove what an earlier child left in them."""
    folder.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    remove_results(folder)
    (folder / STOP).unlink(missing_ok=True)


def supervise(child: StartedChild, *, folder: Path, log: Path, limits: Limits) -> ChildReport:
    """Stay with a child until it and all it started have ended, and report.

    Any exception here (a KeyboardInterrupt above all) kills them at once and goes on its way. Has to be called by
    the thread that started the child: the kernel takes the end of that thread for the end of the parent.
    """
    family = Family(child.leader, child.token)
    with contextlib.ExitStack() as stack:
        stack.callback(unregister_child, folder)
        stack.callback(os.close, child.output)
        stack.callback(family.end)
        # From here on an interrupt finds somebody who kills the child. One that waited is raised by this very call.
        signal.pthread_sigmask(signal.SIG_SETMASK, child.mask)
        if child.gate is not None:
            stack.callback(os.close, child.gate)
        capture = stack.enter_context(CappedLog(log, limits.log_bytes))
        watch = stack.enter_context(_Watch(family, child, folder, limits, capture))
        _record(child, folder)
        if child.gate is not None:
            watch.inherited = resident_memory(child.pid)
            os.eventfd_write(child.gate, 1)
        overrun = watch.until_over()
        code = family.end()
        watch.take_rest_of_output()
    remove_half_written(folder)
    written = read_written(folder)
    if written is not None and written.peak_memory is not None:
        watch.peak = max(watch.peak, written.peak_memory - watch.inherited)
    ended, cause = _conclude(written, overrun, code, limits)
    if ended == "no-result" and code is None and child.leader.parent != os.getpid():
        ended, cause = "killed", _LOST
    return ChildReport(
        result=written.result if written is not None else None,
        ended=ended,
        cause=cause,
        seconds=time.monotonic() - child.began,
        peak_memory=watch.peak if watch.peak > 0 else None,
        log=log,
    )


def _record(child: StartedChild, folder: Path) -> None:
    parent, process = identify(os.getpid()), identify(child.pid)
    if parent is not None and process is not None:
        output = os.readlink(f"/proc/self/fd/{child.output}")
        register_child(folder, ChildEntry(machine_name(), parent, process, child.token, output))


class _Watch(contextlib.ExitStack):
    """The loop that drains a child's output, looks at its memory and its result, and minds the clock."""

    def __init__(self, family: Family, child: StartedChild, folder: Path, limits: Limits, capture: CappedLog) -> None:
        super().__init__()
        self._family = family
        self._child = child
        self._limits = limits
        self._stop = folder / STOP
        self._capture = capture
        self._result = ResultWatch(folder)
        self._selector = self.enter_context(selectors.DefaultSelector())
        self._has_exit_event = False
        self._in_excess = False
        self.inherited = 0
        self.peak = 0
        os.set_blocking(child.output, False)
        self._selector.register(child.output, selectors.EVENT_READ)
        # Without a descriptor for the process (a kernel before 5.3) its end is noticed by asking often.
        with contextlib.suppress(OSError):
            exit_event = os.pidfd_open(child.pid)
            self.callback(os.close, exit_event)
            self._selector.register(exit_event, selectors.EVENT_READ)
            self._has_exit_event = True

    def until_over(self) -> str:
        """Return when the child has ended or has to: ``"timeout"``, ``"memory"``, ``"stopped"`` or ``""``."""
        seconds = self._limits.seconds
        deadline = self._child.began + seconds if seconds is not None else float("inf")
        leave_at = float("inf")
        next_look = 0.0
        while not self._family.has_lost_its_leader():
            now = time.monotonic()
            if now >= next_look:
                if leave_at == float("inf") and self._result.is_done():
                    leave_at = now + _FAREWELL
                if self._uses_too_much():
                    return "memory"
                if self._stop.exists():
                    return "stopped"
                next_look = now + (_SECOND_LOOK if self._in_excess else _LOOK_EVERY)
            if now >= leave_at:
                return ""
            if now >= deadline:
                self._ask_to_end()
                return "timeout"
            self._wait(min(next_look, deadline, leave_at) - now)
        return ""

    def take_rest_of_output(self) -> None:
        """Move what the ended child left in the pipe."""
        for _ in range(_PIPE_CHUNKS):
            if not self._capture.take(self._child.output):
                break

    def _uses_too_much(self) -> bool:
        """Say whether the memory limit is exceeded, twice in a row.

        One look is not enough: a process that is just starting another one is seen double for a moment (vfork(2)).
        """
        used = self._family.resident_memory() - self.inherited
        was_in_excess = self._in_excess
        self._in_excess = self._limits.memory_bytes is not None and used > self._limits.memory_bytes
        if not self._in_excess or was_in_excess:
            self.peak = max(self.peak, used)
        return self._in_excess and was_in_excess

    def _ask_to_end(self) -> None:
        self._family.send(signal.SIGTERM)
        give_up = time.monotonic() + _GRACE
        while not self._family.has_lost_its_leader() and (left := give_up - time.monotonic()) > 0:
            self._wait(left)

    def _wait(self, seconds: float) -> None:
        if not self._has_exit_event:
            seconds = min(seconds, 0.005)
        for key, _ in self._selector.select(max(seconds, 0)):
            if key.fd == self._child.output and self._capture.take(key.fd) == 0:
                self._selector.unregister(key.fd)


def _conclude(written: WrittenResult | None, overrun: str, code: int | None, limits: Limits) -> tuple[str, str]:
    """Return how the child ended and the cause."""
    if written is not None and written.done:
        return "ok", ""
    if overrun == "timeout":
        return overrun, f"ran longer than {limits.seconds:g} s"
    if overrun == "memory":
        return overrun, f"used more than {(limits.memory_bytes or 0) / (1 << 20):.6g} MiB"
    if overrun == "stopped":
        return "interrupted", "stopped, because the run was interrupted"
    if code is not None and code < 0:
        return "crash" if -code in FAULTS else "killed", f"killed by {_signal_name(-code)}"
    status = f"exited with status {code}" if code is not None else "exited with a status that somebody else took"
    return "no-result", f"{status} and left no result" if written is None else f"{status} before it was done"


def _signal_name(number: int) -> str:
    if number == signal.SIGKILL:
        return "SIGKILL (by the kernel, out of memory, or by somebody's kill -9)"
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name} ({(signal.strsignal(number) or name).lower()})"
