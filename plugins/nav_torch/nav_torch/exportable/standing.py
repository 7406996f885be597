"""A stand-in for a model whose ``forward`` is the method to export, so that the model itself is never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nav_torch.exportable.hooks import forward_name

if TYPE_CHECKING:
    import torch


def stand_in(model: Any) -> torch.nn.Module:
    """A module of the same class on the same weights, buffers and submodules.

    Its ``forward`` is the model's own bound ``forward_for_export`` where there is one, so a method that calls
    ``self.forward`` there reaches the original. Exporters put their throw-away subclass on the stand-in; the model
    keeps its class and can run in another thread meanwhile.
    """
    kind = type(model)
    stand: Any = object.__new__(kind)
    stand.__dict__.update(model.__dict__)
    stand.__dict__.pop("_compiled_call_impl", None)
    if forward_name(model) != "forward":
        stand.__dict__["forward"] = model.forward_for_export
    result: torch.nn.Module = stand
    return result
