"""Orphans of a killed program are found and killed; nobody else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from navcore.execution.isolation.child_register import ChildEntry, kill_children, reap_orphans, register_child
from navcore.execution.isolation.process_tree import kill_exactly
from navcore.execution.isolation.procfs import Process, identify, is_running, machine_name, session_members

Eventually = Callable[[Callable[[], object]], None]

_PROGRAM = """
import subprocess, time
from pathlib import Path
from navcore.execution.isolation import Limits, run_forked

def work():
    started = subprocess.Popen(["sleep", "300"], {redirected})
    Path("pid.part").write_text(str(started.pid))
    Path("pid.part").rename("pid")
    time.sleep(300)

run_forked(work, folder=Path("workspace/step"), log=Path("log"), limits=Limits())
"""


def _someone(pid: int) -> Process:
    process = identify(pid)
    assert process is not None
    return process


@pytest.fixture
def ended_process() -> Process:
    """A supervisor that is no more."""
    process = subprocess.Popen(["sleep", "300"])
    identity = _someone(process.pid)
    process.kill()
    process.wait()
    return identity


@pytest.fixture
def stranger(eventually: Eventually) -> Iterator[Process]:
    """A process that has nothing to do with us and leads a session, with a child in it."""
    process = subprocess.Popen(["sh", "-c", "sleep 300 & wait"], start_new_session=True)
    eventually(lambda: len(session_members(process.pid)) == 2)
    yield _someone(process.pid)
    for member in session_members(process.pid):
        kill_exactly(member)
    process.wait()


@pytest.fixture
def record(ended_process: Process, stranger: Process) -> ChildEntry:
    """A record by which the stranger would have to die, were it true."""
    return ChildEntry(machine_name(), ended_process, stranger, token="a-token", output="pipe:[1]")


QUIET = "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"


@pytest.mark.parametrize("redirected", ["", QUIET, "env={}", f"{QUIET}, start_new_session=True"])
def test_a_grandchild_that_survives_a_killed_program_is_reaped(
    redirected: str,
    start_program: Callable[[str], subprocess.Popen[str]],
    eventually: Eventually,
    tmp_path: Path,
) -> None:
    program = start_program(_PROGRAM.format(redirected=redirected))
    eventually((tmp_path / "pid").exists)
    grandchild = _someone(int((tmp_path / "pid").read_text()))
    (record,) = tmp_path.rglob(".running.json")

    child = Process(**json.loads(record.read_text())["child"])

    assert reap_orphans(tmp_path / "workspace") == []  # its program is alive
    program.kill()
    program.wait()
    eventually(lambda: not is_running(child))  # it has gone with its program
    assert session_members(os.getsid(grandchild.pid)) == [grandchild]

    assert reap_orphans(tmp_path / "workspace") == [grandchild.pid]
    eventually(lambda: not is_running(grandchild))
    assert not record.exists()


def test_a_child_that_survives_is_reaped_with_its_session(
    record: ChildEntry, stranger: Process, tmp_path: Path, eventually: Eventually
) -> None:
    register_child(tmp_path, record)

    assert len(reap_orphans(tmp_path)) == 2
    eventually(lambda: session_members(stranger.pid) == [])


@pytest.mark.parametrize("leader_is_gone", [False, True])
def test_a_recycled_number_is_never_killed(
    record: ChildEntry, stranger: Process, leader_is_gone: bool, tmp_path: Path, eventually: Eventually
) -> None:
    if leader_is_gone:
        os.kill(stranger.pid, 9)
        eventually(lambda: not is_running(stranger))
    alive = session_members(stranger.pid)
    register_child(tmp_path, attrs.evolve(record, child=Process(stranger.pid, stranger.started - 1)))

    assert reap_orphans(tmp_path) == []
    assert session_members(stranger.pid) == alive


def test_a_record_of_another_machine_or_an_earlier_start_is_left_alone(
    record: ChildEntry, stranger: Process, tmp_path: Path
) -> None:
    register_child(tmp_path, attrs.evolve(record, machine="another"))

    assert reap_orphans(tmp_path) == []
    assert is_running(stranger)
    assert (tmp_path / ".running.json").exists()


def test_a_record_of_a_live_supervisor_is_left_alone(record: ChildEntry, stranger: Process, tmp_path: Path) -> None:
    register_child(tmp_path, attrs.evolve(record, parent=_someone(os.getpid())))

    assert reap_orphans(tmp_path) == []
    assert is_running(stranger)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"parent": 1, "child": 2}'])
def test_a_file_that_is_no_record_is_nobodys_orphan(content: str, tmp_path: Path) -> None:
    (tmp_path / ".running.json").write_text(content)

    assert reap_orphans(tmp_path) == []


def test_a_child_that_another_process_supervises_is_asked_to_end(tmp_path: Path) -> None:
    """On a cluster the supervisor is a worker; an interrupted caller reaches it through the folder that both share."""
    supervisor = """
import sys
from pathlib import Path
from navcore.execution.isolation import Limits, run_forked

folder = Path(sys.argv[1])
report = run_forked(lambda: __import__("time").sleep(60), folder=folder, log=folder / "log", limits=Limits())
print(report.ended, report.cause)
"""
    folder = tmp_path / "step"
    other = subprocess.Popen([sys.executable, "-c", supervisor, str(folder)], stdout=subprocess.PIPE, text=True)
    while not (folder / ".running.json").exists():
        assert other.poll() is None
        time.sleep(0.01)

    assert kill_children(tmp_path) == []

    told, _ = other.communicate(timeout=20)
    assert told.strip() == "interrupted stopped, because the run was interrupted"
