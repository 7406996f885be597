"""Follow numbers beyond a 16-bit float's range from the weights that hold them, through control flow as well."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from nav_onnx.cast_rules import BOUNDED, CONTRACTIONS, FLOATLESS, Low, subgraphs
from nav_onnx.cast_weights import constant_tensor, exceeds

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto


def beyond_range(
    nodes: Collection[NodeProto], weights: Collection[str], types: Mapping[str, int | None], low: Low
) -> Mapping[str, str]:
    """The values that may be too large for ``low``, each with the weight that makes it so.

    ``weights`` are the too large weights outside subgraphs, which count themselves; those inside are found here.
    ``types`` are the element types of what is outside subgraphs.
    """
    known = {name: name for name in weights}
    _spread(nodes, known, types, low)
    return known


def _spread(nodes: Collection[NodeProto], known: dict[str, str], types: Mapping[str, int | None], low: Low) -> None:
    from onnx import TensorProto

    for node in nodes:
        if any(True for _ in subgraphs(node)):
            found = _through_subgraphs(node, known, low)
        else:
            large = next((known[name] for name in node.input if name in known), None)
            ends = large is None or node.op_type in BOUNDED | CONTRACTIONS or _gives_no_float(node)
            found = {} if ends else dict.fromkeys(node.output, str(large))
        for name, weight in found.items():
            if name and types.get(name) in (None, TensorProto.FLOAT):
                known.setdefault(name, weight)


def _gives_no_float(node: NodeProto) -> bool:
    from onnx import TensorProto

    floats = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
    to = next((attribute.i for attribute in node.attribute if attribute.name == "to"), TensorProto.FLOAT)
    return node.op_type in FLOATLESS or (node.op_type == "Cast" and to not in floats)


def _through_subgraphs(node: NodeProto, known: Mapping[str, str], low: Low) -> Mapping[str, str]:
    """Which outputs of a control-flow node may be too large.

    The inputs of a body stand in the order of the node's own, and so do the outputs of a branch or a body, apart from
    a Loop's condition (https://onnx.ai/onnx/operators/onnx__Loop.html).
    """
    found: dict[str, str] = {}
    for inner in subgraphs(node):
        seen = beyond_in_body(node, inner, known, low)
        given = inner.output[1:] if node.op_type == "Loop" else inner.output
        for value, name in zip(given, node.output, strict=False):
            if value.name in seen:
                found.setdefault(name, seen[value.name])
    return found


def beyond_in_body(node: NodeProto, inner: GraphProto, known: Mapping[str, str], low: Low) -> Mapping[str, str]:
    """The values in a body of ``node`` that may be too large for ``low``, and those ``known`` around it."""
    seen = dict(known)
    seen.update((tensor.name, tensor.name) for tensor in _tensors(inner) if exceeds(tensor, low))
    for formal, actual in zip(inner.input, node.input, strict=False):
        if actual in known:
            seen[formal.name] = known[actual]
    before = -1
    while len(seen) > before:  # what one turn leaves, the next one takes
        before = len(seen)
        _spread(inner.node, seen, {}, low)
        for left, taken in carried(node, inner):
            if left in seen:
                seen.setdefault(taken, seen[left])
    return seen


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    from onnx import TensorProto

    yield from (weight for weight in graph.initializer if weight.data_type == TensorProto.FLOAT)
    for node in graph.node:
        tensor = constant_tensor(node)
        if tensor is not None:
            yield tensor


def carried(node: NodeProto, body: GraphProto) -> Iterator[tuple[str, str]]:
    """The outputs of a body that are its inputs in the next turn, with those inputs."""
    outputs, inputs = [value.name for value in body.output], [value.name for value in body.input]
    if node.op_type == "Loop":
        yield from zip(outputs[1:], inputs[2:], strict=False)
    elif node.op_type == "Scan":
        scanned = next((attribute.i for attribute in node.attribute if attribute.name == "num_scan_inputs"), 0)
        yield from zip(outputs, inputs[: max(len(inputs) - scanned, 0)], strict=False)
