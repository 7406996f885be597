"""Which layers of a quantised graph run in integers here: read from the graph as ONNX Runtime optimised it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import attrs

from nav_onnx.external_data import tensors_and_nodes
from nav_onnx.proto import read_proto

_INTEGER = frozenset({
    "ConvInteger", "ConvIntegerToFloat", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MatMulInteger",
    "MatMulIntegerToFloat", "QAttention", "QGemm", "QLinearConv", "QLinearConvTranspose", "QLinearMatMul",
})  # fmt: skip
_FLOAT = frozenset({
    "Attention", "Conv", "ConvTranspose", "FusedConv", "FusedGemm", "FusedMatMul", "Gemm", "GRU", "LSTM", "MatMul",
    "MultiHeadAttention", "NhwcFusedConv", "RNN",
})  # fmt: skip
"""Operators that multiply and add; what stands around them costs little. One of neither kind is not counted."""


@attrs.frozen
class Kernels:
    """How many layers run in integers and how many in floats, by operator."""

    integer: Mapping[str, int]
    floating: Mapping[str, int]

    def told(self) -> str:
        """A sentence for the row."""
        count, rest = sum(self.integer.values()), sum(self.floating.values())
        if not count:
            return f"ONNX Runtime computes all {rest} layers of the quantised graph in float here."
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(self.integer.items()))
        return f"Of {count + rest} layers ONNX Runtime computes {count} in integers here ({kinds})."


def kernels_of(graph: Path) -> Kernels:
    """The layers of an optimised graph, those in bodies included."""
    counts = Counter(node.op_type for node in tensors_and_nodes(read_proto(graph))[1])
    return Kernels(
        {kind: count for kind, count in counts.items() if kind in _INTEGER},
        {kind: count for kind, count in counts.items() if kind in _FLOAT},
    )
