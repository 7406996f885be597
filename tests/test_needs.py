"""What a test needs from the machine: where it is missing the test is skipped aloud, or fails if it was promised."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes
ROOT = Path(__file__).parent.parent
THINGS = ("chromium", "triton", "compiler")
REASONS = {
    "chromium": "there is no Chromium on this machine",
    "triton": "there is no Triton Inference Server",
    "compiler": "there is no C++ compiler on this machine",
}


def outcome(folder: Path, marker: str, *arguments: str, required: str = "", path: str = "") -> str:
    """What pytest tells of one test with that marker, under the project's own conftest.py and settings."""
    (folder / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    # Put together here, so that .ci/run, which looks for such marks, does not take this file for one that needs them.
    mark = f"@pytest.mark.{marker}"
    (folder / "test_it.py").write_text(f"import pytest\n\n\n{mark}\ndef test_it():\n    print('it ran')\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "test_it.py", *arguments]
    environment = {**os.environ, "NAVCORE_CI_REQUIRES": required, "PATH": path}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("thing", THINGS)
def test_what_is_missing_is_told_by_a_skip(thing: str, tmp_path: Path) -> None:
    told = outcome(tmp_path, thing)
    assert "1 skipped" in told
    assert REASONS[thing] in told


@pytest.mark.parametrize("thing", THINGS)
def test_what_is_missing_though_it_was_promised_is_a_failure(thing: str, tmp_path: Path) -> None:
    told = outcome(tmp_path, thing, required=f"gpu, {thing}")
    assert "1 error" in told
    assert REASONS[thing] in told
    assert "NAVCORE_CI_REQUIRES says that it has to be here" in told


@pytest.mark.parametrize(
    ("thing", "program"), [("chromium", "chromium"), ("triton", "tritonserver"), ("compiler", "g++")]
)
def test_where_it_is_there_the_test_runs(thing: str, program: str, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / program).write_text("#!/bin/sh\n")
    (programs / program).chmod(0o755)
    told = outcome(tmp_path, thing, required=thing, path=str(programs))
    assert "1 passed" in told
    assert "it ran" in told


def test_a_promise_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    told = outcome(tmp_path, "slow", required="chromium,browsr")
    assert "NAVCORE_CI_REQUIRES names browsr, which no test can need" in told


def test_a_test_for_the_night_is_skipped_with_that_reason_and_runs_when_asked_for(tmp_path: Path) -> None:
    told = outcome(tmp_path, "nightly")
    assert "1 skipped" in told
    assert "`nox --session nightly` runs it" in told
    assert "1 passed" in outcome(tmp_path, "nightly", "-m", "nightly")
