"""Whether a network really computes in the type that its format promises: read from its layers, never assumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from navcore.errors import ConversionError, Unavailable

_MOVES = ("CONSTANT", "CAST", "SHUFFLE", "IDENTITY", "CONCATENATION", "SLICE", "GATHER", "SHAPE", "SELECT")
_NAMES = {"FLOAT": "fp32", "HALF": "fp16", "BF16": "bf16", "INT8": "int8", "FP8": "fp8"}
_QUANTISED = ("int8", "fp8")


def computing_types(trt: ModuleType, network: Any) -> Counter[str]:
    """How many layers compute in each of the floating-point types (``{"fp16": 12, "fp32": 3}``); moving data is not
    computing."""
    moves = {getattr(trt.LayerType, name) for name in _MOVES}
    counts: Counter[str] = Counter()
    for layer in layers(network):
        if layer.type in moves:
            continue
        for name in _output_types(layer):
            if name in ("fp32", "fp16", "bf16"):
                counts[name] += 1
                break
    return counts


def layers(network: Any) -> Iterator[Any]:
    for index in range(network.num_layers):
        yield network.get_layer(index)


def _output_types(layer: Any) -> Iterator[str]:
    for index in range(layer.num_outputs):
        tensor = layer.get_output(index)
        if tensor is not None and tensor.dtype.name in _NAMES:
            yield _NAMES[tensor.dtype.name]


def require_quantised(trt: ModuleType, network: Any, precision: str) -> None:
    """Raise :class:`Unavailable` unless the graph holds quantisation to ``precision``.

    Since TensorRT 11 there is no calibration any more: 8-bit types come with the graph or not at all.
    """
    if precision not in _QUANTISED:
        return
    kinds = (trt.LayerType.QUANTIZE, trt.LayerType.DEQUANTIZE)
    found = {name for layer in layers(network) if layer.type in kinds for name in _types_around(layer)}
    if precision not in found:
        raise Unavailable(
            f"{precision} needs a quantized ONNX, and this graph has no QuantizeLinear or DequantizeLinear of "
            f"{precision}.",
            hint="Quantize the model first, for example with NVIDIA ModelOpt or torchao, and start from its ONNX file.",
        )


def _types_around(layer: Any) -> Iterator[str]:
    yield from _output_types(layer)
    for index in range(layer.num_inputs):
        tensor = layer.get_input(index)
        if tensor is not None and tensor.dtype.name in _NAMES:
            yield _NAMES[tensor.dtype.name]


def require_type(counts: Counter[str], precision: str) -> None:
    """Raise :class:`ConversionError` unless a layer computes in ``precision``, or one that says fp32 computes in less.

    Building quietly in another type would be an engine that is not what its name says.
    """
    if precision in _QUANTISED or not counts:
        return
    wanted = "fp32" if precision == "tf32" else precision
    told = ", ".join(f"{count} in {name}" for name, count in sorted(counts.items()))
    if not counts[wanted]:
        raise ConversionError(
            f"Asked for {precision}, and none of the graph's layers computes in it: {told}.",
            hint="The types are the ONNX graph's own: ask for the precision that it has.",
        )
    if wanted == "fp32" and counts["fp16"] + counts["bf16"]:
        raise ConversionError(
            f"Asked for {precision}, and the graph itself computes in less: {told}.",
            hint="Export the model in float32, or ask for the precision that it has.",
        )
