"""The lines that run a model without navcore, for the formats of several plugins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import navcore as nav
from nav_triton import snippet


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.layer(x) * mask[:, None]
        return y, y.argmax(-1)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> nav.PackageDescriptor:
    torch.manual_seed(0)
    data = [(torch.randn(3, 4), torch.ones(3)) for _ in range(4)]
    targets = ["onnx", "openvino", "torchscript-trace"]
    workdir = tmp_path_factory.mktemp("work")
    return nav.run(Model().eval(), data, targets=targets, workdir=workdir, run_profiling=False, git_info=False)


@pytest.mark.parametrize(("name", "runtime"), [("onnx", "CPUExecutionProvider"), ("openvino", "openvino-cpu")])
def test_the_python_lines_run(package: nav.PackageDescriptor, name: str, runtime: str) -> None:
    path = str(package.runner_job(name, runtime=runtime).artifact.file)
    program = snippet(package, format=name, runtime=runtime, path=path).text
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "output__0 float32 (1, 3)\noutput__1 int64 (1,)\n"


@pytest.mark.nightly
@pytest.mark.compiler
def test_the_lines_for_torchscript_compile_and_run(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    path = str(package.runner_job("torchscript-trace").artifact.file)
    found = snippet(package, format="torchscript-trace", path=path)
    assert found.language == "c++"
    (tmp_path / "main.cpp").write_text(found.text)
    home = Path(torch.__file__).parent
    command = [
        "g++", "-std=c++20", "main.cpp", "-o", "main",
        f"-I{home}/include", f"-I{home}/include/torch/csrc/api/include",
        f"-L{home}/lib", "-ltorch", "-ltorch_cpu", "-lc10", f"-Wl,-rpath,{home}/lib",
    ]  # fmt: skip
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(tmp_path / "main")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[1, 3]\n[1]\n"), done.stderr
