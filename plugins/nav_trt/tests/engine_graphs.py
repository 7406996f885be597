"""Tiny ONNX graphs for engines, and what the data would say about their inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from navcore import Axis, TensorSpec
from navcore.contract import dtype_named

FLOAT, HALF, BF16, DOUBLE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE
INT64, BOOL = TensorProto.INT64, TensorProto.BOOL
INT8, FP8 = TensorProto.INT8, TensorProto.FLOAT8E4M3FN
BATCH = Axis("n", 1, 2, 8)

Tensors = Sequence[tuple[str, int, Sequence[int | str | None]]]
ROWS: Tensors = [("x", FLOAT, ["n", 4])]
RESULT: Tensors = [("y", FLOAT, ["n", 4])]


def node(op: str, inputs: str, outputs: str, name: str = "", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), outputs.split(), name=name, **attributes)


def weight(name: str, values: Any, code: int = FLOAT) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, dtype_named(_name(code))), name)


def _name(code: int) -> str:
    return str(helper.tensor_dtype_to_np_dtype(code).name)


def graph(
    nodes: Sequence[onnx.NodeProto],
    *weights: TensorProto,
    inputs: Tensors = ROWS,
    outputs: Tensors = RESULT,
    opset: int = 19,
) -> onnx.ModelProto:
    def declared(tensors: Tensors) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(name, code, shape) for name, code, shape in tensors]

    body = helper.make_graph(list(nodes), "test", declared(inputs), declared(outputs), list(weights))
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def product(code: int = FLOAT) -> onnx.ModelProto:
    """``y = x w`` with rows of four, all in one element type."""
    rows: Tensors = [("x", code, ["n", 4])]
    result: Tensors = [("y", code, ["n", 4])]
    return graph([node("MatMul", "x w", "y")], weight("w", np.eye(4), code), inputs=rows, outputs=result)


def quantised(code: int) -> onnx.ModelProto:
    """``y = x w`` between QuantizeLinear and DequantizeLinear, as quantization tools write it."""
    if code == FP8:
        weights = [
            helper.make_tensor("codes", FP8, [4, 4], np.eye(4).flatten().tolist()),
            helper.make_tensor("zero", FP8, [], [0.0]),
        ]
    else:
        weights = [weight("codes", np.eye(4) * 10, code), weight("zero", 0, code)]
    nodes = [
        node("QuantizeLinear", "x scale zero", "narrow"),
        node("DequantizeLinear", "narrow scale zero", "wide"),
        node("DequantizeLinear", "codes scale zero", "w"),
        node("MatMul", "wide w", "y"),
    ]
    return graph(nodes, weight("scale", 0.1), *weights)


def pictures() -> onnx.ModelProto:
    """A convolution over pictures of which number, height and width move, and the mean of each channel."""
    random = np.random.default_rng(0)
    nodes = [
        node("Conv", "image kernel", "features", pads=[1, 1, 1, 1]),
        node("Relu", "features", "positive"),
        node("GlobalAveragePool", "positive", "pooled"),
        node("Flatten", "pooled", "scores"),
    ]
    return graph(
        nodes,
        weight("kernel", random.normal(size=(5, 3, 3, 3)) / 3),
        inputs=[("image", FLOAT, ["batch", 3, "height", "width"])],
        outputs=[("scores", FLOAT, ["batch", 5])],
    )


def specs(tensors: Sequence[onnx.ValueInfoProto]) -> tuple[TensorSpec, ...]:
    """The declared inputs or outputs as data that moves along every named axis would show them."""
    return tuple(
        TensorSpec(
            value.name,
            _name(value.type.tensor_type.elem_type),
            tuple(size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim),
        )
        for value in tensors
    )
