"""Models that call operators of a library: a process that has not imported it runs them, or says why not."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import navcore as nav
from nav_torch.formats import load_exported, load_torchscript
from nav_torch.operators import FACT, facts_of_program, facts_of_script

TARGETS = ("torch-exportedprogram", "torchscript-trace")
TWICE = """
import torch

@torch.library.custom_op("{namespace}::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
    return 2 * x

@twice.register_fake
def _(x):
    return torch.empty_like(x)
"""
OLDER = """
import torch

library = torch.library.Library("{namespace}", "DEF")
library.define("twice(Tensor x) -> Tensor")
library.impl("twice", lambda x: 2 * x, "CompositeExplicitAutograd")
torch.library.register_fake("{namespace}::twice", torch.empty_like, lib=library)
"""

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Calling(nn.Module):
    """A layer, and behind it an operator of the library ``namespace``."""

    def __init__(self, namespace: str) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.namespace = namespace

    def forward(self, x: torch.Tensor) -> Any:
        return getattr(torch.ops, self.namespace).twice(self.layer(x))


class Quantised(nn.Module):
    """What quantisation of an exported program leaves: weights in eight bits, and the numbers between them rounded."""

    codes: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("codes", torch.randint(-127, 128, (3, 4), dtype=torch.int8))

    def forward(self, x: torch.Tensor) -> Any:
        operators = torch.ops.quantized_decomposed
        coded = operators.quantize_per_tensor(x, 0.03, 128, 0, 255, torch.uint8)
        x = operators.dequantize_per_tensor(coded, 0.03, 128, 0, 255, torch.uint8)
        return x @ operators.dequantize_per_tensor(self.codes, 0.01, 0, -128, 127, torch.int8).T


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Writes and imports a module that defines an operator; each under a name of its own, since it stays defined."""

    def write(name: str, source: str) -> Path:
        folder = tmp_path / "libraries"
        folder.mkdir()
        (folder / f"{name}_operators.py").write_text(source.format(namespace=name), encoding="utf-8")
        monkeypatch.syspath_prepend(folder)
        importlib.import_module(f"{name}_operators")
        return folder

    return write


def run(model: nn.Module, place: Path) -> Any:
    data = [torch.randn(2, 4) for _ in range(3)]
    return nav.run(model.eval(), data, targets=TARGETS, workdir=place / "run", run_profiling=False)


@pytest.mark.parametrize(("name", "source"), [("operators_of_today", TWICE), ("operators_as_before", OLDER)])
def test_a_runner_imports_what_defines_the_operators(name: str, source: str, library: Any, tmp_path: Path) -> None:
    library(name, source)
    package = run(Calling(name), tmp_path)
    assert package.get_formats_status() == dict.fromkeys(TARGETS, True)
    assert [row.facts for row in package.results if not row.live] == 2 * [{FACT: f"{name}_operators"}]


def test_an_operator_that_no_other_process_can_import_is_named(library: Any, tmp_path: Path) -> None:
    folder = library("operators_of_a_script", TWICE)
    sys.path.remove(str(folder))  # as if they stood in the script itself
    package = run(Calling("operators_of_a_script"), tmp_path)
    for target in TARGETS:
        (failure,) = [row.failure for row in package.results if row.format.name == target]
        assert "calls the operator operators_of_a_script::twice, which nothing that is imported" in failure.cause
        assert "not the script that was started" in failure.hint


def test_a_model_that_was_quantised_as_an_exported_program_is_a_source(tmp_path: Path) -> None:
    importlib.import_module("torch.ao.quantization.fx._decomposed")
    torch.manual_seed(0)
    package = run(Quantised(), tmp_path)
    assert package.get_formats_status() == dict.fromkeys(TARGETS, True)


def test_a_file_of_unknown_origin_finds_the_libraries_that_everybody_knows(tmp_path: Path) -> None:
    importlib.import_module("torch.ao.quantization.fx._decomposed")
    example = (torch.ones(2, 4),)
    program = torch.export.export(Quantised(), example)
    torch.export.save(program, tmp_path / "model.pt2")
    traced: Any = torch.jit.trace(Quantised(), example)  # type: ignore[no-untyped-call]
    traced.save(str(tmp_path / "model.pt"))
    for file, load in (("model.pt2", "load_exported"), ("model.pt", "load_torchscript")):
        asked = f"import pathlib; from nav_torch.formats import {load}; {load}(pathlib.Path({str(tmp_path / file)!r}))"
        subprocess.run([sys.executable, "-W", "ignore", "-c", asked], check=True, capture_output=True)


def test_a_file_that_is_broken_is_not_blamed_on_operators(tmp_path: Path) -> None:
    (tmp_path / "model.pt2").write_bytes(b"nothing")
    (tmp_path / "model.pt").write_bytes(b"nothing")
    with pytest.raises(Exception, match=r"(?i)zip"):
        load_exported(tmp_path / "model.pt2")
    with pytest.raises(RuntimeError, match="PytorchStreamReader"):
        load_torchscript(tmp_path / "model.pt")


def test_of_pytorchs_own_operators_nothing_is_recorded() -> None:
    model, example = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)).eval(), (torch.ones(2, 3, 8, 8),)
    assert facts_of_program(torch.export.export(model, example)) == {}
    assert facts_of_script(torch.jit.trace(model, example)) == {}  # type: ignore[no-untyped-call]
