"""Attention of PyTorch's own layers by the TorchScript-based exporter, which has no operator for the fused one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import navcore
from nav_torch import onnx_from_torch_torchscript
from nav_torch.restoring import in_parts
from navcore import Status


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        mixed: torch.Tensor = self.attention(states, states, states, need_weights=False)[0]
        return mixed


LAYERS = {
    "layer": lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
    "encoder": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
    "attention": Attending,
}


@pytest.mark.parametrize("layer", list(LAYERS))
@pytest.mark.parametrize("opset", [14, 17])
def test_layers_with_attention(layer: str, opset: int, case: Any, export: Any, assert_follows: Any) -> None:
    name = "states" if layer == "attention" else "src"
    subject = case(LAYERS[layer](), {name: torch.randn(2, 5, 8)})
    assert_follows(subject, export(onnx_from_torch_torchscript, subject, opset=opset))


def test_a_transformer_in_a_run(tmp_path: Path) -> None:
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    data = [torch.randn(1, 5, 8) for _ in range(3)]
    package = navcore.run(
        model,
        data,
        targets=["onnx"],
        options={"onnx": {"opset": 17}},
        batch_dim=None,
        workdir=tmp_path / "work",
        run_profiling=False,
    )
    (row,) = [row for row in package.results if row.format.name == "onnx"]
    assert row.status == Status.OK, str(package)


@pytest.mark.parametrize("fused", [True, False])
def test_the_setting_comes_back(fused: bool) -> None:
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(fused)
    try:
        with in_parts():
            assert not torch.backends.mha.get_fastpath_enabled()
        assert torch.backends.mha.get_fastpath_enabled() == fused
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
