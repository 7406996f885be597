"""Give a live module, for the time of an export, a ``forward`` of flat tensors in the signature's order."""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nav_torch.live import from_array, is_tensor
from nav_torch.structures import parts
from navcore import ExportError, Signature
from navcore.contract import fill_call, flatten_result

if TYPE_CHECKING:
    import numpy as np
    import torch


@contextmanager
def flattened(model: torch.nn.Module, signature: Signature) -> Iterator[torch.nn.Module]:
    """The model as a module whose ``forward`` takes ``signature.inputs`` by position and returns flat tensors.

    The instance itself gets a throw-away subclass, so the names of its weights stay what they are, and no other
    instance, nor the class, nor TorchScript's cache by class, learns of it. Constants of the call are closed over. A
    result that is one tensor stays one; anything else becomes a tuple in the order of ``signature.outputs``.

    Hooks on the model itself must see the call as its author wrote it, and a compiled module cannot change its class;
    both are wrapped instead, which puts ``model.`` before the names of their weights.
    """
    import torch

    flatten = _flat_forward(signature)
    names = python_signature(signature.input_names)
    if isinstance(model, torch.jit.ScriptModule) or model._forward_hooks or model._forward_pre_hooks:
        yield _wrapper(model, flatten, names)
        return
    kind = type(model)
    own_forward = model.__dict__.get("forward")
    call = model.forward

    def forward(_self: Any, *tensors: torch.Tensor) -> Any:
        return flatten(call, tensors)

    forward.__signature__ = names  # type: ignore[attr-defined]
    throw_away = type(kind.__name__, (kind,), {"forward": forward, "__module__": kind.__module__})
    try:
        model.__dict__.pop("forward", None)
        object.__setattr__(model, "__class__", throw_away)
        yield model
    finally:
        object.__setattr__(model, "__class__", kind)
        if own_forward is not None:
            model.__dict__["forward"] = own_forward


def _wrapper(
    model: torch.nn.Module, flatten: Callable[[Any, Sequence[Any]], Any], names: inspect.Signature
) -> torch.nn.Module:
    import torch

    def forward(self: Any, *tensors: torch.Tensor) -> Any:
        return flatten(self.model, tensors)

    forward.__signature__ = names  # type: ignore[attr-defined]
    wrapper: torch.nn.Module = type("Flat", (torch.nn.Module,), {"forward": forward})()
    wrapper.add_module("model", model)
    wrapper.training = model.training  # not by train(), which a module that torch.export made refuses
    return wrapper


def _flat_forward(signature: Signature) -> Callable[[Any, Sequence[Any]], Any]:
    """A function that calls the model as the signature says, with flat tensors, and flattens what it returns."""
    names = signature.input_names
    outputs = signature.output_names

    def forward(call: Any, tensors: Sequence[Any]) -> Any:
        args, kwargs = fill_call(signature.call, dict(zip(names, tensors, strict=True)))
        result = call(*args, **kwargs)
        if is_tensor(result):
            return result
        leaves = flatten_result(result, is_tensor, parts, wanted=outputs)
        if outputs and len(leaves) != len(outputs):
            raise ExportError(
                f"The model returned {len(leaves)} tensors during the export where it returned {len(outputs)} before.",
                hint="Give it outputs whose number does not depend on the mode or on the data.",
            )
        return tuple(tensor for _, tensor in leaves)

    return forward


def python_signature(names: Sequence[str]) -> inspect.Signature:
    """``(self, a, b)`` for inputs of these names, made into distinct identifiers where they are none."""
    taken = {"self"}
    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for name in names:
        plain = re.sub(r"\W", "_", name, flags=re.ASCII) or "input"
        if plain[0].isdigit() or keyword.iskeyword(plain):
            plain = f"_{plain}"
        while plain in taken:
            plain += "_"
        taken.add(plain)
        parameters.append(inspect.Parameter(plain, inspect.Parameter.POSITIONAL_OR_KEYWORD))
    return inspect.Signature(parameters)


def example_tensors(
    example: Mapping[str, np.ndarray], signature: Signature, device: str | None, *, growing: bool = True
) -> tuple[torch.Tensor, ...]:
    """The example in the signature's order, every axis that may grow at least 2 long.

    An exporter takes a size of 1 for a broadcast and bakes it in; repeating the values keeps them valid data. Without
    ``growing`` the sizes stay what they are, for an export that is fixed at them anyway.
    """
    import numpy as np

    free = {axis.symbol for axis in signature.axes if axis.maximum > 1 and growing}
    tensors = []
    for spec in signature.inputs:
        array = np.asarray(example[spec.name])
        for index, size in enumerate(spec.shape):
            if size in free and array.shape[index] == 1:
                array = np.repeat(array, 2, axis=index)
        tensors.append(from_array(array, device))
    return tuple(tensors)
