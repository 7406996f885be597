"""One sentence for what PyTorch tells in pages."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from nav_torch import onnx_from_torch_dynamo, onnx_from_torch_torchscript
from nav_torch.blame import blamed, cause_line
from navcore import ExportError, Unavailable


def test_the_first_line_without_colours_and_with_its_type() -> None:
    assert cause_line(RuntimeError("\n\n\x1b[96m what happened \x1b[0m\nmore\n")) == "RuntimeError: what happened."
    assert cause_line(KeyError()) == "KeyError: no reason given."
    assert len(cause_line(ValueError("x" * 5000))) < 500


def test_navcores_own_errors_pass_unchanged() -> None:
    with pytest.raises(Unavailable, match=r"^no$"), blamed("the export"):
        raise Unavailable("no")


def test_the_original_is_the_cause() -> None:
    with pytest.raises(ExportError) as caught, blamed("the export", hint="Try again."):
        raise ValueError("why")
    assert str(caught.value) == "the export failed: ValueError: why. Try again."
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("route", [onnx_from_torch_dynamo, onnx_from_torch_torchscript])
def test_an_operator_without_translation_is_named(route: Any, case: Any, export: Any) -> None:
    class Exotic(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.special.bessel_j0(x)

    with pytest.raises(ExportError, match="bessel_j0"):
        export(route, case(Exotic(), {"x": torch.randn(2, 3)}, {"x": {0: "batch"}}))
