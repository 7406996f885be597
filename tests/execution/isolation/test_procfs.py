"""Who a process is, who belongs to it, what it holds."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from navcore.execution.isolation.process_tree import kill_exactly
from navcore.execution.isolation.procfs import (
    Process,
    descendants,
    has_in_environment,
    has_open,
    identify,
    is_running,
    machine_name,
    own_peak_memory,
    resident_memory,
    session_members,
)

MIB = 1 << 20
_PR_SET_NAME = 15  # <linux/prctl.h>


@pytest.fixture
def family(eventually: Callable[[Callable[[], object]], None]) -> Iterator[subprocess.Popen[bytes]]:
    """A shell that leads a session, with a child that sleeps in a session of its own and one that does not."""
    shell = subprocess.Popen(
        ["sh", "-c", "sleep 300 & setsid sleep 300 & wait"], start_new_session=True, env={**os.environ, "MARK": "abc"}
    )
    eventually(lambda: len(descendants(shell.pid)) == 2 and len(session_members(shell.pid)) == 2)
    yield shell
    for process in [*descendants(shell.pid), *session_members(shell.pid)]:
        kill_exactly(process)
    shell.wait()


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    me = identify(os.getpid())

    assert me is not None
    assert is_running(me)
    assert not is_running(Process(me.pid, me.started - 1))


def test_a_zombie_has_ended() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert identify(process.pid) is None
    process.wait()
    assert identify(process.pid) is None
    assert resident_memory(process.pid) == 0


def test_a_name_full_of_parentheses_is_no_trouble() -> None:
    before = identify(os.getpid())
    name = Path("/proc/self/comm").read_bytes().strip()
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_NAME, b") R 1 (", 0, 0, 0)
    try:
        assert identify(os.getpid()) == before
    finally:
        libc.prctl(_PR_SET_NAME, name, 0, 0, 0)


def test_a_family_is_found_from_above_and_by_its_session(family: subprocess.Popen[bytes]) -> None:
    below = {process.pid for process in descendants(family.pid)}
    together = {process.pid for process in session_members(family.pid)}
    assert family.pid in together
    assert len(below & together) == 1


def test_memory_is_counted_in_bytes() -> None:
    # A mapping of its own: what malloc gives back depends on the libraries that share the process.
    with mmap.mmap(-1, 64 * MIB) as hoard:
        hoard.write(b"x" * (64 * MIB))
        before = resident_memory(os.getpid())

    assert before - resident_memory(os.getpid()) > 50 * MIB
    peak = own_peak_memory()
    assert peak is not None
    assert peak >= before - MIB


def test_what_a_process_was_started_with_and_has_open(family: subprocess.Popen[bytes]) -> None:
    reader, writer = os.pipe()
    pipe = os.readlink(f"/proc/self/fd/{reader}")

    assert has_in_environment(family.pid, "MARK=abc")
    assert not has_in_environment(family.pid, "MARK=abd")
    assert has_open(os.getpid(), pipe)
    assert not has_open(family.pid, pipe)
    os.close(reader)
    os.close(writer)


def test_the_machine_has_the_same_name_for_all_its_processes() -> None:
    other = subprocess.run(
        [sys.executable, "-c", "from navcore.execution.isolation.procfs import machine_name; print(machine_name())"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        check=True,
        capture_output=True,
        text=True,
    )

    assert other.stdout.strip() == machine_name()
