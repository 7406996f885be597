"""``navcore triton``, as a user calls it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import navcore as nav

from . import triton_models as models


@pytest.fixture(scope="module")
def packed(package: nav.PackageDescriptor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "rows.nav"
    package.save(path)
    return path


def command(words: Sequence[object]) -> list[str]:
    return [sys.executable, "-m", "navcore", "triton", *map(str, words)]


def navcore(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(words), capture_output=True, text=True, check=False)


ROW = ("--format", "onnx", "--runtime", "CPUExecutionProvider")


def test_a_repository(packed: Path, tmp_path: Path) -> None:
    done = navcore("repository", packed, tmp_path / "r", *ROW, "--name", "mine")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"{tmp_path / 'r' / 'mine'}: version 1, onnx in CPUExecutionProvider, served by Triton's back end onnxruntime, "
        "up to 3 samples at once.\n"
    )
    again = navcore("repository", packed, tmp_path / "r", *ROW, "--name", "mine", "--version", 1)
    assert again.returncode == 1
    assert "Error: Version 1 of mine is in the repository already." in again.stderr
    assert "Traceback" not in again.stderr


@pytest.mark.nightly
def test_the_best_row_is_measured_here(packed: Path, tmp_path: Path) -> None:
    done = navcore("repository", packed, tmp_path / "r", "--strategy", "throughput", "--backend", "python")
    assert done.returncode == 0, done.stderr
    assert "served by Triton's back end python" in done.stdout
    assert (tmp_path / "r" / "rows" / "1" / "navcore.json").is_file()


def test_what_a_stranger_recorded_is_not_served(packed: Path, tmp_path: Path) -> None:
    done = navcore("repository", packed, tmp_path / "r", "--recorded")
    assert done.returncode == 2
    assert "--recorded needs --trust or --key" in done.stderr
    done = navcore("repository", packed, tmp_path / "r", "--recorded", "--trust", *ROW)
    assert done.returncode == 0, done.stderr


@pytest.mark.triton
def test_serve_prints_lines_that_ask_it(packed: Path, package: nav.PackageDescriptor) -> None:
    words = command(["serve", packed, *ROW, "--http-port", 0, "--grpc-port", 0])
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as served:
        try:
            lines = _lines_until(served, "print('positive'")
            curl = next(line for line in lines if line.startswith("curl "))
            python = "\n".join(lines[lines.index("# Python, with tritonclient[http]:") :])
            one = next(package.comparisons())
            expected = one.expected["y"]
            answer = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, check=True).stdout
            told = {each["name"]: each["data"] for each in json.loads(answer)["outputs"]}
            np.testing.assert_allclose(told["y"], expected.ravel(), rtol=1e-6)
            said = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True, check=True).stdout
            assert said.startswith("y [[")
            assert "positive [[" in said
        finally:
            served.send_signal(signal.SIGINT)
            served.wait(60)
    assert served.returncode == 0
    port = int(curl.partition("127.0.0.1:")[2].partition("/")[0])
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=5)
    assert not Path(curl.rpartition("@")[2].strip("'")).exists()


def _lines_until(process: Any, last: str) -> list[str]:
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith(last):
            return lines
    raise AssertionError(f"it ended with {lines}: {process.stderr.read()}")


@pytest.mark.triton
def test_measure_shows_both_sides(packed: Path) -> None:
    done = navcore("measure", packed, *ROW, "--seconds", 1, "--callers", 2, "--load", 0.5)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert told[0] == "rows: onnx in CPUExecutionProvider"
    assert [line.split("  ")[0] for line in told[2:6]][:3] == [
        "in this process, one caller", "served, one caller", "served, 2 callers",
    ]  # fmt: skip
    assert "arrivals per second" in told[5]
    assert told[6].startswith("A served call takes ")
    assert len(told) == 7 or told[7].startswith("The machine was busy before (load ")


@pytest.mark.triton
def test_measured_numbers_are_of_the_calls_that_were_made(package: nav.PackageDescriptor) -> None:
    found = nav.triton.measure(package, seconds=1, callers=[2], loads=[0.5], name="mine")
    assert found.model.backend == "python"
    for one in (found.in_process, found.served, found.closed[2], *found.open.values()):
        assert len(one.latencies) > 0
        assert (one.latencies > 0).all()
    assert found.ratio == np.median(found.ratios)
    ((rate, opened),) = found.open.items()
    assert abs(len(opened.latencies) - rate) < 6 * np.sqrt(rate)  # a Poisson number of arrivals in one second
    with pytest.raises(nav.OptionError, match="have to be above 0"):
        nav.triton.measure(package, seconds=0)
    assert models.NASTY not in str(found)
