"""The lines that run a model without navcore, run without navcore."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import attrs
import pytest

import navcore as nav
from nav_triton import snippet

from .triton_models import NASTY

ROW = ("--format", "onnx", "--runtime", "CPUExecutionProvider")


def run(program: str) -> str:
    """What the program prints, in a Python that would fail on an import of navcore."""
    blocked = "import sys\nsys.modules['navcore'] = None\n"
    done = subprocess.run([sys.executable, "-c", blocked + program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def model_of(package: nav.PackageDescriptor) -> str:
    return str(package.runner_job("onnx").artifact.file)


def test_the_lines_for_onnx_runtime(package: nav.PackageDescriptor) -> None:
    found = snippet(package, format="onnx", runtime="CPUExecutionProvider", path=model_of(package))
    assert (found.language, found.model) == ("python", "model.onnx")
    assert run(found.text) == "y float32 (1, 3)\npositive bool (1, 3)\n"
    threads = package.runner_job("onnx").threads
    assert f"intra_op_num_threads = {threads}\n" in found.text
    assert len(found.text.splitlines()) <= 14


def test_names_from_a_package_end_no_string(numbers: nav.PackageDescriptor) -> None:
    found = snippet(numbers, format="onnx", path=model_of(numbers))
    shape = next(numbers.comparisons("profiling")).feeds["scale"].shape
    assert run(found.text).startswith(f"total float16 ({shape[0]},)")
    assert repr(NASTY) in found.text


def test_without_samples_moving_axes_have_size_one(numbers: nav.PackageDescriptor, tmp_path: Path) -> None:
    numbers.save(tmp_path / "x.nav", save_data=False)
    loaded = nav.load(tmp_path / "x.nav", workdir=tmp_path / "w", retest_conversions=False, trust=True)
    assert run(snippet(loaded, format="onnx", path=model_of(loaded)).text).startswith("total float16 (1,)")


def test_what_has_no_lines_is_told(package: nav.PackageDescriptor) -> None:
    results = tuple(
        attrs.evolve(row, runtimes=tuple(attrs.evolve(one, runtime="mine") for one in row.runtimes))
        for row in package.results
    )
    record = attrs.evolve(package.record, results=results)
    other = nav.PackageDescriptor(package._workspace, record, package._registry, None)
    with pytest.raises(nav.OptionError, match=r"no lines for onnx in mine\. There are for onnx in CPUExecution"):
        snippet(other, format="onnx")


def test_the_command_copies_the_model_to_where_the_lines_look(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    package.save(tmp_path / "x.nav")
    words = [sys.executable, "-m", "navcore", "deploy", "snippet", str(tmp_path / "x.nav"), *ROW, "--into"]
    done = subprocess.run([*words, str(tmp_path / "app")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert run(done.stdout).startswith("y float32 (1, 3)")
    again = subprocess.run([*words, str(tmp_path / "app")], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "model.onnx is there already" in again.stderr
