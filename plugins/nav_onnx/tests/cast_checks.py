"""What every cast model has to fulfil, whatever it was made from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, shape_inference
from onnx.reference import ReferenceEvaluator

from nav_onnx.cast_rules import subgraphs
from nav_onnx.casting import Cast, CastRules, Low, write_cast

Feeds = Mapping[str, np.ndarray[Any, Any]]
LOWS: tuple[Low, ...] = ("float16", "bfloat16")
CODES = {"float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16}
TOLERANCE = {"float16": 5e-3, "bfloat16": 3e-2}


def assert_follows(source: Path, feeds: Feeds, low: Low, rules: CastRules | None = None) -> Cast:
    """Cast a file, run both, and compare: interface, what computes in 16 bits, and values relative to the largest."""
    output = source.with_name(f"{source.stem}-{low}.onnx")
    cast = write_cast(source, output, low, rules)
    onnx.checker.check_model(output, full_check=True)
    written, original = onnx.load(output), onnx.load(source)
    assert_same_interface(original, written)
    assert_computes_low(written, cast)
    for expected, found in zip(run(source, feeds, "float16"), run(output, feeds, low), strict=True):
        assert_near(expected, found, TOLERANCE[low])
    return cast


def assert_same_interface(original: onnx.ModelProto, cast: onnx.ModelProto) -> None:
    assert list(cast.graph.input) == list(original.graph.input)
    assert list(cast.graph.output) == list(original.graph.output)
    assert list(cast.metadata_props) == list(original.metadata_props)


def assert_computes_low(model: onnx.ModelProto, cast: Cast) -> None:
    """Each node said to be lowered takes or gives 16 bits and no float32, as inference sees it, in bodies too."""
    lowered = set(cast.lowered)
    found = 0
    for node, types in typed_nodes(shape_inference.infer_shapes(model, data_prop=True).graph, {}):
        codes = {types[name] for name in (*node.input, *node.output) if types.get(name)}
        if node.name in lowered and node.op_type != "Cast":
            assert CODES[cast.low] in codes
            assert TensorProto.FLOAT not in codes
        found += CODES[cast.low] in codes and node.op_type not in ("Cast", "Constant")
    assert found == len(cast.lowered) > 0


def typed_nodes(
    graph: onnx.GraphProto, outside: Mapping[str, int]
) -> Iterator[tuple[onnx.NodeProto, Mapping[str, int]]]:
    """Every node with the element types of all values that it sees."""
    values = (*graph.value_info, *graph.input, *graph.output)
    types = {**outside, **{value.name: value.type.tensor_type.elem_type for value in values}}
    types |= {weight.name: weight.data_type for weight in graph.initializer}
    for node in graph.node:
        inner = tuple(subgraphs(node))
        yield node if not inner else plain(node), types
        for body in inner:
            yield from typed_nodes(body, types)


def plain(node: onnx.NodeProto) -> onnx.NodeProto:
    """A node with bodies, as one that hands float32 on: what it holds is looked at on its own."""
    return onnx.helper.make_node(node.op_type, node.input, node.output, name=node.name)


def body_nodes(cast: Cast) -> set[str]:
    """The names of the lowered nodes that stand in bodies."""
    return set(cast.lowered) - {node.name or node.output[0] for node in cast.model.graph.node}


def assert_subgraphs_capture(cast: Cast, operators: Collection[str]) -> None:
    """The subgraphs of each of these operators use in float32 what a node outside them computes in 16 bits."""
    graph = cast.model.graph
    low = {name for node in graph.node if node.name in cast.lowered for name in node.output}
    widened = {node.output[0] for node in graph.node if node.op_type == "Cast" and node.input[0] in low}
    for operator in operators:
        inner = [part for node in graph.node if node.op_type == operator for part in subgraphs(node)]
        used = {name for part in inner for node in part.node for name in node.input}
        assert used & widened, operator


def nearly_balanced(batch: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Two rows that add up to 0.0001, which 16 bits round to zero: all else is in quarters, whose sum is exact."""
    row = np.round(batch[0] * 4) / 4
    close = np.stack([row, -row])
    close[0].flat[0], close[1].flat[0] = 1.0001, -1
    return close.astype(batch.dtype)


def value_types(model: onnx.ModelProto) -> dict[str, int]:
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.input, *graph.output)}
    return types | {weight.name: weight.data_type for weight in graph.initializer}


def run(path: Path, feeds: Feeds, low: Low) -> Sequence[Any]:
    """ONNX Runtime's CPU provider has few bfloat16 kernels, and crashes on some float16 graphs at full optimization."""
    if low == "bfloat16":
        return list(ReferenceEvaluator(str(path)).run(None, dict(feeds)))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(feeds)))


def assert_near(expected: Any, found: Any, tolerance: float) -> None:
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected)
        return
    scale = float(np.max(np.abs(expected), initial=0.0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)
