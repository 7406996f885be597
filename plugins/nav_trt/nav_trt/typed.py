"""Whether a network really computes in the type that its format promises: read from its layers, never assumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from navcore import ConversionError, Unavailable

_MOVES = ("CONSTANT", "CAST", "SHUFFLE", "IDENTITY", "CONCATENATION", "SLICE", "GATHER", "SHAPE", "SELECT")
_QUANTISING = ("QUANTIZE", "DEQUANTIZE", "DYNAMIC_QUANTIZE")  # older versions lack the last
_NAMES = {"FLOAT": "fp32", "HALF": "fp16", "BF16": "bf16"}
_QUANTISED = ("int8", "fp8")


def computing_types(trt: ModuleType, network: Any) -> Counter[str]:
    """How many layers compute in each type (``{"fp16": 12, "fp32": 3}``); moving data is not computing.

    A layer that quantises or dequantises counts for the type that it quantises to: what stands between two of them is
    computed in that.
    """
    moves = {getattr(trt.LayerType, name) for name in _MOVES}
    quantising = {getattr(trt.LayerType, name) for name in _QUANTISING if hasattr(trt.LayerType, name)}
    counts: Counter[str] = Counter()
    for layer in layers(network):
        if layer.type in quantising:
            counts[_quantised_to(layer)] += 1
        elif layer.type not in moves:
            counts.update([name for name in map(_NAMES.get, _output_types(layer)) if name][:1])
    return counts


def layers(network: Any) -> Iterator[Any]:
    for index in range(network.num_layers):
        yield network.get_layer(index)


def _output_types(layer: Any) -> Iterator[str]:
    for index in range(layer.num_outputs):
        tensor = layer.get_output(index)
        if tensor is not None:
            yield str(tensor.dtype.name)


def _quantised_to(layer: Any) -> str:
    """The narrower side: what goes in of a layer that dequantises, else what comes out."""
    inside, outside = str(layer.get_input(0).dtype.name), next(_output_types(layer))
    return (inside if outside in _NAMES else outside).lower()


def require_quantised(counts: Counter[str], precision: str) -> None:
    """Raise :class:`Unavailable` unless the graph holds quantisation to ``precision``.

    Since TensorRT 11 there is no calibration any more: 8-bit types come with the graph or not at all.
    """
    if precision in _QUANTISED and not counts[precision]:
        raise Unavailable(
            f"{precision} needs a quantized ONNX, and this graph has no QuantizeLinear or DequantizeLinear of "
            f"{precision}.",
            hint="Quantize the model first, for example with NVIDIA ModelOpt or torchao, and start from its ONNX file.",
        )


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
    if wanted == "fp32" and set(counts) != {"fp32"}:
        raise ConversionError(
            f"Asked for {precision}, and the graph itself computes in less: {told}.",
            hint="Export the model in float32, or ask for the precision that it has.",
        )


def narrowed(path: Path) -> tuple[str, ...]:
    """A sentence when the ONNX file computes in float64 somewhere, which the parser makes float32 without a word.

    Raises :class:`InputError` for a file that is no ONNX model: the parser makes an empty network of some of those.
    """
    from nav_onnx import element_types

    if "float64" in element_types(path):
        return ("TensorRT has no float64: what the graph computes in it is computed in float32.",)
    return ()
