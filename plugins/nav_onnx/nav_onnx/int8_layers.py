"""Which nodes of a graph can compute in int8, by which method, and the nodes between them that need not leave int8."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

import attrs

from nav_onnx.cast_rules import is_named, subgraphs
from nav_onnx.int8_rules import Method, QuantiseRules

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

CALIBRATED = frozenset({"Conv", "Gemm", "MatMul"})
DYNAMIC = frozenset({"Gemm", "LSTM", "MatMul"})
"""Operators with weights that ONNX Runtime's CPU provider has integer kernels for, by the way their inputs come.

An integer convolution whose input is quantised at every call is slower there than a float one.
"""
PASSED = frozenset({
    "Add", "AveragePool", "Clip", "Concat", "Flatten", "GlobalAveragePool", "LeakyRelu", "MaxPool", "Relu", "Reshape",
    "Squeeze", "Transpose", "Unsqueeze",
})  # fmt: skip
"""Operators that can stay in int8 between two layers, so that no float stands between these."""
_WEIGHTS = {"Conv": (1,), "Gemm": (1,), "MatMul": (1,), "LSTM": (1, 2)}
_HANDLED = ("", "ai.onnx")


@attrs.frozen
class Layer:
    """A node with ``weights`` float32 numbers that may compute in int8; ``inner`` nodes stand in a body."""

    name: str
    op_type: str
    weights: int
    method: Method
    inner: bool = False


def named(model: ModelProto) -> None:
    """Give every node, those in bodies included, a name that no other has; in place."""
    counts: Counter[str] = Counter()
    for _, node, _ in walked(model.graph):
        counts[node.name] += 1
        if not node.name or counts[node.name] > 1:
            wanted = node.name or f"{node.op_type}_{next(iter(node.output), '')}"
            while counts[wanted]:
                wanted += "_"
            node.name = wanted
            counts[wanted] += 1


def walked(
    graph: GraphProto, outside: Mapping[str, TensorProto] | None = None
) -> Iterator[tuple[GraphProto, NodeProto, Mapping[str, TensorProto]]]:
    """Every node with its graph and the initializers that it sees: those of its graph and of the graphs around it."""
    seen = {**(outside or {}), **{weight.name: weight for weight in graph.initializer}}
    for node in graph.node:
        yield graph, node, seen
        for inner in subgraphs(node):
            yield from walked(inner, seen)


def layers(model: ModelProto, method: Method, rules: QuantiseRules) -> tuple[Layer, ...]:
    """The nodes that ``method`` can quantise and no rule keeps.

    What stands in a body is quantised dynamically by either method, and so is an LSTM: bodies give no samples.
    """
    found = []
    for graph, node, seen in walked(model.graph):
        inner = graph is not model.graph
        dynamic = inner or method == "dynamic" or node.op_type not in CALIBRATED
        if node.op_type not in (DYNAMIC if dynamic else CALIBRATED) or node.domain not in _HANDLED:
            continue
        size = _weights(node, seen)
        if size and not (dynamic and _is_odd_gemm(node)) and not is_kept(node, rules):
            found.append(Layer(node.name, node.op_type, size, "dynamic" if dynamic else "static", inner))
    return tuple(found)


def is_kept(node: NodeProto, rules: QuantiseRules) -> bool:
    """Whether a node, or one that was merged into it, is to stay in float32."""
    merged = any(node.name.startswith(f"{name}/") for name in rules.keep_nodes)
    return node.op_type in rules.keep_ops or merged or is_named(node, rules.keep_nodes)


def _weights(node: NodeProto, seen: Mapping[str, TensorProto]) -> int:
    """How many float32 numbers the weights of a node are; 0 unless all of them stand in the file."""
    from onnx import TensorProto

    total = 0
    for position in _WEIGHTS[node.op_type]:
        weight = seen.get(node.input[position]) if position < len(node.input) else None
        if weight is None or weight.data_type != TensorProto.FLOAT or not weight.dims:
            return 0
        size = 1
        for axis in weight.dims:
            size *= axis
        total += size
    return total


def _is_odd_gemm(node: NodeProto) -> bool:
    """Whether a Gemm is more than a product and a sum, which is all that the dynamic quantiser makes of one."""
    usual = {"alpha": 1.0, "beta": 1.0, "transA": 0}
    given = {one.name: one.f if one.name in ("alpha", "beta") else one.i for one in node.attribute}
    return node.op_type == "Gemm" and any(given.get(name, value) != value for name, value in usual.items())


def as_products(model: ModelProto) -> None:
    """Write every plain Gemm as a MatMul, of the Gemm's name, and an Add; in place, in bodies too.

    Dynamic quantisation knows no Gemm. ONNX Runtime's quantiser writes it so as well, but turns the weight around
    under its old name, which other nodes and declared shapes still mean as it was.
    """
    taken = {name for _, node, seen in walked(model.graph) for name in (*node.input, *node.output, *seen)}
    _products_in(model.graph, {}, taken)


def _products_in(graph: GraphProto, outside: Mapping[str, TensorProto], taken: set[str]) -> None:
    seen = {**outside, **{weight.name: weight for weight in graph.initializer}}
    for node in graph.node:  # bodies first: what a graph holds is copied when its nodes are set anew
        for inner in subgraphs(node):
            _products_in(inner, seen, taken)
    nodes: list[NodeProto] = []
    for node in graph.node:
        plain = node.op_type == "Gemm" and node.domain in _HANDLED and not _is_odd_gemm(node)
        nodes += _as_product(graph, node, seen, taken) if plain else [node]
    copies = [_copy(node) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _as_product(
    graph: GraphProto, node: NodeProto, seen: Mapping[str, TensorProto], taken: set[str]
) -> list[NodeProto]:
    from onnx import helper, numpy_helper

    factor, nodes = node.input[1], []
    if any(one.name == "transB" and one.i for one in node.attribute):
        turned = _fresh(f"{factor}_turned", taken)
        if factor in seen:
            graph.initializer.append(numpy_helper.from_array(numpy_helper.to_array(seen[factor]).T.copy(), turned))
        else:
            nodes.append(helper.make_node("Transpose", [factor], [turned], name=f"{node.name}_turning", perm=[1, 0]))
        factor = turned
    output, added = node.output[0], len(node.input) > 2 and node.input[2]
    product = _fresh(f"{output}_product", taken) if added else output
    nodes.append(helper.make_node("MatMul", [node.input[0], factor], [product], name=node.name))
    if added:
        nodes.append(helper.make_node("Add", [product, node.input[2]], [output], name=f"{node.name}_sum"))
    return nodes


def _copy(node: NodeProto) -> NodeProto:
    copy = type(node)()
    copy.CopyFrom(node)
    return copy


def _fresh(wanted: str, taken: set[str]) -> str:
    while wanted in taken:
        wanted += "_"
    taken.add(wanted)
    return wanted


def has_convolutions(model: ModelProto) -> bool:
    """Whether a convolution with its weights in the file stands in the main graph."""
    return any(layer.op_type == "Conv" for layer in layers(model, "static", QuantiseRules()))


def inner_convolutions(model: ModelProto) -> int:
    """How many convolutions stand in bodies."""
    return sum(node.op_type == "Conv" and graph is not model.graph for graph, node, _ in walked(model.graph))


def is_quantised(model: ModelProto) -> bool:
    """Whether the model computes in integers already, by quantisation."""
    kinds = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"}
    return any(node.op_type in kinds or node.op_type.startswith("QLinear") for _, node, _ in walked(model.graph))


def between(model: ModelProto, chosen: Collection[str], rules: QuantiseRules) -> tuple[str, ...]:
    """The nodes of the main graph that take nothing but what the chosen ones, or others like them, give.

    Without a convolution there are none: what a transformer adds up along its depth needs its digits.
    """
    from onnx import TensorProto

    nodes = model.graph.node
    if not any(node.op_type == "Conv" and node.name in chosen for node in nodes):
        return ()
    constants = {weight.name for weight in model.graph.initializer}
    floats = {weight.name for weight in model.graph.initializer if weight.data_type == TensorProto.FLOAT}
    low = {name for node in nodes if node.name in chosen for name in node.output}
    found = []
    for node in nodes:
        fed = [name for name in node.input if name and name not in constants]
        adds_weight = node.op_type in ("Add", "Concat") and floats.intersection(node.input)
        if node.op_type in PASSED and fed and low.issuperset(fed) and not adds_weight and not is_kept(node, rules):
            found.append(node.name)
            low.update(node.output)
    return tuple(found)
