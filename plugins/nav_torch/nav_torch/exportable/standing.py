"""A stand-in for a model whose ``forward`` is the method to export, so that the model itself is never changed."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nav_torch.exportable.hooks import forward_name
from nav_torch.live import is_tensor
from navcore.contract import flatten_result

if TYPE_CHECKING:
    import torch


def stand_in(model: Any, held: Mapping[str, Any] | None = None, kept: Sequence[int] | None = None) -> torch.nn.Module:
    """A module of the same class on the same weights, buffers and submodules.

    Its ``forward`` is the model's own bound ``forward_for_export`` where there is one, so a method that calls
    ``self.forward`` there reaches the original. Arguments that are ``held`` are passed besides, and of the tensors of
    the result only those that are ``kept``, by their number, are returned. Exporters put their throw-away subclass on
    the stand-in; the model keeps its class and can run in another thread meanwhile.
    """
    stand: Any = object.__new__(type(model))
    stand.__dict__.update(model.__dict__)
    stand.__dict__.pop("_compiled_call_impl", None)
    name = forward_name(model)
    if held or kept is not None:
        stand.__dict__["forward"] = types.MethodType(_trimmed(name, held or {}, kept), model)
    elif name != "forward":
        stand.__dict__["forward"] = model.forward_for_export
    result: torch.nn.Module = stand
    return result


def _trimmed(name: str, held: Mapping[str, Any], kept: Sequence[int] | None) -> Any:
    def forward(model: Any, *args: Any, **kwargs: Any) -> Any:
        result = getattr(model, name)(*args, **kwargs, **held)
        if kept is None:
            return result
        leaves = [leaf for _, leaf in flatten_result(result, is_tensor)]
        return tuple(leaves[number] for number in kept)

    return forward
