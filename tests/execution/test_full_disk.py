"""A disk that fills up during a run: one sentence that names the file system, and the next run goes on from there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import navcore as nav
from navcore.workspace.results import Failure, FormatResult
from navcore.workspace.status.file import read_status

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]
Run = Callable[..., nav.PackageDescriptor]

SIZES = (4, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 124)  # KiB; the run takes some 130
AMPLE = "64m"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a small file system, or change its size."""
    place = tmp_path / "disk"

    def sized(size: str) -> Path:
        again = "remount," if place.is_mount() else ""
        place.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"{again}size={size}", "navcore-test", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
        return place

    yield sized
    if place.is_mount():
        subprocess.run(["umount", str(place)], check=True)


def failures_of(rows: tuple[FormatResult, ...]) -> list[Failure]:
    attempts = [attempt.outcome.failure for row in rows for attempt in row.attempts]
    checks = [runtime.failure for row in rows for runtime in row.runtimes]
    return [failure for failure in (*attempts, *checks) if failure is not None]


def run_detour(run_toy: Run, toy: Any, workdir: Path) -> nav.PackageDescriptor:
    """One route is refused by verification, a second one is right."""
    model = toy.ToyModel(mischief={"beta": "numbers"})
    return run_toy(model, targets="toy-beta", workdir=workdir, run_profiling=False)


def told_or_done(run: Callable[[], nav.PackageDescriptor]) -> tuple[str, tuple[FormatResult, ...]]:
    """The sentence with which the run was refused, or its rows."""
    try:
        return "", run().results
    except nav.WorkspaceError as error:
        return str(error), ()


@pytest.mark.slow
def test_at_any_size_there_is_one_sentence_and_the_next_run_equals_an_undisturbed_one(
    run_toy: Run, toy: Any, disk: Callable[[str], Path], essence: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    undisturbed = essence(run_detour(run_toy, toy, tmp_path / "undisturbed").results)
    stopped = 0
    for size in SIZES:
        place = disk(f"{size}k")
        told, rows = told_or_done(lambda where=place: run_detour(run_toy, toy, where / "work"))
        stopped += bool(told)
        full = [failure.cause for failure in failures_of(rows) if failure.category == "disk"]
        assert all(f"he file system at {place} is full" in cause for cause in (told, *full) if cause), size
        assert "\n" not in told, size
        assert told or full or essence(rows) == undisturbed, size
        disk(AMPLE)
        assert essence(run_detour(run_toy, toy, place / "work").results) == undisturbed, size
        assert not list(place.rglob("*.part")), size
        subprocess.run(["umount", str(place)], check=True)
    assert stopped >= len(SIZES) - 4
    assert "Traceback" not in capfd.readouterr().err


RUN = """
import os, resource, sys
sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"  # the limit would cut these files short
import navcore as nav
from navcore.testing import toy

limit = int(sys.argv[2]) or resource.RLIM_INFINITY
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
try:
    nav.run(toy.ToyModel(), toy.dataloader(), targets="toy-alpha", workdir=sys.argv[1], run_profiling=False)
except nav.WorkspaceError as error:
    sys.exit(f"SENTENCE {error}")
"""


@pytest.mark.parametrize("limit", [64, 1500, 4000])
def test_a_limit_on_the_size_of_files_is_told_as_what_it_is(limit: int, python: Any, tmp_path: Path) -> None:
    stopped = python(RUN, tmp_path, limit)
    assert stopped.returncode == 1
    assert "would exceed the largest size of" in stopped.stderr
    assert "SENTENCE The workspace" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    again = python(RUN, tmp_path, 0)
    assert again.returncode == 0, again.stderr
    rows = read_status(tmp_path / "navigator_model.nav.workspace" / "status.yaml").results
    assert [row.status for row in rows] == ["ok", "ok"]
    assert not list(tmp_path.rglob("*.part"))
