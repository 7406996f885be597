"""What a compiled model really computes in: read from the layers that it consists of, never from what was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs

# Where the work of a model is, by the names that OpenVINO's CPU device gives its layers.
_PRODUCTS = frozenset({
    "Convolution", "Deconvolution", "FullyConnected", "MatMul", "RNNCell", "RNNSeq", "ScaledDotProductAttention",
    "ScaledDotProductAttentionWithKVCache", "MHA", "LLMMLP", "QKVProjection",
})  # fmt: skip
# What moves numbers about, or holds them, and computes nothing.
_MOVES = frozenset({
    "Input", "Output", "Const", "Reorder", "Reshape", "Transpose", "Concatenation", "Split", "Gather", "GatherND",
    "GatherElements", "ShapeOf", "StridedSlice", "Broadcast", "Tile", "Convert", "FakeQuantize", "MemoryInput",
    "MemoryOutput", "Pad", "SpaceToDepth", "DepthToSpace", "ReverseSequence", "ScatterUpdate",
})  # fmt: skip
_NAMES = {"f64": "fp64", "f32": "fp32", "f16": "fp16", "bf16": "bf16", "i8": "int8", "I8": "int8"}
_COARSEST_FIRST = ("int8", "bf16", "fp16", "fp32", "fp64")


@attrs.frozen
class Computed:
    """How many layers are computed in which precision, and the coarsest of these.

    ``name`` is navcore's (``"fp32"``), ``""`` for a model that computes nothing with numbers that have a precision. The
    layers that count are matrix products and convolutions; ``products`` says whether there are any, and without them
    all count that compute.
    """

    name: str
    layers: Counter[str]
    products: bool

    def __str__(self) -> str:
        """For a note: ``12 of 14 matrix products and convolutions are computed in int8``."""
        what = "matrix products and convolutions" if self.products else "layers"
        return f"{self.layers[self.name]} of {self.layers.total()} {what} are computed in {self.name}"


def computed(compiled: Any) -> Computed:
    """Read what an ``openvino.CompiledModel`` computes in from its execution graph.

    8 bits count in matrix products and convolutions only: of other layers an 8-bit one may just as well pick bytes out
    of a picture.
    """
    layers = list(_layers(compiled))
    products = [precision for kind, precision in layers if kind in _PRODUCTS]
    others = [precision for kind, precision in layers if kind not in _MOVES and precision != "int8"]
    counted = Counter(products or others)
    name = next((one for one in _COARSEST_FIRST if one in counted), "")
    return Computed(name, counted, bool(products))


def _layers(compiled: Any) -> Iterator[tuple[str, str]]:
    """The type of every layer whose numbers have a precision, and that precision in navcore's word.

    It is the last word of the primitive that was chosen, ``brgemm_avx512_i8``: that of the numbers that come in. What
    OpenVINO calls the layer's precision is that of the weights where they are stored in less than they are computed in.
    """
    for node in compiled.get_runtime_model().get_ops():
        told = node.get_rt_info()
        precision = _NAMES.get(str(told["primitiveType"].value).rpartition("_")[2])
        if precision is not None:
            yield str(told["layerType"].value), precision
