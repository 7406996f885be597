"""The fused and parallel layers that NeMo replaces, by stand-ins with their names, attributes and results."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from nav_torch import Exportable, replace_for_export, replace_modules, simple_replace, swap_modules, wrap_module
from navcore import InputError, SourceError


class _Kernel(torch.autograd.Function):
    """What no exporter can follow, as a CUDA kernel."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, compute: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        return compute(x)

    @staticmethod
    def symbolic(g: Any, *values: Any) -> Any:
        raise RuntimeError("a fused kernel has no symbol")


def fused(x: torch.Tensor, compute: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    result: torch.Tensor = _Kernel.apply(x, compute)  # type: ignore[no-untyped-call]
    return result


def scales(size: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(size))


class FusedLayerNorm(nn.Module):
    """Apex's, which tells its shape."""

    def __init__(self, affine: bool = True) -> None:
        super().__init__()
        self.normalized_shape, self.eps, self.elementwise_affine = torch.Size([4]), 1e-2, affine
        self.weight, self.bias = (scales(4), scales(4)) if affine else (None, None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return fused(x, lambda x: nn.functional.layer_norm(x, [4], self.weight, self.bias, self.eps))


class MixedFusedLayerNorm(FusedLayerNorm):
    """The same with weights of another type than its inputs."""


class FastLayerNorm(nn.Module):
    """Apex's contributed one, which calls its epsilon so and tells no shape."""

    def __init__(self) -> None:
        super().__init__()
        self.epsilon, self.weight, self.bias = 1e-2, scales(4), scales(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return fused(x, lambda x: nn.functional.layer_norm(x, [4], self.weight, self.bias, self.epsilon))


def megatrons_norm(centred: bool) -> nn.Module:
    """Megatron's, which is called like Apex's and may store how far from 1 its weight is."""

    def init(self: Any) -> None:
        nn.Module.__init__(self)
        self.config, self.hidden_size, self.eps = SimpleNamespace(), torch.Size([4]), 1e-2
        self.zero_centered_gamma, self.weight, self.bias = centred, scales(4), scales(4)

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight + 1 if self.zero_centered_gamma else self.weight
        return fused(x, lambda x: nn.functional.layer_norm(x, [4], weight, self.bias, self.eps))

    kind = type("FusedLayerNorm", (nn.Module,), {"__init__": init, "forward": forward})
    return kind()


class MixedFusedRMSNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.normalized_shape, self.eps, self.elementwise_affine, self.weight = torch.Size([4]), 1e-2, True, scales(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return fused(x, lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight)


class ColumnParallelLinear(nn.Module):
    def __init__(self, skip_bias_add: bool = False, biased: bool = True, split: int = 1) -> None:
        super().__init__()
        self.input_size, self.output_size, self.gather_output, self.skip_bias_add = 4, 6, False, skip_bias_add
        self.weight, self.bias = nn.Parameter(torch.randn(6 // split, 4)), scales(6 // split) if biased else None

    def forward(self, x: torch.Tensor, weight: torch.Tensor | None = None) -> Any:
        weight = self.weight if weight is None else weight
        if self.skip_bias_add:
            return fused(x, lambda x: nn.functional.linear(x, weight)), self.bias
        return fused(x, lambda x: nn.functional.linear(x, weight, self.bias)), None


class RowParallelLinear(ColumnParallelLinear):
    """Splits the other axis."""


class AttnMaskType(enum.Enum):
    padding = 1
    causal = 2


class FusedScaleMaskSoftmax(nn.Module):
    """Chooses its kernel by a flag."""

    def __init__(
        self,
        input_in_fp16: bool,
        input_in_bf16: bool,
        attn_mask_type: AttnMaskType,
        scaled_masked_softmax_fusion: bool,
        mask_func: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        softmax_in_fp32: bool,
        scale: float | None,
    ) -> None:
        super().__init__()
        self.input_in_fp16, self.input_in_bf16 = input_in_fp16, input_in_bf16
        self.input_in_float16 = input_in_fp16 or input_in_bf16
        self.attn_mask_type, self.mask_func = attn_mask_type, mask_func
        self.scaled_masked_softmax_fusion, self.softmax_in_fp32 = scaled_masked_softmax_fusion, softmax_in_fp32
        self.scale = scale

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        def plain(x: torch.Tensor) -> torch.Tensor:
            return torch.softmax(self.mask_func(x if self.scale is None else x * self.scale, mask), -1)

        return fused(x, plain) if self.scaled_masked_softmax_fusion else plain(x)


class MatchedScaleMaskSoftmax(FusedScaleMaskSoftmax):
    """NeMo's own."""


def masked(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return x.masked_fill(mask, -1e4)


def softmax(kind: type, fusion: bool = True) -> Any:
    return kind(False, False, AttnMaskType.padding, fusion, masked, False, 0.5)


LAYERS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "Apex's norm": (FusedLayerNorm, "LayerNorm"),
    "without weights": (lambda: FusedLayerNorm(affine=False), "LayerNorm"),
    "mixed": (MixedFusedLayerNorm, "LayerNorm"),
    "fast": (FastLayerNorm, "LayerNorm"),
    "Megatron's norm": (lambda: megatrons_norm(False), "LayerNorm"),
    "Megatron's centred norm": (lambda: megatrons_norm(True), "LayerNorm"),
    "mixed RMS": (MixedFusedRMSNorm, "PlainRMSNorm"),
    "column": (ColumnParallelLinear, "LinearWithBiasApart"),
    "column without bias": (lambda: ColumnParallelLinear(biased=False), "LinearWithBiasApart"),
    "column, bias apart": (lambda: ColumnParallelLinear(skip_bias_add=True), "LinearWithBiasApart"),
    "row": (RowParallelLinear, "LinearWithBiasApart"),
    "softmax": (lambda: softmax(FusedScaleMaskSoftmax), "FusedScaleMaskSoftmax"),
    "NeMo's softmax": (lambda: softmax(MatchedScaleMaskSoftmax), "MatchedScaleMaskSoftmax"),
}


class Around(nn.Module, Exportable):
    """A model with one of the layers inside."""

    input_types = {"x": "batch time 4", "mask": "batch time 4"}  # noqa: RUF012
    output_types = {"y": None}  # noqa: RUF012

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        wide = isinstance(layer, ColumnParallelLinear)
        self.output_types = {"y": f"batch time {6 if wide else 4}"}

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        answer = self.layer(x, mask) if hasattr(self.layer, "mask_func") else self.layer(x)
        if not isinstance(answer, tuple):
            return answer * 1 + 0 * mask.float()
        product, bias = answer
        result: torch.Tensor = product + 0 * mask.float().sum() if bias is None else product + 2 * bias
        return result

    def input_example(self, max_batch: int = 2, max_dim: int = 3) -> tuple[torch.Tensor, ...]:
        return torch.randn(max_batch, max_dim, 4), torch.randint(0, 2, (max_batch, max_dim, 4)).bool()


@pytest.mark.parametrize("told", LAYERS)
def test_what_takes_its_place_computes_the_same(told: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    make, kind = LAYERS[told]
    model = Around(make()).eval()
    example = model.input_example()
    weights = {name: id(one) for name, one in model.named_parameters()}
    with torch.no_grad():
        before = model(*example)
        assert replace_for_export(model) is model
        assert type(model.layer).__name__ == kind
        torch.testing.assert_close(model(*example), before)
    if "centred" not in told:
        assert {name: id(one) for name, one in model.named_parameters()} == weights
    assert not model.layer.training
    once = model.layer
    replace_for_export(model)
    assert model.layer is once


@pytest.mark.parametrize("told", LAYERS)
def test_a_model_with_it_is_exported(told: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    result = Around(LAYERS[told][0]()).export(tmp_path / "model.onnx", check_trace=True)
    assert result.verification is not None


def test_a_softmax_without_its_kernel_stays() -> None:
    model = nn.Sequential(softmax(FusedScaleMaskSoftmax, fusion=False))
    plain = model[0]
    assert replace_for_export(model)[0] is plain  # type: ignore[index]


def test_a_layer_that_is_split_over_processes_is_refused() -> None:
    model = nn.Sequential(ColumnParallelLinear(split=2))
    with pytest.raises(InputError, match=r"ColumnParallelLinear holds \[3, 4\] of a weight of \[6, 4\]"):
        replace_for_export(model)


# NeMo's four functions


class Small(nn.Module):
    __constants__ = ("width", "slope", "missing")

    def __init__(self, width: int, slope: float, missing: Any = None) -> None:
        super().__init__()
        self.width, self.slope = width, slope


class Plain(Small):
    """Takes the same constants."""


class Wrapped(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner


def nested() -> nn.Module:
    return nn.Sequential(nn.Sequential(nn.ReLU(), Small(3, 0.5)), nn.ModuleDict({"late": Small(4, 0.1)}))


def test_modules_are_replaced_by_the_name_of_their_class() -> None:
    model = nested()
    relu = model[0][0]  # type: ignore[index]
    replaced = replace_modules(model, {"Small": simple_replace(Small, Plain), "ReLU": lambda module: None})
    assert replaced is model
    assert [type(one).__name__ for one in (model[0][1], model[1]["late"])] == ["Plain", "Plain"]  # type: ignore[index]
    assert (model[0][1].width, model[0][1].slope) == (3, 0.5)  # type: ignore[index]
    assert model[0][0] is relu  # type: ignore[index]


def test_a_simple_replacement_is_for_its_class_alone() -> None:
    assert simple_replace(Plain, Small)(nn.ReLU()) is None


def test_modules_are_wrapped() -> None:
    model = nested()
    inner = model[0][1]  # type: ignore[index]
    replace_modules(model, {"Small": wrap_module(Small, Wrapped)})
    assert type(model[0][1]) is Wrapped  # type: ignore[index]
    assert model[0][1].inner is inner  # type: ignore[index]
    replace_modules(model, {"ReLU": wrap_module(None, Wrapped)})
    assert type(model[0][0]) is Wrapped  # type: ignore[index]


def test_modules_are_swapped_by_their_path() -> None:
    model = nested()
    new = nn.Identity()
    assert swap_modules(model, {"0.1": new, "1.late": nn.Tanh()}) is model
    assert model[0][1] is new  # type: ignore[index]
    assert type(model[1]["late"]) is nn.Tanh  # type: ignore[index]


@pytest.mark.parametrize("path", ["9", "0.9", "0.1.inner.deep", ""])
def test_a_path_to_no_module_is_refused(path: str) -> None:
    with pytest.raises(InputError, match=f"Sequential has no module {path!r}"):
        swap_modules(nested(), {path: nn.Identity()})


def test_a_replacement_that_fails_is_told_with_its_class() -> None:
    with pytest.raises(SourceError, match="The replacement of Small failed: ZeroDivisionError"):
        replace_modules(nested(), {"Small": lambda module: 1 / 0})  # type: ignore[dict-item, return-value]
