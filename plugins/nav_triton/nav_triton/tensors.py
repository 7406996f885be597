"""Tensors as Triton declares them: data types, dimensions with and without a batch, and what it cannot have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from nav_triton.text_format import Message, Word
from navcore import InputError, Signature, TensorSpec
from navcore.contract import dtype_named

if TYPE_CHECKING:
    import numpy as np

_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "bool": "BOOL",
        **{f"uint{bits}": f"UINT{bits}" for bits in (8, 16, 32, 64)},
        **{f"int{bits}": f"INT{bits}" for bits in (8, 16, 32, 64)},
        "float16": "FP16",
        "float32": "FP32",
        "float64": "FP64",
        "bfloat16": "BF16",
    }
)
"""numpy's names of dtypes → Triton's (model_config.proto, ``DataType``)."""
_TEXT = re.compile(r"object|(str|bytes)[0-9]*")


@attrs.frozen
class Served:
    """A tensor as Triton knows it: ``name`` is Triton's, ``source`` the name that navcore has for it.

    ``dims`` are without the batch axis where the model batches, −1 for an axis that moves. ``scalar`` says that
    nothing is left of the shape then: Triton has no tensors without axes, so a client sends one element in an axis of
    its own. Where the model batches Triton takes that axis away before the model sees it; else it refuses to, and the
    package's own runner does it.
    """

    name: str
    source: str
    type: str
    dims: tuple[int, ...]
    scalar: bool = False

    def declared(self, *, batched: bool) -> Message:
        """The field ``input`` or ``output`` of a model configuration."""
        message: Message = {"name": self.name, "data_type": Word(f"TYPE_{self.type}"), "dims": self.dims}
        return {**message, "reshape": {"shape": ()}} if self.scalar and batched else message


def why_no_batches(signature: Signature) -> str:
    """Why Triton cannot stack requests for the model, or ``""``: it does so along the first axis of every tensor."""
    if signature.batch_dim is None:
        return "the model does not batch"
    for spec in (*signature.inputs, *signature.outputs):
        axis = signature.batch_axis(spec)
        if axis is None:
            return f"{spec.name!r} has no batch axis"
        if axis != 0:
            return f"the batch of {spec.name!r} is along axis {axis}, and Triton's is along axis 0"
    return ""


def served(specs: Sequence[TensorSpec], *, batched: bool, indexed: bool) -> tuple[Served, ...]:
    """The tensors as Triton declares them, in their order; ``indexed`` names them by the rule for TorchScript.

    Raises :class:`InputError`, naming the tensor, for a dtype or a shape that Triton does not have.
    """
    found = tuple(_served(spec, number, batched, indexed) for number, spec in enumerate(specs))
    twice = {one.name for one in found if [other.name for other in found].count(one.name) > 1}
    if twice:
        raise InputError(f"Two tensors have the name {min(twice)!r} in Triton.", hint="Give them other names.")
    return found


def _served(spec: TensorSpec, number: int, batched: bool, indexed: bool) -> Served:
    dims = spec.dimensions[1:] if batched else spec.dimensions
    if 0 in dims:
        raise InputError(f"Triton has no tensors without elements, and {spec.name!r} has the shape {spec.shape}.")
    name = indexed_name(spec.name, number) if indexed else spec.name
    return Served(name, spec.name, triton_type(spec), dims or (1,), scalar=not dims)


def triton_type(spec: TensorSpec) -> str:
    """Triton's name of a tensor's data type, ``FP32``. Raises :class:`InputError`, naming both, for any other."""
    if _TEXT.fullmatch(spec.dtype):
        return "STRING"
    if spec.dtype not in _TYPES:
        raise InputError(f"Triton has no data type for {spec.name!r}, which is {spec.dtype}.")
    return _TYPES[spec.dtype]


def indexed_name(name: str, number: int) -> str:
    """The name by which the PyTorch back end knows the tensor at a position: ``mask__1``.

    TorchScript has no names for outputs, and may have lost those of inputs. The back end reads the position behind the
    first ``__`` of a name, and only if all of them are written so; every other ``__`` becomes ``_`` therefore.
    """
    stem, cut, index = name.rpartition("__")
    plain = stem if cut and index == str(number) else name
    return f"{re.sub('__+', '_', plain).strip('_') or 'tensor'}__{number}"


def numpy_type(name: str) -> np.dtype[Any]:
    """The numpy dtype of a data type of Triton's, ``FP32``. Raises :class:`InputError` for one that is no number."""
    for dtype, kind in _TYPES.items():
        if kind == name:
            return dtype_named(dtype)
    raise InputError(f"Arrays of Triton's data type {ascii(name)[:40]} cannot be had.")
