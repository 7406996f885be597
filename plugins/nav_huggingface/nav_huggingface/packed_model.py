"""A stand-in for a model of transformers, for its pipelines: its forward calls a runner of the package."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nav_torch import from_array
from navcore import InputError

if TYPE_CHECKING:
    import numpy as np
    import torch

    from navcore import PackageDescriptor, Runner, Signature


def packed_model(
    package: PackageDescriptor, format: str, runtime: str | None, config: Any, model_class: str
) -> torch.nn.Module:
    """A module that answers from the package; it goes by the name of the source's class, by which pipelines know it.

    Called with tensors by name, it returns the outputs by name, as attributes, by key and in order. Inputs that the
    exported model does not take are left out. The runner is closed when the module is gone.

    Raises what ``package.open_runner`` raises.
    """
    import torch

    opened = contextlib.ExitStack()
    runner = opened.enter_context(package.open_runner(format, runtime=runtime))
    samples = package.record.samples
    signature = None if samples is None else samples.signature

    class PackedModel(torch.nn.Module):
        """Weights are in the runner."""

        base_model_prefix = "model"

        def __init__(self) -> None:
            super().__init__()
            self.config = config
            self.device = torch.device("cpu")
            self.dtype = torch.float32
            self.generation_config = None

        def can_generate(self) -> bool:
            """No: there is no cache."""
            return False

        def forward(self, **tensors: Any) -> Any:
            return _answer(runner, signature, tensors)

    PackedModel.__name__ = model_class
    model = PackedModel().eval()
    weakref.finalize(model, opened.close)
    return model


def _answer(runner: Runner, signature: Signature | None, tensors: dict[str, Any]) -> Any:
    found = runner(_feeds(runner, signature, tensors))
    return as_output({name: from_array(array) for name, array in found.items()})


def as_output(values: Mapping[str, Any]) -> Any:
    """The values as transformers returns them: by name, by attribute, and in order."""
    kind = _output_class(tuple(values))
    return kind(**values)


@functools.cache
def _output_class(names: tuple[str, ...]) -> Any:
    from transformers.utils.generic import ModelOutput

    fields: list[Any] = [(name, Any, None) for name in names]
    return dataclasses.make_dataclass("PackedOutput", fields, bases=(ModelOutput,))


def _feeds(runner: Runner, signature: Signature | None, tensors: dict[str, Any]) -> dict[str, np.ndarray]:
    """Arrays of what the model takes, in the dtypes of the signature.

    Raises :class:`InputError` for a mask that leaves something out where the model takes no mask: it would read the
    padding of the shorter texts as words.
    """
    import torch

    arrays = {name: one.detach().cpu().numpy() for name, one in tensors.items() if isinstance(one, torch.Tensor)}
    if signature is None:
        taken = {name: array for name, array in arrays.items() if not runner.inputs or name in runner.inputs}
    else:
        taken = {spec.name: arrays[spec.name].astype(spec.dtype) for spec in signature.inputs if spec.name in arrays}
    for name in arrays.keys() - taken.keys():
        if name.endswith("mask") and not arrays[name].all():
            raise InputError(
                f"The exported model takes no {name}, and here is one that leaves padding out.",
                hint=f"Give one at a time, or export the model with data that has {name}.",
            )
    return taken
