"""Find the module to export behind what the user handed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from navcore import ExportError

_PARALLEL = ("DataParallel", "DistributedDataParallel")
_SHARDED = ("FullyShardedDataParallel", "FSDPModule")
_OBSERVING = ("ObserverBase", "UniformQuantizationObserverBase", "AffineQuantizedObserverBase")
"""Classes that watch a model's values until it is quantised."""
_QUANTISING = ("torch.ao.", "torchao.")


def subject(model: Any) -> Any:
    """The module behind ``torch.compile`` and the wrappers of ``torch.nn.parallel``; any other module as it is.

    Raises :class:`ExportError` for one whose weights are spread over processes, since none of them has the model, and
    for one that is prepared for quantisation and not quantised yet.
    """
    found = _bare(model)
    if "_modules" in getattr(found, "__dict__", {}):  # else no module, or one whose __init__ was not called
        refuse_sharded(found)
        _refuse_prepared(found)
    return found


def _bare(model: Any) -> Any:
    """The module behind the wrappers that compute what it computes."""
    while True:
        original = getattr(model, "_orig_mod", None)
        if original is not None:
            model = original
        elif _kinds(model, "torch.") & set(_PARALLEL):
            model = model.module
        else:
            return model


def refuse_sharded(model: Any) -> None:
    """Raise :class:`ExportError` for a module of which this process has only a part of the weights.

    Before it is called: a first call in inference mode leaves one that ``fully_shard`` made unusable.
    """
    for name, part in model.named_modules():
        if kinds := _kinds(part, "torch.") & set(_SHARDED):
            told = f"{name!r} in it is" if name else "It is"
            wrapper = "wrapped by FullyShardedDataParallel" if _SHARDED[0] in kinds else "sharded by fully_shard"
            raise _spread(f"{told} {wrapper}.")
    for name, weight in model.named_parameters():
        if type(weight).__name__ == "DTensor" or type(weight.data).__name__ == "DTensor":
            raise _spread(f"{name!r} is a DTensor.")


def _spread(where: str) -> ExportError:
    return ExportError(
        f"The model's weights are spread over the processes of a training. {where}",
        hint="Gather them: on every process call torch.distributed.checkpoint.state_dict.get_model_state_dict(model, "
        "options=StateDictOptions(full_state_dict=True, cpu_offload=True)), load the result into a plain module, and "
        "pass that.",
    )


def _refuse_prepared(model: Any) -> None:
    simulating = {
        id(inner)
        for part in model.modules()
        if "FakeQuantizeBase" in _kinds(part, *_QUANTISING)
        for inner in part.modules()
    }
    for part in model.modules():
        if id(part) not in simulating and _kinds(part, *_QUANTISING) & set(_OBSERVING):
            raise ExportError(
                "The model is prepared for quantisation: it still observes the ranges of its values.",
                hint="Pass what convert_pt2e (or torch.ao.quantization.convert) makes of it after calibration.",
            )


def _kinds(part: Any, *homes: str) -> set[str]:
    """The names of a module's classes that modules under ``homes`` define."""
    return {kind.__name__ for kind in type(part).__mro__ if kind.__module__.startswith(homes)}


@contextmanager
def unwrapped(model: Any) -> Iterator[None]:
    """Modules inside that ``torch.compile`` or ``torch.nn.parallel`` wrapped, or that were compiled in place, bare.

    Exporters cannot look into what is compiled, nor into what distributes its inputs.
    """
    in_place = [(one, one._compiled_call_impl) for one in model.modules() if getattr(one, "_compiled_call_impl", None)]
    wrapped = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent._modules.items()
        if child is not None and _bare(child) is not child
    ]
    try:
        for one, _ in in_place:
            one._compiled_call_impl = None
        for parent, name, child in wrapped:
            parent._modules[name] = _bare(child)
        yield
    finally:
        for parent, name, child in wrapped:
            parent._modules[name] = child
        for one, call in in_place:
            one._compiled_call_impl = call
