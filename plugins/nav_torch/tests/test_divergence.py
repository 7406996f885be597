"""``nav.onnx.diverges`` with a live module as the measure: by the names that PyTorch's exporters keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from click.testing import CliRunner

import navcore as nav
from nav_onnx import diverges
from nav_onnx.commands import diverge
from nav_onnx.value_graph import module_values

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")


class Block(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down, self.norm = torch.nn.Linear(8, 16), torch.nn.Linear(16, 8), torch.nn.LayerNorm(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(x + self.down(torch.nn.functional.gelu(self.up(x))))
        return normed


class Model(torch.nn.Module):
    """Two blocks in a list, a sequence in a sequence, and a layer that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = torch.nn.ModuleList([Block(), Block()])
        self.head = torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU()))
        self.twice = torch.nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return torch.sigmoid(self.twice(self.twice(self.head(x))))


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    return Model().eval()


def packed(model: Model, workdir: Path, **options: Any) -> nav.PackageDescriptor:
    batches = [torch.randn(2, 8) for _ in range(3)]
    return nav.run(model, batches, targets=["onnx"], run_profiling=False, workdir=workdir, **options)


@pytest.mark.parametrize("dynamo", [True, False])
def test_modules_are_found_by_the_names_of_both_exporters(dynamo: bool, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    torch.onnx.export(model, (torch.zeros(2, 8),), path, dynamo=dynamo)
    names = [name for name, _ in model.named_modules() if name]
    found = [value.module for value in module_values(onnx.load(path), names)]
    expected = ["up", "down", "norm"]
    assert found[:6] == [f"blocks.{number}.{name}" for number in range(2) for name in expected]
    assert {"head.0", "head.1.0", "head.1.1"} <= set(found)


def test_the_export_of_a_sound_model_does_not_diverge_from_it(model: Model, tmp_path: Path) -> None:
    package = packed(model, tmp_path)
    found = diverges(package, "onnx")  # the source of a run is at hand
    assert not found
    assert found.against == "the source"
    assert {"blocks.0.up", "blocks.1.norm", "head.1.0"} <= {layer.layer for layer in found.layers}
    assert "twice" not in {layer.layer for layer in found.layers}  # it returns two values
    assert found.not_compared
    assert "modules of the source" in str(found)
    assert not model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_a_module_whose_weights_are_others_is_named(model: Model, tmp_path: Path) -> None:
    package = packed(model, tmp_path / "home")
    package.save(tmp_path / "x.nav")
    loaded = nav.load(tmp_path / "x.nav", tmp_path / "there", retest_conversions=False)
    with pytest.raises(nav.PackageIncomplete, match="was made from torch, which is not in the package"):
        diverges(loaded, "onnx")
    assert not diverges(loaded, "onnx", source=model)
    with torch.no_grad():
        model.blocks[1].down.weight.mul_(2)  # type: ignore[union-attr, operator]
    found = diverges(loaded, "onnx", source=model)
    assert found.first is not None
    assert found.first.layer == "blocks.1.down"
    assert not found.outputs_within
    assert [layer.layer for layer in found.preceding][-1] == "blocks.1.up"


def test_few_values_at_a_time_give_the_same_as_all_at_once(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = packed(model, tmp_path)
    at_once = diverges(package, "onnx")
    monkeypatch.setattr("nav_onnx.layer_values.AT_ONCE", 600)  # a layer or two, in this process
    in_parts = diverges(package, "onnx")
    assert [layer.value for layer in in_parts.layers] == [layer.value for layer in at_once.layers]
    assert max(layer.error for layer in in_parts.layers) < 1e-5


class Wrapped(torch.nn.Module):
    """The model under other names."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Model()

    def forward(self, x: torch.Tensor) -> Any:
        return self.inner(x)


def test_a_source_whose_modules_have_other_names_is_no_proof(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = packed(model, tmp_path)
    found = diverges(package, "onnx", source=Wrapped().eval())
    assert not found.layers
    assert "nothing could be compared" in str(found)
    monkeypatch.setattr("navcore.cli.model_from", lambda _name: Wrapped().eval())
    done = CliRunner().invoke(diverge, [str(package.workspace), "onnx", "--source", "a:b"])
    assert done.exit_code == 2, done.output


def test_a_source_that_takes_something_else_is_told_in_a_sentence(model: Model, tmp_path: Path) -> None:
    package = packed(model, tmp_path)
    with pytest.raises(nav.InputError, match="source=Linear fails on the package's samples: "):
        diverges(package, "onnx", source=torch.nn.Linear(3, 3))
