"""Inputs and outputs of an engine or network ↔ those of the signature: names, and element types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from navcore import Artifact, ConversionError, Signature, StepError

_NUMPY = {
    "FLOAT": "float32",
    "HALF": "float16",
    "BF16": "bfloat16",
    "FP8": "float8_e4m3fn",
    "INT8": "int8",
    "UINT8": "uint8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
}


def inputs_by_name(names: Sequence[str], artifact: Artifact) -> Mapping[str, str]:
    """For each of the engine's inputs the name under which it is fed.

    By name; by position where the artifact is called that way and there are as many. An input that the graph lost on
    its way (an exporter drops what is not used) is not fed. Raises :class:`StepError` for one that nothing feeds.
    """
    known = artifact.signature.input_names
    if all(name in known for name in names):
        return {name: name for name in names}
    if artifact.calling == "positional" and len(names) == len(known):
        return dict(zip(names, known, strict=True))
    raise StepError(
        f"The model takes {', '.join(names)}, and its recorded inputs are {', '.join(known)}.",
        hint="Pass input_names= with the model's own names.",
    )


def outputs_by_position(names: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    """The names under which the engine's outputs are returned: its own where one is known, else those in order."""
    if len(known) != len(names) or any(name in known for name in names):
        return names
    return known


def numpy_name(dtype: Any) -> str:
    """The name that numpy has for an element type of TensorRT; those of ml_dtypes for bfloat16 and fp8."""
    return _NUMPY.get(dtype.name, str(dtype.name).lower())


def require_same_types(network: Any, signature: Signature, fed_from: Mapping[str, str]) -> None:
    """Raise :class:`ConversionError` where the network takes or returns another type than the model.

    The parser makes float32 of float64 without a word.
    """
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    returned = outputs_by_position([tensor.name for tensor in outputs], signature.output_names)
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    kinds = {spec.name: spec.dtype for spec in (*signature.inputs, *signature.outputs)}
    named = [("Input", fed_from[tensor.name], tensor) for tensor in inputs]
    named += [("Output", name, tensor) for name, tensor in zip(returned, outputs, strict=True)]
    for side, name, tensor in named:
        theirs = numpy_name(tensor.dtype)
        if kinds.get(name, theirs) != theirs:
            raise ConversionError(
                f"{side} {name!r} is {kinds[name]}, of which TensorRT makes {theirs}.",
                hint=f"Export the model with {theirs}, or use the ONNX file itself.",
            )
