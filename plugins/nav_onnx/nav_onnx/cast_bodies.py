"""Casts the bodies of If, Loop and Scan: what crosses their borders stays in float32, what they compute need not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import attrs

from nav_onnx.cast_choice import Choice, Wiring, choose, exact_from_outside, needed_exactly, wiring
from nav_onnx.cast_graph import copy_without, inner_names, names_in_use, rewrite
from nav_onnx.cast_range import beyond_in_body, beyond_range, carried
from nav_onnx.cast_rules import BITS, CONTRACTIONS, DECIDING, CastRules, Low, is_named, subgraphs
from nav_onnx.cast_source import graph_types, inferred, opsets
from nav_onnx.cast_weights import LowWeights, constant_tensor, low_weights

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto


@attrs.frozen
class Surroundings:
    """What a body sees of the graphs around it.

    ``types`` are element types, ``weights`` float32 initializers, ``beyond`` the values that a weight may make too
    large, and ``large`` those that were seen to be, each by name.
    """

    types: Mapping[str, int | None]
    weights: Mapping[str, TensorProto]
    beyond: Mapping[str, str]
    large: Mapping[str, float]


@attrs.frozen
class Bodies:
    """The model with its bodies cast; the nodes in them that were lowered, and the others of these bodies with why."""

    light: ModelProto
    lowered: tuple[NodeProto, ...] = ()
    kept: tuple[tuple[NodeProto, str], ...] = ()


def cast_bodies(
    light: ModelProto,
    view: Wiring,
    weights: Mapping[str, TensorProto],
    low: Low,
    rules: CastRules,
    large: Mapping[str, float],
) -> Bodies:
    """Cast the bodies that hold a matrix product, a convolution or the like, and whose node no rule keeps.

    ``view`` is the wiring of the main graph, ``weights`` are its float32 initializers with their data. A body is left
    as it is where its results are needed exactly, here or in its next turn, and where it decides by floats when a Loop
    ends.
    """
    if not any(True for node in light.graph.node for _ in subgraphs(node)):
        return Bodies(light)
    given = {value.name for value in light.graph.input}  # defaults, which the caller may replace
    weights = {name: weight for name, weight in weights.items() if name not in given}
    screened = low_weights(weights.values(), low, None)
    beyond = beyond_range(view.nodes, screened.beyond, view.types, low)
    caster = _Caster(opsets(light), low, rules, set(inner_names(light.graph)))
    around = Surroundings(view.types, weights, beyond, large)
    nodes = caster.cast_in(view, inferred(light).graph, around)
    if not caster.lowered:
        return Bodies(light)
    result = copy_without(light, "graph")
    result.graph.CopyFrom(copy_without(light.graph, "node"))
    result.graph.node.extend(nodes)
    for name, weight in caster.hoisted.values():
        result.graph.initializer.append(weight)
        result.graph.initializer[-1].name = name
    return Bodies(result, tuple(caster.lowered), tuple(caster.kept))


class _Caster:
    """Goes through the bodies of a model, inner ones first, and gathers what it did."""

    def __init__(self, versions: Mapping[str, int], low: Low, rules: CastRules, taken: set[str]) -> None:
        self.lowered: list[NodeProto] = []
        self.kept: list[tuple[NodeProto, str]] = []
        self.hoisted: dict[str, tuple[str, TensorProto]] = {}
        self._versions, self._low, self._rules, self._taken = versions, low, rules, taken

    def cast_in(self, view: Wiring, told: GraphProto, around: Surroundings) -> list[NodeProto]:
        """The nodes of a graph with their bodies cast; ``told`` is the same graph with what inference found."""
        exact = needed_exactly(view)
        nodes = []
        for index, (node, known) in enumerate(zip(view.nodes, told.node, strict=True)):
            touched = {*node.input, *node.output} & set(around.large)
            named = is_named(node, self._rules.keep_nodes) or node.op_type in self._rules.keep_ops
            if index in exact or touched or named or not any(True for _ in subgraphs(node)):
                nodes.append(node)
            else:
                nodes.append(self._with_bodies_cast(node, known, around))
        return nodes

    def _with_bodies_cast(self, node: NodeProto, told: NodeProto, around: Surroundings) -> NodeProto:
        copy: NodeProto = copy_without(node)
        for attribute, known in zip(copy.attribute, told.attribute, strict=True):
            if attribute.HasField("g"):
                attribute.g.CopyFrom(self._cast(node, attribute.g, known.g, around))
        return copy

    def _cast(self, node: NodeProto, body: GraphProto, told: GraphProto, around: Surroundings) -> GraphProto:
        from onnx import TensorProto

        # A name of its own hides the same name outside.
        types = {**around.types, **graph_types(told)}
        outside = set(around.weights)
        own = {weight.name: weight for weight in body.initializer if weight.data_type == TensorProto.FLOAT}
        around = Surroundings(
            types, {**around.weights, **own}, beyond_in_body(node, body, around.beyond, self._low), around.large
        )
        view = wiring(body.node, types, names_in_use(body))
        deciding = _deciding(view, body, set(around.weights)) if node.op_type == "Loop" else {}
        if deciding is None or _carries_exactly(node, body):
            return body
        nodes = self.cast_in(view, told, around)
        inner = copy_without(body, "node")
        inner.node.extend(nodes)
        view = wiring(inner.node, types, names_in_use(inner))
        weights = self._weights(view, around.weights)
        choice = choose(view, weights, self._versions, self._low, self._rules, around.large, around.beyond, deciding)
        if not any(view.nodes[index].op_type in CONTRACTIONS for index in choice.lowered):
            return inner
        ready = self._ready(view, weights, own)
        result = rewrite(inner, view, choice.lowered, ready, self._low, self._taken)
        if self._low == "float16":
            self._hoist(result, {name: tensor for name, tensor in weights.tensors.items() if name in outside})
        self._taken.update(inner_names(result))
        self._note(view, choice)
        return result

    def _ready(self, view: Wiring, weights: LowWeights, own: Mapping[str, TensorProto]) -> Mapping[str, TensorProto]:
        """The weights of a body that need no cast in it.

        None in bfloat16: in bodies, older releases of onnx's reference evaluator take such weights for other numbers,
        and on the CPU nothing else computes in it.
        """
        if self._low == "bfloat16":
            return {}
        unfit = {one.output[0] for one in view.nodes if one.op_type == "ConstantOfShape"}
        fit = {*own, *(one.output[0] for one in view.nodes if one.op_type == "Constant")} - unfit
        return {name: tensor for name, tensor in weights.tensors.items() if name in fit}

    def _weights(self, view: Wiring, known: Mapping[str, TensorProto]) -> LowWeights:
        constants = [tensor for node in view.nodes if (tensor := constant_tensor(node)) is not None]
        taken = [*(known[name] for name in view.takers if name in known), *constants]
        return low_weights(taken, self._low, self._rules.max_magnitude)

    def _hoist(self, body: GraphProto, weights: Mapping[str, TensorProto]) -> None:
        """Move 16-bit weights out of a body, and put those from around it where else they were cast at every call.

        In the main graph a weight stands once for all bodies, and may be kept beside the file.
        """
        from onnx import TensorProto

        code = TensorProto.DataType.Value(BITS[self._low])
        renamed: dict[str, str] = {}
        nodes = []
        for node in body.node:
            to = next((one.i for one in node.attribute if one.name == "to"), TensorProto.UNDEFINED)
            if node.op_type == "Cast" and to == code and node.input[0] in weights:
                there = self.hoisted.setdefault(node.input[0], (node.output[0], weights[node.input[0]]))
                renamed[node.output[0]] = there[0]
                continue
            copy = copy_without(node, "input")
            copy.input.extend(renamed.get(name, name) for name in node.input)
            nodes.append(copy)
        own = [weight for weight in body.initializer if weight.data_type == code]
        self.hoisted.update((f"{weight.name} of a body", (weight.name, weight)) for weight in map(_copy, own))
        rest = [_copy(weight) for weight in body.initializer if weight.data_type != code]
        del body.node[:], body.initializer[:]
        body.node.extend(nodes)
        body.initializer.extend(rest)

    def _note(self, view: Wiring, choice: Choice) -> None:
        self.lowered += [view.nodes[index] for index in sorted(choice.lowered)]
        self.kept += [(view.nodes[index], reason) for index, reason in sorted(choice.kept.items())]


def _deciding(view: Wiring, body: GraphProto, constants: Collection[str]) -> Mapping[int, str] | None:
    """The nodes that compute the condition of a Loop's body, its first output; ``None`` where floats decide.

    A decision has no small errors. Counting in floats is no decision by floats: it starts from integers and constants.
    """
    found: dict[int, str] = {}
    pending = [value.name for value in list(body.output)[:1]]
    while pending:
        name = pending.pop()
        index = view.maker.get(name)
        if index is None:
            if any(view.floats((name,))) and name not in constants:
                return None
            continue
        node = view.nodes[index]
        learned = any(view.floats((*node.input, *node.output))) and node.op_type not in DECIDING | {"Constant"}
        if learned or any(True for _ in subgraphs(node)):
            return None
        if index not in found:
            found[index] = "decides when Loop ends"
            pending += [] if node.op_type in ("Shape", "Size") else node.input
    return found


def _carries_exactly(node: NodeProto, body: GraphProto) -> bool:
    """Whether what one turn leaves has to be exact in the next: an angle, or a position that is counted in floats."""
    needed = set(exact_from_outside(body))
    return any(taken in needed and left != taken for left, taken in carried(node, body))


def _copy(weight: TensorProto) -> TensorProto:
    copy: TensorProto = copy_without(weight)
    return copy
