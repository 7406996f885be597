"""Tiny ONNX models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Tensors = Sequence[tuple[str, int, Sequence[int | str]]]


def graph_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Tensors,
    outputs: Tensors,
    weights: Sequence[TensorProto] = (),
    *,
    opset: int = 18,
    ir_version: int = 10,
) -> onnx.ModelProto:
    """A model with tensor inputs and outputs; ``ir_version`` 10 is read by every onnxruntime that is supported."""

    def declared(tensors: Tensors) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(name, code, shape) for name, code, shape in tensors]

    graph = helper.make_graph(list(nodes), "test", declared(inputs), declared(outputs), list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


def identity(code: int, *, opset: int = 21) -> onnx.ModelProto:
    """``y = x`` for tensors of one element type, shape (n, 3)."""
    return graph_model(
        [helper.make_node("Identity", ["x"], ["y"])], [("x", code, ["n", 3])], [("y", code, ["n", 3])], opset=opset
    )


def two_by_two() -> onnx.ModelProto:
    """``total = a + b`` and ``gap = a - b``, float32 of shape (n, 3)."""
    shape: list[int | str] = ["n", 3]
    return graph_model(
        [helper.make_node("Add", ["a", "b"], ["total"]), helper.make_node("Sub", ["a", "b"], ["gap"])],
        [("a", TensorProto.FLOAT, shape), ("b", TensorProto.FLOAT, shape)],
        [("total", TensorProto.FLOAT, shape), ("gap", TensorProto.FLOAT, shape)],
    )


def external(location: str, **entries: str) -> onnx.ModelProto:
    """``y = x + w`` where ``w``, three float32 numbers, is said to be stored at ``location``."""
    weight = numpy_helper.from_array(np.zeros(3, np.float32), "w")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        weight.external_data.add(key=key, value=value)
    return graph_model(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        [("x", TensorProto.FLOAT, ["n", 3])],
        [("y", TensorProto.FLOAT, ["n", 3])],
        [weight],
    )
