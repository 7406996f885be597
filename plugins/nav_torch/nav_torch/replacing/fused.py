"""What the fused layers of Apex and Megatron compute, in operators that every exporter knows."""

from __future__ import annotations

import copy
from typing import Any

import torch  # noqa: TID253  (imported only from inside functions, when there are layers to replace)
from torch import nn  # noqa: TID253

from navcore import InputError


class PlainRMSNorm(nn.Module):
    """``x`` over the root of its mean square, computed in float32, times the weight where there is one."""

    weight: nn.Parameter | None

    def __init__(self, weight: nn.Parameter | None, axes: int, eps: float) -> None:
        super().__init__()
        self.register_parameter("weight", weight)
        self.axes, self.eps = tuple(range(-axes, 0)), eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = x.float()
        normed = wide * torch.rsqrt(wide.pow(2).mean(self.axes, keepdim=True) + self.eps)
        weight = self.weight
        return normed.to(x.dtype) if weight is None else weight * normed.to(weight.dtype)


class LinearWithBiasApart(nn.Module):
    """Returns a pair: the product with its bias, and ``None``; or, with ``skip_bias_add``, without, and the bias."""

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None, skip_bias_add: bool) -> None:
        super().__init__()
        self.register_parameter("weight", weight)
        self.register_parameter("bias", bias)
        self.skip_bias_add = skip_bias_add

    def forward(
        self, x: torch.Tensor, weight: torch.Tensor | None = None, runtime_gather_output: bool | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        weight = self.weight if weight is None else weight
        if self.skip_bias_add:
            return nn.functional.linear(x, weight), self.bias
        return nn.functional.linear(x, weight, self.bias), None


def layer_norm(module: Any) -> nn.Module:
    """``torch.nn.LayerNorm`` with the shape, epsilon and weights of Apex's or Megatron's."""
    weight: Any = getattr(module, "weight", None)
    shape = getattr(module, "normalized_shape", None) or weight.shape
    eps = module.eps if hasattr(module, "eps") else module.epsilon
    norm = nn.LayerNorm(shape, eps=eps, elementwise_affine=weight is not None)
    if getattr(module, "zero_centered_gamma", False) and weight is not None:
        weight = nn.Parameter(weight.detach() + 1, weight.requires_grad)  # Megatron may store how far from 1 it is
    norm._parameters.update(weight=weight, bias=getattr(module, "bias", None))
    return norm


def rms_norm(module: Any) -> nn.Module:
    """A norm by the root mean square, with the weight of Apex's."""
    weight: Any = getattr(module, "weight", None)
    shape = getattr(module, "normalized_shape", None) or weight.shape
    return PlainRMSNorm(weight, len(shape), module.eps)


def linear(module: Any) -> nn.Module:
    """The product of Megatron's parallel layers. Raises :class:`InputError` for one that holds a part of a weight."""
    whole = (getattr(module, "output_size", None), getattr(module, "input_size", None))
    if None not in whole and tuple(module.weight.shape) != whole:
        raise InputError(
            f"{type(module).__name__} holds {list(module.weight.shape)} of a weight of {list(whole)}.",
            hint="Export a model that is not split over several processes.",
        )
    return LinearWithBiasApart(module.weight, module.bias, bool(getattr(module, "skip_bias_add", False)))


def softmax(module: Any) -> nn.Module | None:
    """The same softmax without its fused kernel; ``None`` where that is off already."""
    if not getattr(module, "scaled_masked_softmax_fusion", True):
        return None
    plain: nn.Module = copy.copy(module)
    plain.scaled_masked_softmax_fusion = False  # type: ignore[assignment]
    return plain
