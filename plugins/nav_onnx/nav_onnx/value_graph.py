"""Which values of two graphs can be held against each other, in which order, and what each leads to."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_SCOPES = "pkg.torch.onnx.name_scopes"  # of PyTorch's dynamo exporter, on every node
_NO_SCOPE = "_empty_nn_module_stack"  # stands there for nodes of no module
_CAST_SUFFIXES = ("_float16", "_bfloat16")  # of nav-onnx's own cast, where a value is no longer there in float32
_CONSTANT = "Constant"
_END = ""  # stands among what follows for an output that is not compared


@attrs.frozen
class Value:
    """A value of the reference's main graph and its counterpart in the row's.

    ``op`` makes it in the reference, ``becomes`` in the row. ``following`` are the compared values that it leads to
    with no other one between. ``ends`` says that it is an output of the model, or leads to one that is not compared.
    ``module`` is the module of the source that it is from, where the exporter said so.
    """

    name: str
    counterpart: str
    node: str
    op: str
    becomes: str
    module: str
    ends: bool
    following: tuple[str, ...] = ()


def shared_values(reference: ModelProto, row: ModelProto) -> tuple[Value, ...]:
    """The values that nodes of both main graphs make, in the order of the reference. Constants are left out."""
    makers = {name: node for node in row.graph.node for name in node.output if name}
    found = []
    outputs = {value.name for value in reference.graph.output}
    for node in reference.graph.node:
        for name in node.output:
            counterpart = _counterpart(name, makers)
            if not name or counterpart is None or node.op_type == _CONSTANT:
                continue
            becomes = makers[counterpart].op_type
            found.append(Value(name, counterpart, node.name, node.op_type, becomes, _module(node), name in outputs))
    return with_following(reference.graph, found)


def _counterpart(name: str, makers: Mapping[str, NodeProto]) -> str | None:
    return next((known for known in (name, *(name + suffix for suffix in _CAST_SUFFIXES)) if known in makers), None)


def module_values(model: ModelProto, modules: Collection[str]) -> tuple[Value, ...]:
    """For each of ``modules`` the value that it returns, as far as the exporter kept the modules' names.

    It is the only value that a node of the module, or of one inside it, makes and a node elsewhere uses. They are in
    graph order; where several modules return one value, the innermost has it.
    """
    nodes = [(node, _scopes(node, modules)) for node in model.graph.node]
    outputs = {value.name for value in model.graph.output}
    users: dict[str, list[frozenset[str]]] = {}
    for node, scopes in nodes:
        for name in used_by(node):
            users.setdefault(name, []).append(scopes)
    leaving: dict[str, list[str]] = {}
    for node, scopes in nodes:
        for name in filter(None, node.output):
            for module in scopes:
                if name in outputs or any(module not in elsewhere for elsewhere in users.get(name, ())):
                    leaving.setdefault(module, []).append(name)
    inner = {names[0]: module for module, names in sorted(leaving.items(), key=lambda one: one[0]) if len(names) == 1}
    found = [
        Value(name, name, node.name, node.op_type, node.op_type, inner[name], name in outputs)
        for node, _ in nodes
        for name in node.output
        if name in inner
    ]
    return with_following(model.graph, found)


def with_following(graph: GraphProto, values: Sequence[Value]) -> tuple[Value, ...]:
    """The values, each with those that come next behind it."""
    compared = {value.name for value in values}
    outputs = {value.name for value in graph.output}
    users: dict[str, list[str]] = {}
    for node in graph.node:
        for name in used_by(node):
            users.setdefault(name, []).extend(made for made in node.output if made)
    following: dict[str, frozenset[str]] = {}
    for node in reversed(graph.node):
        for name in filter(None, node.output):
            after = [frozenset({made}) if made in compared else following.get(made, frozenset())
                     for made in users.get(name, ())]  # fmt: skip
            end = frozenset({_END}) if name in outputs and name not in compared else frozenset()
            following[name] = end.union(*after)
    return tuple(
        attrs.evolve(
            value,
            ends=value.ends or _END in following[value.name],
            following=tuple(sorted(following[value.name] - {_END})),
        )
        for value in values
    )


def used_by(node: NodeProto) -> Iterator[str]:
    """The names that a node reads, those that its bodies take from outside included."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
            for inner in graph.node:
                yield from used_by(inner)


def bodies(model: ModelProto) -> tuple[str, ...]:
    """The nodes of the main graph that have a body, whose inside nobody looks at, with their operators."""
    return tuple(
        f"{node.op_type} {node.name or node.output[0]}"
        for node in model.graph.node
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute)
    )


def _module(node: NodeProto) -> str:
    found = _told_scopes(node)
    return found[-1] if found else ""


def _told_scopes(node: NodeProto) -> list[str]:
    """The modules that a node of the dynamo exporter is in, the outermost first; the model itself is left out."""
    text = next((entry.value for entry in node.metadata_props if entry.key == _SCOPES), "")
    try:
        told = ast.literal_eval(text) if 0 < len(text) < 10_000 else []
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    if not isinstance(told, list):
        return []
    return [scope for scope in told[:-1] if isinstance(scope, str) and scope and not scope.startswith(_NO_SCOPE)]


def _scopes(node: NodeProto, modules: Collection[str]) -> frozenset[str]:
    """The modules among ``modules`` that a node is in.

    The TorchScript-based exporter has them in the node's name: ``/encoder/layer.0/query/MatMul``. A part of it may
    repeat what is above it, of a Sequential in another for example: ``/head/head.1/head.1.0/Gemm``.
    """
    told = _told_scopes(node)
    if not told and node.name.startswith("/"):
        path = ""
        for part in node.name.split("/")[1:-1]:
            above = path.split(".") if path else []
            wanted = (".".join([*above[:count], part]) for count in range(len(above), -1, -1))
            path = next((name for name in wanted if name in modules), f"{path}.{part}" if path else part)
            told.append(path)
    return frozenset(scope for scope in told if scope in modules)
