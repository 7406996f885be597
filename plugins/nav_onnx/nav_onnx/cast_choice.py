"""Choose the nodes that will compute in a 16-bit float, and say of every other why it stays in float32."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

import attrs

from nav_onnx.cast_range import beyond_range
from nav_onnx.cast_rules import (
    DECIDING,
    ELEMENTWISE,
    EXACT_INPUTS,
    KEPT_OPS,
    MOVERS,
    STEERING,
    TYPED_BY_HAND,
    CastRules,
    Low,
    is_named,
    refusal,
    schema_of,
    subgraphs,
)
from nav_onnx.cast_weights import LowWeights

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

_INTEGERS = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
_COUNTING = frozenset({"INT32", "INT64", "UINT32", "UINT64"})  # 8-bit pixels are exact in 16 bits, positions are not


@attrs.frozen
class Wiring:
    """The nodes of a graph in their order, and who makes and takes each value.

    ``types`` are the element types, ``None`` for what is no tensor; ``captured`` the values that subgraphs or the
    graph's outputs use under their own names.
    """

    nodes: tuple[NodeProto, ...]
    types: Mapping[str, int | None]
    maker: Mapping[str, int]
    takers: Mapping[str, tuple[int, ...]]
    captured: frozenset[str]

    def floats(self, names: Collection[str]) -> Iterator[str]:
        """Those of the values that are float32 tensors, each as often as it is named."""
        from onnx import TensorProto

        return (name for name in names if name and self.types.get(name) == TensorProto.FLOAT)

    def element(self, name: str) -> str:
        """The element type of a value, as ``TensorProto`` calls it."""
        from onnx import TensorProto

        code = self.types.get(name)
        return "UNDEFINED" if code is None else str(TensorProto.DataType.Name(code))


def wiring(nodes: Collection[NodeProto], types: Mapping[str, int | None], captured: Collection[str]) -> Wiring:
    """The wiring of nodes that stand in topological order, as ONNX demands."""
    takers: dict[str, list[int]] = {}
    for index, node in enumerate(nodes):
        for name in dict.fromkeys(node.input):
            takers.setdefault(name, []).append(index)
    maker = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    return Wiring(
        tuple(nodes), types, maker, {name: tuple(taken) for name, taken in takers.items()}, frozenset(captured)
    )


@attrs.frozen
class Choice:
    """The indexes of the nodes to lower, and the reason for every other node that has a float32 value.

    ``refused`` are those that only the operator's definition keeps in float32.
    """

    lowered: frozenset[int]
    kept: Mapping[int, str]
    refused: frozenset[int]


def choose(
    graph: Wiring,
    weights: LowWeights,
    opsets: Mapping[str, int],
    low: Low,
    rules: CastRules,
    large: Mapping[str, float] | None = None,
    beyond: Mapping[str, str] | None = None,
    deciding: Mapping[int, str] | None = None,
) -> Choice:
    """Apply the rules from the user's wish down to what the schemas allow, then settle what only moves values.

    ``large`` are the values that were seen beyond the limit, with what they reached; ``beyond`` those that a weight may
    make too large, where that is known already; ``deciding`` further nodes that may not round, with why.
    """
    large = large or {}
    exact = {**needed_exactly(graph), **(deciding or {})}
    kept: dict[int, str] = {}
    refused: set[int] = set()
    if beyond is None:
        beyond = beyond_range(graph.nodes, weights.beyond, graph.types, low)
    for index, node in enumerate(graph.nodes):
        if not any(graph.floats([*node.input, *node.output])):
            continue
        reason = _kept_by_rule(node, rules) or exact.get(index) or _quantized(graph, node)
        reason = reason or next((weights.refused[name] for name in node.input if name in weights.refused), None)
        heavy = next((beyond[name] for name in node.input if name in beyond), None)
        if heavy is not None:
            reason = reason or f"may take numbers as large as the weight {heavy!r}"
        reason = reason or _seen_large(graph, node, large)
        if reason is None:
            reason = kept_by_definition(graph, node, opsets, low)
            if reason is not None:
                refused.add(index)
        if reason is not None:
            kept[index] = reason
    lowered = {
        index
        for index, node in enumerate(graph.nodes)
        if index not in kept and any(graph.floats([*node.input, *node.output]))
    }
    stranded = _stranded(graph, lowered)
    for index in stranded:
        moves = graph.nodes[index].op_type in MOVERS
        kept[index] = "only moves float32 values" if moves else "reads float32 values and gives none"
    return Choice(frozenset(lowered - stranded), kept, frozenset(refused))


def needed_exactly(graph: Wiring) -> Mapping[int, str]:
    """The nodes whose results may not be rounded, and why: for a node with bodies, all that is in these."""
    return {**_deciding(graph), **_feeding_exact_inputs(graph)}


def _kept_by_rule(node: NodeProto, rules: CastRules) -> str | None:
    if is_named(node, rules.keep_nodes):
        return "kept by name"
    if node.op_type in rules.keep_ops:
        return "kept by operator"
    if any(True for _ in subgraphs(node)):
        return "holds subgraphs"
    if node.op_type in TYPED_BY_HAND:
        return "has its type written down"
    return KEPT_OPS.get(node.op_type) if node.domain in ("", "ai.onnx") else None


def kept_by_definition(graph: Wiring, node: NodeProto, opsets: Mapping[str, int], low: Low) -> str | None:
    """Why ONNX itself does not let a node with a float32 value compute in ``low``, or ``None`` when it does."""
    schema = schema_of(node, opsets)
    if schema is None:
        return f"{node.domain or 'ONNX'} does not define {node.op_type} for type inference"
    if not any(graph.floats(node.input)):
        return "makes its values itself"
    return refusal(node, schema, graph.types, low)


def _seen_large(graph: Wiring, node: NodeProto, large: Mapping[str, float]) -> str | None:
    for verb, names in (("takes", node.input), ("gives", node.output)):
        reached = max((large[name] for name in graph.floats(names) if name in large), default=None)
        if reached is not None:
            return f"{verb} numbers up to {reached:.3g} on the samples"
    return None


def _quantized(graph: Wiring, node: NodeProto) -> str | None:
    """A cast between a computation and its QuantizeLinear or DequantizeLinear would undo the integer computation."""
    makers = {graph.nodes[graph.maker[name]].op_type for name in node.input if name in graph.maker}
    takers = {graph.nodes[index].op_type for name in node.output for index in graph.takers.get(name, ())}
    if "DequantizeLinear" in makers or takers & {"QuantizeLinear", "DynamicQuantizeLinear"}:
        return "belongs to the model's quantization"
    return None


def _feeding_exact_inputs(graph: Wiring) -> Mapping[int, str]:
    """The nodes that compute angles, coordinates, sizes or indexes, traced back through what works elementwise.

    A rotary embedding multiplies positions by frequencies in a MatMul; one that takes counted positions is passed too.
    """
    found: dict[int, str] = {}
    counted = _counted(graph)
    for origin in graph.nodes:
        pending = list(graph.floats(_exact_inputs(origin)))
        while pending:
            name = pending.pop()
            index = graph.maker.get(name, -1)
            if index < 0 or index in found:
                continue
            node = graph.nodes[index]
            if any(True for _ in subgraphs(node)):
                found[index] = f"computes what {origin.op_type} needs exactly"
            elif node.op_type in ELEMENTWISE or (node.op_type == "MatMul" and counted.intersection(node.input)):
                found[index] = f"computes what {origin.op_type} needs exactly"
                pending += graph.floats(node.input)
    return found


def _exact_inputs(node: NodeProto) -> list[str]:
    """The inputs that a node needs with all digits, and what the nodes in its subgraphs need so from outside."""
    from onnx import TensorProto

    first = EXACT_INPUTS.get(node.op_type)
    to = next((attribute.i for attribute in node.attribute if attribute.name == "to"), TensorProto.UNDEFINED)
    if node.op_type == "Cast" and TensorProto.DataType.Name(to) in _INTEGERS:
        first = 0
    names = [] if first is None else list(node.input)[first:]
    for inner in subgraphs(node):
        handed = {formal.name: actual for formal, actual in zip(inner.input, node.input, strict=False)}
        names += [handed.get(name, name) for name in exact_from_outside(inner)]
    return names


def exact_from_outside(graph: GraphProto) -> Iterator[str]:
    """The values from around a body that it needs with all digits."""
    maker = {name: node for node in graph.node for name in node.output}
    pending = [name for node in graph.node for name in _exact_inputs(node)]
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in maker:
            yield name
        elif maker[name].op_type in ELEMENTWISE:
            pending += maker[name].input


def _deciding(graph: Wiring) -> Mapping[int, str]:
    """The nodes that decide from the model's inputs alone which branch is taken, or how many turns are made.

    A decision has no small errors. One that rests on a 16-bit computation is not saved by comparing in float32.
    """
    found: dict[int, str] = {}
    for origin in graph.nodes:
        pending = list(origin.input[: STEERING.get(origin.op_type, 0)])
        steps: set[int] = set()
        while pending:
            index = graph.maker.get(pending.pop(), -1)
            if index < 0 or index in steps:
                continue
            node = graph.nodes[index]
            if any(graph.floats(node.input)) and node.op_type not in DECIDING:
                steps.clear()
                break
            steps.add(index)
            pending += [] if node.op_type in ("Shape", "Size") else node.input
        found.update(dict.fromkeys(steps, f"decides what {origin.op_type} does"))
    return found


def _counted(graph: Wiring) -> frozenset[str]:
    """Values that are whole numbers without a bound: positions, lengths, sizes."""
    counted: set[str] = set()
    for node in graph.nodes:
        source = node.op_type in ("Range", "CumSum") or (
            node.op_type == "Cast" and graph.element(node.input[0]) in _COUNTING
        )
        if source or (node.op_type in ELEMENTWISE and counted.intersection(node.input)):
            counted.update(node.output)
    return frozenset(counted)


def _stranded(graph: Wiring, lowered: Collection[int]) -> frozenset[int]:
    """Nodes that would gain nothing: movers that neither continue a 16-bit computation nor feed only such ones.

    The same holds of what gives no float: shapes, comparisons, indexes of maxima are as exact as what they read.
    """
    low = set(lowered)
    inert = [i for i in low if graph.nodes[i].op_type in MOVERS or not any(graph.floats(graph.nodes[i].output))]
    stranded = set(inert)
    for index in sorted(inert):
        makers = {graph.maker[name] for name in graph.floats(graph.nodes[index].input) if name in graph.maker}
        if makers & (low - stranded):
            stranded.discard(index)
    for index in sorted(stranded, reverse=True):
        outputs = list(graph.floats(graph.nodes[index].output))
        takers = {taker for name in outputs for taker in graph.takers.get(name, ())}
        if takers and not graph.captured.intersection(outputs) and takers <= low - stranded:
            stranded.discard(index)
    return frozenset(stranded)
