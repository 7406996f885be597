"""What ONNX Runtime complains about, as one sentence for the person who has to do something about it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nav_onnx.dtypes import numpy_name
from navcore import InputError, NavcoreError, StepError, Unavailable

if TYPE_CHECKING:
    from onnxruntime import NodeArg

_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
_LOADING = re.compile(r"^Load model from .*? failed: ?")
_SOURCE_LINE = re.compile(r"(?:/\S+|\w+)\.(?:cc|h):\d+ .*?\) (?:const )?")
_IR = re.compile(r"Unsupported model IR version: (\d+), max supported IR version: (\d+)")
_NO_KERNEL = re.compile(r"Could not find an implementation for (\w+)")
_OPSET = re.compile(r"Opset (\d+) is under development.*?domain (\S+) is till opset (\d+)", re.DOTALL)


def refused_model(error: Exception, version: str, dtypes: Collection[str] = ()) -> StepError:
    """Why ``onnxruntime`` of that version did not load a model whose inputs and outputs are of ``dtypes``.

    A kernel that is missing for bfloat16 is the runtime's lack and says nothing about the model: :class:`Unavailable`.
    """
    text = str(error)
    if (found := _NO_KERNEL.search(text)) and "bfloat16" in dtypes:
        return Unavailable(f"onnxruntime {version} has no {found[1]} for bfloat16 on this device.")
    if found := _IR.search(text):
        return StepError(
            f"The model has IR version {found[1]}, and onnxruntime {version} reads up to {found[2]}.",
            hint="Install a newer onnxruntime, or export the model with an older IR version.",
        )
    if found := _OPSET.search(text):
        return StepError(
            f"The model uses opset {found[1]} of {found[2]}, and onnxruntime {version} knows up to {found[3]}.",
            hint="Install a newer onnxruntime, or export the model with an older opset.",
        )
    return StepError(f"onnxruntime {version} did not load the model: {plain(error)}")


def refused_call(
    error: Exception, inputs: Sequence[NodeArg], feeds: Mapping[str, Any], fed_from: Mapping[str, str]
) -> NavcoreError:
    """Why a call failed: the first input that is not what the graph takes, else what ONNX Runtime says.

    ``fed_from`` gives for each input of the graph the name under which ``feeds`` should hold it.
    """
    if isinstance(error, NavcoreError):
        return error
    wanted = [fed_from.get(node.name, node.name) for node in inputs]
    for node, name in zip(inputs, wanted, strict=True):
        if name not in feeds and not node.type.startswith("optional"):
            return InputError(f"The input {name!r} is missing; the model takes {', '.join(wanted)}.")
        complaint = wrong_array(name, feeds[name], node) if name in feeds else None
        if complaint is not None:
            return complaint
    extra = [name for name in feeds if name not in wanted]
    if extra and "nvalid input name" in str(error):
        return InputError(f"The model has no input {extra[0]!r}; it takes {', '.join(wanted)}.")
    return StepError(f"ONNX Runtime could not run the model: {plain(error)}")


def wrong_array(name: str, value: Any, node: NodeArg) -> InputError | None:
    """What is wrong with the value of one input, or ``None``."""
    import numpy as np

    if not isinstance(value, np.ndarray):
        return InputError(f"The input {name!r} is a {type(value).__name__}, not a numpy array.")
    dtype = numpy_name(node.type)
    given = "object" if value.dtype.kind in "OUS" else value.dtype.name
    if given != dtype:
        return InputError(f"The input {name!r} is {given}, and the model takes {dtype}.", hint="Convert it first.")
    sizes = tuple(node.shape)
    fits = len(sizes) == value.ndim and all(
        not isinstance(size, int) or size == real for size, real in zip(sizes, value.shape, strict=True)
    )
    if sizes and not fits:
        shape = "(" + ", ".join("?" if size is None else str(size) for size in sizes) + ")"
        return InputError(f"The input {name!r} has shape {value.shape}, and the model takes {shape}.")
    return None


def plain(error: Exception) -> str:
    """ONNX Runtime's message without its status code and without lines of its source."""
    text = _SOURCE_LINE.sub("", _LOADING.sub("", _PREFIX.sub("", str(error)))).strip()
    return " ".join(text.split()) or type(error).__name__
