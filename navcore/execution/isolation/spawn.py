"""Runs a module in a fresh Python process: ``python -m module request.json``."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from navcore.errors import StepError
from navcore.execution.isolation.child_setup import PARENT_VARIABLE, TOKEN_VARIABLE
from navcore.execution.isolation.leader import OwnChild, WarmChild
from navcore.execution.isolation.nursery import warm_child
from navcore.execution.isolation.result_file import write_request
from navcore.execution.isolation.search_path import search_path
from navcore.execution.isolation.supervisor import ChildReport, Limits, StartedChild, block_signals, prepare, supervise


def run_module(
    module: str,
    request: Mapping[str, Any],
    *,
    folder: Path,
    log: Path,
    limits: Limits,
    environment: Mapping[str, str] | None = None,
    framework: str | None = None,
    imports: Sequence[str] = (),
) -> ChildReport:
    """Run ``module`` with a JSON request in a child process, stay until it has ended, and report how it went.

    The module finds the request at the path in ``sys.argv[1]`` (`read_request`), calls `enter_child` first and
    `write_result` with that path's folder last. ``folder`` belongs to this run alone; an earlier result in it is
    removed. The child works in the current folder, reads nothing from standard input, and imports from where the
    caller can, except from "the current folder, whatever it is". ``environment`` is set on top of the caller's, but
    PYTHONPATH is always ours. With the name of a ``framework``, which may be empty, the child is a fork of a warm
    process that has imported it, and its modules ``imports``, where one is at hand (`warm_children`), and calls the
    module's ``main`` with the path.

    Nothing that the child does is raised here. Raises TypeError or ValueError for a request that is not plain JSON
    data, and StepError when no Python can be started at all.
    """
    folder, log = Path(folder).absolute(), Path(log).absolute()
    prepare(folder, log)
    path = write_request(folder, request)
    token = uuid.uuid4().hex
    variables = {
        **os.environ,
        **(environment or {}),
        "PYTHONPATH": search_path(),
        PARENT_VARIABLE: str(os.getpid()),
        TOKEN_VARIABLE: token,
    }
    output, child_output = os.pipe()
    # An interrupt must not come between the start of the child and its supervision. `enter_child` lets signals in.
    mask = block_signals()
    try:
        leader = _begin(module, path, variables, child_output, framework, imports)
    except BaseException:
        os.close(output)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        raise
    finally:
        os.close(child_output)
    began = time.monotonic()  # not before: to wait for a warm process that is still importing is not the child's time
    with contextlib.closing(leader):
        return supervise(StartedChild(leader, output, token, began, mask), folder=folder, log=log, limits=limits)


def _begin(
    module: str,
    path: Path,
    variables: dict[str, str],
    output: int,
    framework: str | None,
    imports: Sequence[str],
) -> StartedAnew | WarmChild:
    if framework is not None:
        child = warm_child(module, str(path), variables, output, framework=framework, imports=imports)
        if child is not None:
            return child
    return StartedAnew(_start([sys.executable, "-P", "-m", module, str(path)], variables, output))


class StartedAnew(OwnChild):
    """A child of its own Python."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(process.pid)
        self._process = process

    def close(self) -> None:
        """Reaped already, by number: Popen must not wait for that number again, which may be another child's by now."""
        self._process.returncode = 0


def _start(command: list[str], variables: dict[str, str], output: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    except OSError as error:
        raise StepError(
            f"no Python process can be started with {command[0]!r}: {error}.",
            who="navcore",
            hint="Check sys.executable, the number of processes allowed (ulimit -u) and the free memory.",
        ) from error
