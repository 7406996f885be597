"""Find the module to export behind what the user handed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from navcore import ExportError

_PARALLEL = ("DataParallel", "DistributedDataParallel")
_SHARDED = ("FullyShardedDataParallel", "FSDPModule")
_OBSERVING = ("ObserverBase", "UniformQuantizationObserverBase", "AffineQuantizedObserverBase")
"""Classes, of torch.ao and torchao, that watch a model's values until it is quantised."""


def subject(model: Any) -> Any:
    """The module behind ``torch.compile`` and the wrappers of ``torch.nn.parallel``; any other module as it is.

    Raises :class:`ExportError` for one whose weights are spread over processes, since none of them has the model, and
    for one that is prepared for quantisation and not quantised yet.
    """
    while True:
        original = getattr(model, "_orig_mod", None)
        kinds = {kind.__name__ for kind in type(model).__mro__ if kind.__module__.startswith("torch.")}
        if original is not None:
            model = original
        elif kinds & set(_PARALLEL):
            model = model.module
        elif kinds & set(_SHARDED):
            raise ExportError(
                f"The model is a {type(model).__name__}, whose weights are spread over the processes of a training.",
                hint="Gather them into the plain module (a full state dict, load_state_dict), and pass that.",
            )
        else:
            _refuse_prepared(model)
            return model


def _refuse_prepared(model: Any) -> None:
    if "_modules" not in getattr(model, "__dict__", {}):
        return  # no module, or one whose __init__ was not called: whoever takes it says so
    simulating = {
        id(inner) for part in model.modules() if "FakeQuantizeBase" in _kinds(part) for inner in part.modules()
    }
    for part in model.modules():
        if id(part) not in simulating and _kinds(part) & set(_OBSERVING):
            raise ExportError(
                "The model is prepared for quantisation: it still observes the ranges of its values.",
                hint="Pass what convert_pt2e (or torch.ao.quantization.convert) makes of it after calibration.",
            )


def _kinds(part: Any) -> set[str]:
    """The classes of the quantisation libraries that a module is of."""
    return {kind.__name__ for kind in type(part).__mro__ if kind.__module__.startswith(("torch.ao.", "torchao."))}


@contextmanager
def uncompiled(model: Any) -> Iterator[None]:
    """Modules inside that ``torch.compile`` wrapped, or that were compiled in place, as they were before.

    Exporters cannot look into what is compiled.
    """
    in_place = [(one, one._compiled_call_impl) for one in model.modules() if getattr(one, "_compiled_call_impl", None)]
    wrapped = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent._modules.items()
        if getattr(child, "_orig_mod", None) is not None
    ]
    try:
        for one, _ in in_place:
            one._compiled_call_impl = None
        for parent, name, child in wrapped:
            parent._modules[name] = child._orig_mod
        yield
    finally:
        for parent, name, child in wrapped:
            parent._modules[name] = child
        for one, call in in_place:
            one._compiled_call_impl = call
