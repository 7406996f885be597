"""A run that asks for everything compiled: rows, package, another process, a compiler that hangs or fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from torch._inductor import config as inductor_config

import navcore as nav
from navcore.evaluation import distance

from .compiling import BOUNDS, Mlp

pytestmark = [pytest.mark.compiler, pytest.mark.slow, pytest.mark.timeout(900)]
COMPILED = ("torch-compile", "torch-compile-bf16", "torch-compile-channels-last")
FORMATS = ("torch-aotinductor", "torch-aotinductor-bf16", "torch-aotinductor-channels-last")


class Unseen(Mlp):
    """Its constant stands in the code that is made of it: code that this process has loaded is not compiled again."""

    def forward(self, x: torch.Tensor, weight: torch.Tensor) -> dict[str, torch.Tensor]:
        return {name: value * 41 for name, value in super().forward(x, weight).items()}


def items() -> list[dict[str, torch.Tensor]]:
    torch.manual_seed(1)
    return [{"x": torch.rand(batch, 24), "weight": torch.rand(batch)} for batch in (4, 4, 3, 1)]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Any:
    torch.manual_seed(0)
    return nav.run(
        Mlp(),
        items(),
        workdir=tmp_path_factory.mktemp("workdir"),
        targets=FORMATS,
        runtimes={"torch": ("PyTorchExecutionProvider", *COMPILED)},
        budget=2,
        threads=1,
    )


def runtime_of(package: Any, form: str, runtime: str = "PyTorchExecutionProvider") -> Any:
    row = next(row for row in package.results if row.format == form)
    return next(one for one in row.runtimes if one.runtime == runtime)


@pytest.mark.nightly
def test_every_row_is_held_against_the_module_itself(package: Any) -> None:
    source = runtime_of(package, "torch")
    assert source.verification is None
    assert package.ranking.reference == ("torch", "PyTorchExecutionProvider")
    for form, runtime, precision in (
        ("torch", "torch-compile", "fp32"),
        ("torch", "torch-compile-bf16", "bf16"),
        ("torch-aotinductor", "PyTorchExecutionProvider", "fp32"),
        ("torch-aotinductor-bf16", "PyTorchExecutionProvider", "bf16"),
    ):
        row = runtime_of(package, form, runtime)
        assert (row.status, row.precision) == ("ok", precision), (form, runtime)
        assert row.verification.compared > len(items()), "stacks of other batches as well"
        errors = [one.relative_l2 for one in row.verification.differences if one.relative_l2 is not None]
        assert 0 < max(errors) <= BOUNDS[precision]
        assert row.performance
    compiled, plain = (
        runtime_of(package, "torch", name).performance[0].cold_start
        for name in ("torch-compile", "PyTorchExecutionProvider")
    )
    assert compiled > plain
    assert compiled > 1000 * 0.01, "to compile belongs to the cold start"
    for form, runtime in (("torch", "torch-compile-channels-last"), ("torch-aotinductor-channels-last", "")):
        row = next(row for row in package.results if row.format == form)
        told = runtime_of(package, form, runtime) if runtime else row
        assert told.status == "unavailable"
        assert "no convolution" in told.failure.cause


@pytest.mark.nightly
def test_the_cache_stays_in_the_workspace_and_out_of_the_package(package: Any, tmp_path: Path) -> None:
    cache = package.workspace / ".navcore" / "cache" / "torch-inductor"
    assert any(cache.rglob("*.so"))
    package.save(tmp_path / "model.nav")
    loaded = nav.load(tmp_path / "model.nav", workdir=tmp_path / "again", budget=2)
    assert not list(loaded.workspace.rglob("torch-inductor"))


_ELSEWHERE = """
import json, sys, numpy as np, navcore as nav
feeds = {name: np.load(f"{name}.npy") for name in ("x", "weight")}
package = nav.load("model.nav", workdir="loaded", budget=2)
try:
    package.get_runner("torch-aotinductor")
except nav.errors.TrustRequired as error:
    print(json.dumps(str(error)))
package = nav.load("model.nav", workdir="trusted", trust=True, budget=2)
for form in ("torch-aotinductor", "torch-aotinductor-bf16"):
    with package.get_runner(form) as runner:
        np.save(f"{form}.npy", runner.infer(feeds)["scores"])
"""


@pytest.mark.nightly
def test_another_process_in_another_folder_needs_trust_and_nothing_else(package: Any, tmp_path: Path) -> None:
    package.save(tmp_path / "model.nav")
    feeds = {name: tensor.numpy() for name, tensor in items()[0].items()}
    for name, array in feeds.items():
        np.save(tmp_path / f"{name}.npy", array)
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE], cwd=tmp_path, check=True, timeout=800, stdout=subprocess.PIPE, text=True
    )
    assert "can execute code" in json.loads(done.stdout.splitlines()[0])
    torch.manual_seed(0)
    with torch.no_grad():
        expected = Mlp().eval()(*items()[0].values())["scores"].numpy()
    for form, precision in (("torch-aotinductor", "fp32"), ("torch-aotinductor-bf16", "bf16")):
        assert distance(expected, np.load(tmp_path / f"{form}.npy")) <= BOUNDS[precision]


_WITHOUT_BF16 = """
import json, sys, navcore as nav
from nav_torch_tests_compiling import Mlp
import torch
if __name__ == "__main__":
    torch.manual_seed(0)
    model = Mlp()
    items = [{"x": torch.rand(4, 24), "weight": torch.rand(4)} for _ in range(2)]
    asked = {"torch": ("PyTorchExecutionProvider", "torch-compile-bf16")}
    package = nav.run(
        model, items, workdir="work", targets=["torch-aotinductor-bf16"], runtimes=asked, run_profiling=False
    )
    package.save("avx2.nav")
    rows = {row.format: row for row in package.results}
    live, packed = rows["torch"].runtimes[1], rows["torch-aotinductor-bf16"].runtimes[0]
    print(json.dumps({
        "status": [live.status, packed.status], "precision": [live.precision, packed.precision],
        "notes": [*live.notes, *rows["torch-aotinductor-bf16"].notes],
        "processor": rows["torch-aotinductor-bf16"].facts["processor"],
    }))
"""


@pytest.mark.nightly
def test_bf16_works_where_there_are_no_instructions_for_it(tmp_path: Path) -> None:
    """Hidden from PyTorch and from oneDNN; what was made for AVX2 runs on whatever has that too."""
    from . import compiling

    (tmp_path / "nav_torch_tests_compiling.py").write_text(Path(compiling.__file__).read_text())
    (tmp_path / "script.py").write_text(_WITHOUT_BF16)
    hidden = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env={**os.environ, **hidden}, check=True, timeout=800,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["status"] == ["ok", "ok"]
    assert told["precision"] == ["bf16", "bf16"]
    assert sum("emulates" in note for note in told["notes"]) == 2
    assert told["processor"].endswith("AVX2")
    package = nav.load(tmp_path / "avx2.nav", workdir=tmp_path / "loaded", trust=True, budget=2)
    with package.get_runner("torch-aotinductor-bf16") as runner:
        feeds = {name: tensor.numpy() for name, tensor in items()[0].items()}
        assert runner.infer(feeds)["scores"].shape == (4, 6)


def stub(path: Path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.nightly
def test_a_compiler_that_hangs_ends_with_the_time_of_its_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", stub(tmp_path / "hanging-c++", "exec sleep 4321"))
    package = nav.run(
        Mlp(40), items(), workdir=tmp_path / "workdir", targets=["torch-aotinductor"], timeout=60, run_profiling=False
    )
    row = next(row for row in package.results if row.format == "torch-aotinductor")
    assert (row.status, row.failure.category) == ("failed", "timeout")
    left = [one for one in psutil.process_iter(["cmdline"]) if "4321" in (one.info["cmdline"] or [])]
    assert left == []
    assert runtime_of(package, "torch-exportedprogram").status == "ok"
    assert os.environ["CXX"].endswith("hanging-c++")


def test_a_compiler_that_fails_fails_its_rows_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = stub(tmp_path / "failing-c++", "echo no licence >&2; exit 3")
    monkeypatch.setenv("CXX", failing)
    monkeypatch.setattr(inductor_config.cpp, "cxx", (None, failing))  # read once in a process, as is what it leads to
    package = nav.run(
        Unseen(),
        items(),
        workdir=tmp_path / "workdir",
        targets=["torch-aotinductor"],
        runtimes={"torch": ["torch-compile"]},
        run_profiling=False,
    )
    row = next(row for row in package.results if row.format == "torch-aotinductor")
    assert row.status == "failed"
    live = runtime_of(package, "torch", "torch-compile")
    assert live.status == "failed"
    assert runtime_of(package, "torch-exportedprogram").status == "ok", "the source is what it is without a compiler"


def test_without_a_compiler_the_rows_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    plan = nav.plan(
        Mlp(), items(), targets=["torch-aotinductor"], runtimes={"torch": ["torch-compile", "PyTorchExecutionProvider"]}
    )
    reasons = [check.reason for check in plan.checks if check.runtime == "torch-compile"]
    assert len(reasons) == 1
    assert "no-such-compiler" in reasons[0]
    assert [one.target.name for one in plan.later] == ["torch-aotinductor"]
    assert "no-such-compiler" in plan.later[0].needs
