"""What chance does to a run is not remembered: after kills at random moments the next run equals an undisturbed one.

Twenty kills of the program and twenty of single children in every run of the tests, two hundred and a hundred in the
session ``nightly``. ``NAVCORE_KILL_SEED`` chooses other moments.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from navcore.workspace.status.file import read_status

pytestmark = [pytest.mark.processes, pytest.mark.slow]

ROOT = "navigator_model.nav.workspace"
SEED = int(os.environ.get("NAVCORE_KILL_SEED", "13"))
# The cheapest way to toy-beta computes other numbers, so that a detour is taken; that must not depend on kills either.
RUN = """
import sys
import navcore as nav
from navcore.testing import toy

nav.run(
    toy.ToyModel(mischief={"beta": "numbers"}), toy.dataloader(), targets="toy-beta", workdir=sys.argv[1],
    profiler="toy", profiler_config=nav.ProfilerConfig(measurement_mode="count_windows", measurement_request_count=5),
    ranking=False, git_info=False, run_profiling=sys.argv[2] == "measured",
)
"""
Essence = Callable[[Any], Any]


@attrs.frozen
class Undisturbed:
    """How a run goes that nobody kills."""

    rows: Any
    files: dict[str, str]
    seconds: float


def start(workdir: Path, way: str) -> subprocess.Popen[str]:
    """A program that runs the toy in ``workdir``."""
    command = [sys.executable, "-c", RUN, str(workdir), way]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def run_to_the_end(workdir: Path, way: str) -> None:
    program = start(workdir, way)
    told = program.communicate(timeout=240)[1]
    assert program.returncode == 0, told


def files_of(root: Path) -> dict[str, str]:
    """The digest of every file that has to be the same again: not the logs, not the record with its times.

    Latencies are never the same twice: their files only have to be there, and to be whole.
    """
    return {
        str(path.relative_to(root)): arrays_of(path) if path.parent.name == "measurements" else digest_of(path)
        for path in root.rglob("*")
        if path.is_file()
        and path.suffix != ".log"
        and path.name != "status.yaml"
        and ".navcore" not in path.relative_to(root).parts
    }


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def arrays_of(path: Path) -> str:
    with np.load(path) as arrays:
        return ", ".join(f"{name} {arrays[name].dtype}" for name in sorted(arrays))


def left_behind(workdir: Path) -> list[str]:
    """Whatever is private to a run: half-written files, folders of steps, processes."""
    private = workdir / ROOT / ".navcore"
    found = [str(path) for path in workdir.rglob("*") if path.name.endswith((".part", ".holder"))]
    found += [str(path) for path in private.iterdir() if path.name not in ("marker.json", "journal.jsonl")]
    return found + [f"process {pid}" for pid in processes_in(workdir)]


def processes_in(workdir: Path) -> list[int]:
    """The processes that have the folder among their arguments, as programs and children of these tests have."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            with contextlib.suppress(OSError):
                if str(workdir).encode() in (place / "cmdline").read_bytes():
                    found.append(int(place.name))
    return found


def family_of(pid: int) -> list[int]:
    """The children of a process and theirs, the warm process that children are forked from among them."""
    found = children_of(pid)
    return found + [one for child in found for one in family_of(child)]


def children_of(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def kill_the_program(workdir: Path, way: str, moments: random.Random, seconds: float) -> None:
    program = start(workdir, way)
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.communicate(timeout=moments.uniform(0.05, seconds))
    program.kill()
    program.communicate()


def kill_a_child(workdir: Path, way: str, moments: random.Random, seconds: float) -> None:
    """Kill one child, by what the kernel sends when memory is short or what a cluster sends first."""
    program = start(workdir, way)
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.communicate(timeout=moments.uniform(0.05, seconds))
    while program.poll() is None:
        if family := family_of(program.pid):
            time.sleep(moments.uniform(0, 0.1))
            with contextlib.suppress(ProcessLookupError):
                os.kill(moments.choice(family), moments.choice([signal.SIGKILL, signal.SIGTERM]))
            break
        time.sleep(0.002)
    told = program.communicate(timeout=240)[1]
    assert program.returncode == 0, told  # the run itself goes on


KILLS = {"program": kill_the_program, "child": kill_a_child}


def sweep(kind: str, count: int, place: Path, essence: Essence) -> None:
    """Disturb ``count`` runs, continue each, and hold it against one that nobody disturbed."""
    expected = {way: undisturbed(place / way, way, essence) for way in ("measured", "verified")}

    def disturb(number: int) -> str:
        moments = random.Random(f"{SEED} {kind} {number}")
        way = moments.choice(list(expected))
        workdir = place / str(number)
        KILLS[kind](workdir, way, moments, expected[way].seconds)
        run_to_the_end(workdir, way)
        return difference(workdir, expected[way], essence)

    with ThreadPoolExecutor(2) as pool:
        told = {number: text for number, text in enumerate(pool.map(disturb, range(count))) if text}
    assert told == {}, f"{len(told)} of {count} differ"


def undisturbed(workdir: Path, way: str, essence: Essence) -> Undisturbed:
    began = time.monotonic()
    run_to_the_end(workdir, way)
    seconds = time.monotonic() - began
    root = workdir / ROOT
    return Undisturbed(essence(read_status(root / "status.yaml").results), files_of(root), seconds)


def difference(workdir: Path, expected: Undisturbed, essence: Essence) -> str:
    """What the continued run has that the undisturbed one has not, or ``""``."""
    root = workdir / ROOT
    rows = essence(read_status(root / "status.yaml").results)
    if rows != expected.rows:
        return f"other rows: {json.dumps(rows)} and not {json.dumps(expected.rows)}"
    if (files := files_of(root)) != expected.files:
        return f"other files: {sorted(set(files.items()) ^ set(expected.files.items()))}"
    return f"left behind: {left}" if (left := left_behind(workdir)) else ""


@pytest.mark.usefixtures("toy")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KILLS)
def test_after_a_kill_the_next_run_equals_an_undisturbed_one(kind: str, tmp_path: Path, essence: Essence) -> None:
    sweep(kind, 20, tmp_path, essence)


@pytest.mark.nightly
@pytest.mark.usefixtures("toy")
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("kind", "count"), [("program", 200), ("child", 100)])
def test_after_any_of_many_kills_as_well(kind: str, count: int, tmp_path: Path, essence: Essence) -> None:
    sweep(kind, count, tmp_path, essence)
