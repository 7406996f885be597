"""Modules are replaced by the name of their class, exactly, once, and with their weights."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from nav_torch import replace_for_export
from navcore import InputError

WIDE = [
    (nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2), (2, 4, 9)),
    (nn.Conv1d(4, 6, 3, padding="same", bias=False), (2, 4, 9)),
    (nn.Conv1d(4, 6, 3, padding=2, padding_mode="circular"), (2, 4, 9)),
    (nn.Conv1d(4, 6, 3), (4, 9)),
    (nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, dilation=2, groups=2), (2, 4, 9)),
    (nn.BatchNorm1d(4), (2, 4, 9)),
    (nn.BatchNorm1d(4), (5, 4)),
    (nn.AvgPool1d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), (2, 4, 10)),
    (nn.AdaptiveAvgPool1d(3), (2, 4, 10)),
]


@pytest.mark.parametrize(("layer", "shape"), WIDE, ids=lambda part: str(part)[:40])
@pytest.mark.parametrize("training", [False, True])
def test_one_dimension_as_two_is_exactly_equal(layer: nn.Module, shape: Any, training: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(copy.deepcopy(layer)).train(training)
    plain = copy.deepcopy(model)
    weights = dict(model.named_parameters())
    replace_for_export(model, replace_1D_2D=True)
    assert type(model[0]).__name__ == f"{type(layer).__name__}As2d"
    assert isinstance(model[0], type(layer))
    assert all(tensor is weights[name] for name, tensor in model.named_parameters())
    assert model[0].training is training
    x = torch.randn(*shape)
    assert torch.equal(model(x), plain(x))
    assert all(torch.equal(tensor, plain.state_dict()[name]) for name, tensor in model.state_dict().items())


class FusedLayerNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.normalized_shape, self.eps, self.elementwise_affine = (4,), 1e-3, True
        self.weight, self.bias = nn.Parameter(torch.randn(4)), nn.Parameter(torch.randn(4))


def test_a_fused_norm_becomes_a_layer_norm_with_its_weights() -> None:
    model = nn.Sequential(FusedLayerNorm().eval(), nn.Linear(4, 4))
    fused = model[0]
    replace_for_export(model)  # type: ignore[arg-type]
    norm = model[0]
    assert type(norm) is nn.LayerNorm
    assert (norm.weight is fused.weight, norm.bias is fused.bias, norm.eps, norm.training) == (True, True, 1e-3, False)


def test_replacing_again_changes_nothing() -> None:
    model = nn.Sequential(FusedLayerNorm(), nn.Conv1d(1, 1, 1), nn.BatchNorm1d(1))
    replace_for_export(model, True)
    once = list(model)
    replace_for_export(model, True)
    assert [id(module) for module in model] == [id(module) for module in once]


def test_without_being_asked_no_layer_is_widened() -> None:
    model = nn.Sequential(nn.Conv1d(1, 1, 1))
    replace_for_export(model)
    assert type(model[0]) is nn.Conv1d


def test_a_module_that_is_used_twice_stays_shared() -> None:
    shared = FusedLayerNorm()
    model = nn.Sequential(shared, nn.Sequential(shared))
    replace_for_export(model)
    assert model[0] is model[1][0]


def test_a_class_and_a_call_bring_their_own_replacements() -> None:
    class Model(nn.Sequential):
        export_replacements = {"Hardswish": lambda module: nn.ReLU(), "GELU": lambda module: nn.ReLU()}  # noqa: RUF012

    model = Model(nn.Hardswish(), nn.GELU(), nn.Tanh())
    replace_for_export(model, replacements={"GELU": lambda module: None})
    assert [type(module).__name__ for module in model] == ["ReLU", "GELU", "Tanh"]


def test_a_replacement_has_to_be_a_module() -> None:
    with pytest.raises(InputError, match="The replacement of Tanh gave an int"):
        replace_for_export(nn.Sequential(nn.Tanh()), replacements={"Tanh": lambda module: 3})  # type: ignore[dict-item,return-value]
