"""What the tests of the isolation room share: children to run, parents to kill, and proof that nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from navcore.execution.isolation.nursery import warm_children
from navcore.execution.isolation.procfs import descendants
from navcore.execution.isolation.spawn import run_module
from navcore.execution.isolation.supervisor import ChildReport, Limits
from navcore.execution.step_children import IMPORTED_BY_STEPS

_CHILD = """
import sys
from pathlib import Path
from navcore.execution.isolation import enter_child, read_request, write_result


def main(request_file):
    enter_child()
    folder = Path(sys.argv[1]).parent
    request = read_request(Path(request_file))
"""
_CALL = """
if __name__ == "__main__":
    main(sys.argv[1])
"""

RunChild = Callable[..., ChildReport]


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Every test of this room ends without a child, a zombie or an open descriptor more than before."""
    before, others = os.listdir("/proc/self/fd"), descendants(os.getpid())  # multiprocessing keeps one for itself
    yield
    assert descendants(os.getpid()) == others
    zombies = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) if others else None
    assert zombies is None
    if not others:
        with pytest.raises(ChildProcessError):
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.fixture(autouse=True)
def usual_buffering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children buffer their output as they usually do, however these tests were started."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture(params=["anew", "warm"])
def run_child(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunChild]:
    """Run a few lines of Python as a child module that lies where only the caller's sys.path leads.

    Once in a Python started anew, and once in a fork of a warm process: what is promised is the same.
    """
    warm = request.param == "warm"

    def run(
        lines: str,
        *,
        limits: Limits = Limits(seconds=60),  # noqa: B008 -- a frozen value
        environment: dict[str, str] | None = None,
        request: dict[str, object] | None = None,
    ) -> ChildReport:
        scripts = tmp_path / "scripts"
        scripts.mkdir(exist_ok=True)
        body = textwrap.indent(textwrap.dedent(lines), "    ")
        (scripts / "a_child_of_the_tests.py").write_text(_CHILD + body + _CALL)
        monkeypatch.syspath_prepend(scripts)
        return run_module(
            "a_child_of_the_tests",
            request or {},
            folder=tmp_path / "step",
            log=tmp_path / "step.log",
            limits=limits,
            environment=environment,
            framework="" if warm else None,
        )

    if not warm:
        yield run
        return
    with warm_children(tmp_path, IMPORTED_BY_STEPS):
        yield run


@pytest.fixture
def start_program(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a user's script, written without any ``if __name__ == "__main__"``, in the folder of the test."""
    started: list[subprocess.Popen[str]] = []

    def start(lines: str) -> subprocess.Popen[str]:
        script = tmp_path / "program.py"
        script.write_text(textwrap.dedent(lines))
        program = subprocess.Popen(
            [sys.executable, str(script)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        program.wait()
        if program.stdout is not None:
            program.stdout.close()


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait until something that has to happen has happened; give up after a time that no machine needs."""

    def wait(condition: Callable[[], object]) -> None:
        give_up = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < give_up, "it did not happen"
            time.sleep(0.005)

    return wait
