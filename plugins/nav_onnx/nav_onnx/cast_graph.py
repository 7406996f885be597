"""Rewrite a graph so that chosen nodes compute in a 16-bit float, with casts where that meets float32."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from nav_onnx.cast_choice import Wiring
from nav_onnx.cast_rules import BITS, Low, subgraphs

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

Message = TypeVar("Message", bound=Any)


def inner_names(graph: GraphProto) -> Iterator[str]:
    """Every name that a subgraph reads or gives, those of its own subgraphs included."""
    for value in (*graph.input, *graph.output, *graph.initializer):
        yield value.name
    for sparse in graph.sparse_initializer:
        yield sparse.values.name
    for node in graph.node:
        yield node.name
        yield from node.input
        yield from node.output
        for inner in subgraphs(node):
            yield from inner_names(inner)


def names_in_use(graph: GraphProto) -> frozenset[str]:
    """The names that have to stay what they are: the graph's outputs, and all that occur in subgraphs."""
    captured = {output.name for output in graph.output}
    for node in graph.node:
        for inner in subgraphs(node):
            captured.update(inner_names(inner))
    return frozenset(captured - {""})


def rewrite(
    graph: GraphProto,
    view: Wiring,
    lowered: Collection[int],
    weights: Mapping[str, TensorProto],
    low: Low,
    taken: Collection[str] = (),
) -> GraphProto:
    """A graph of the same inputs and outputs in which the nodes ``lowered`` take and give ``low``.

    ``weights`` are 16-bit copies of initializers and constants, by name. Every value is cast at most once in each
    direction and only where something takes the result; weights that nothing takes any more are left out. ``taken`` are
    the names of what is around the graph, none of which may be used again.
    """
    fresh = _naming(graph, taken)
    low_names = _low_names(view, lowered, low, fresh)
    high = set(view.captured)
    for index, node in enumerate(view.nodes):
        if index not in lowered:
            high.update(node.input)
    result = copy_without(graph, "node", "initializer", "value_info")
    ready: set[str] = set()  # values whose 16-bit version exists at this point
    for index, node in enumerate(view.nodes):
        if index not in lowered:
            constant = node.op_type == "Constant" and node.output[0] in weights and node.output[0] in low_names
            if constant:
                name = node.output[0]
                ready.add(name)
                result.node.append(_constant(weights[name], low_names[name], fresh(low_names[name])))
            if not constant or node.output[0] in high:
                result.node.append(node)
            continue
        for name in view.floats(node.input):
            if name not in ready and name not in weights:
                result.node.append(_cast(name, low_names[name], low, fresh))
            ready.add(name)
        result.node.append(_retyped(node, low_names, frozenset(view.floats([*node.input, *node.output]))))
        for name in view.floats(node.output):
            ready.add(name)
            if name in high:
                result.node.append(_cast(low_names[name], name, "float32", fresh))
    _add_weights(result, graph, weights, low_names)
    _add_value_info(result, graph, low_names, low)
    return result


def copy_without(message: Message, *fields: str) -> Message:
    """A copy of a message that leaves out some of its fields, without ever copying those."""
    copy: Message = type(message)()
    for field, value in message.ListFields():
        if field.name in fields:
            continue
        if hasattr(value, "extend"):
            getattr(copy, field.name).extend(value)
        elif hasattr(value, "CopyFrom"):
            getattr(copy, field.name).CopyFrom(value)
        else:
            setattr(copy, field.name, value)
    return copy


def _naming(graph: GraphProto, around: Collection[str]) -> Callable[[str], str]:
    """A function that gives a name which nothing in the graph has, as near as possible to the one asked for."""
    taken = {*inner_names(graph), *around}

    def fresh(wanted: str) -> str:
        name, number = wanted, 1
        while name in taken:
            number += 1
            name = f"{wanted}_{number}"
        taken.add(name)
        return name

    return fresh


def _low_names(view: Wiring, lowered: Collection[int], low: Low, fresh: Callable[[str], str]) -> Mapping[str, str]:
    values = [name for index in sorted(lowered) for name in (*view.nodes[index].input, *view.nodes[index].output)]
    return {name: fresh(f"{name}_{low}") for name in dict.fromkeys(view.floats(values))}


def _cast(source: str, target: str, to: str, fresh: Callable[[str], str]) -> NodeProto:
    from onnx import TensorProto, helper

    code = TensorProto.DataType.Value(BITS.get(to, "FLOAT"))
    return helper.make_node("Cast", [source], [target], name=fresh(f"{source}_to_{to}"), to=code)


def _constant(tensor: TensorProto, name: str, node_name: str) -> NodeProto:
    from onnx import helper

    value = copy_without(tensor, "name")
    value.name = name
    return helper.make_node("Constant", [], [name], name=node_name, value=value)


def _retyped(node: NodeProto, low_names: Mapping[str, str], floats: Collection[str]) -> NodeProto:
    copy = copy_without(node, "input", "output")
    copy.input.extend(low_names[name] if name in floats else name for name in node.input)
    copy.output.extend(low_names[name] if name in floats else name for name in node.output)
    return copy


def _add_weights(
    result: GraphProto, graph: GraphProto, weights: Mapping[str, TensorProto], low_names: Mapping[str, str]
) -> None:
    """The weights that are still taken, each 16-bit copy where its original stood."""
    used = names_in_use(result) | {value.name for value in result.input}
    used |= {name for node in result.node for name in node.input}
    for weight in graph.initializer:
        if weight.name in weights and weight.name in low_names:
            result.initializer.append(weights[weight.name])
            result.initializer[-1].name = low_names[weight.name]
        if weight.name in used:
            result.initializer.append(weight)


def _add_value_info(result: GraphProto, graph: GraphProto, low_names: Mapping[str, str], low: Low) -> None:
    """What the source declares about inner values, for those that are left and for the 16-bit ones."""
    from onnx import TensorProto

    made = {name for node in result.node for name in node.output}
    code = TensorProto.DataType.Value(BITS[low])
    for value in graph.value_info:
        if value.name in made:
            result.value_info.append(value)
        low_name = low_names.get(value.name)
        if low_name in made and value.type.HasField("tensor_type"):
            declared = result.value_info.add()
            declared.CopyFrom(value)
            declared.name = low_name
            declared.type.tensor_type.elem_type = code
