"""The same ONNX model with its float32 computations done in float16 or bfloat16.

Inputs and outputs keep their names, their float32 and their shapes. What has to stay in float32 stays, and is reported.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import attrs

from nav_onnx.cast_bodies import Bodies, cast_bodies
from nav_onnx.cast_choice import Choice, Wiring, choose, kept_by_definition, wiring
from nav_onnx.cast_graph import copy_without, names_in_use, rewrite
from nav_onnx.cast_rules import BITS, TYPED_BY_HAND, CastRules, Low, refuse_bad_rules
from nav_onnx.cast_source import (
    BFLOAT16_OPSET,
    complaint,
    element_types,
    inlined,
    opsets,
    put_back,
    raised,
    set_aside,
)
from nav_onnx.cast_weights import LowWeights, constant_tensor, largest, low_weights
from nav_onnx.external_data import tensors_and_nodes
from nav_onnx.model_file import load_model
from nav_onnx.model_writing import write_model
from navcore import InputError, OptionError, StepError
from navcore.errors import first_line

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

__all__ = ["Cast", "CastRules", "Kept", "Low", "cast_floats", "write_cast"]

_NAMED = 3  # examples in an error


@attrs.frozen
class Kept:
    """A node that stays in float32, and why. A node without a name goes by its first output."""

    name: str
    op_type: str
    reason: str


@attrs.frozen
class Cast:
    """What a cast made. ``lowered`` are the nodes that now compute in ``low``, ``kept`` those that stay in float32.

    Nodes that never had a float32 value are in neither. ``notes`` are sentences about what else was changed.
    """

    model: ModelProto
    low: Low
    lowered: tuple[str, ...]
    kept: tuple[Kept, ...]
    notes: tuple[str, ...] = ()


@attrs.frozen
class _Attempt:
    origin: ModelProto
    light: ModelProto
    view: Wiring
    weights: LowWeights
    choice: Choice
    bodies: Bodies


def cast_floats(
    model: ModelProto, low: Low, rules: CastRules | None = None, reached: Mapping[str, float] | None = None
) -> Cast:
    """Let every node compute in ``low`` whose operator allows it and that no rule keeps in float32.

    ``model`` has all its weights in memory (see :func:`nav_onnx.load_model`) and is not changed. ``reached`` are the
    largest absolute values that float32 values of the main graph were seen to take. Raises :class:`OptionError` for
    rules that name nothing, :class:`StepError` when no node can be lowered.
    """
    if low not in get_args(Low):
        raise OptionError(f"Models can be cast to float16 and to bfloat16, not to {low!r}.")
    rules = rules or CastRules()
    light, heavy = set_aside(model)
    refuse_bad_rules(rules, light, tensors_and_nodes(light)[1])
    light, note = inlined(light, rules)
    limit = largest(low) if rules.max_magnitude is None else rules.max_magnitude
    large = {name: value for name, value in (reached or {}).items() if value > limit}
    attempt = _attempt(light, heavy, low, rules, large)
    notes = [note] if note else []
    if low == "bfloat16" and _would_gain(attempt):
        attempt, note = _at_a_newer_opset(attempt, heavy, rules, large)
        notes.append(note)
    if not attempt.choice.lowered and not attempt.bodies.lowered:
        raise _nothing_to_lower(attempt, low, notes)
    result = copy_without(attempt.light, "graph")
    result.graph.CopyFrom(
        rewrite(attempt.light.graph, attempt.view, attempt.choice.lowered, attempt.weights.tensors, low)
    )
    put_back(result, heavy)
    _assert_typed(result, attempt, low)
    nodes = attempt.view.nodes
    lowered = tuple(_label(nodes[index]) for index in sorted(attempt.choice.lowered))
    lowered += tuple(map(_label, attempt.bodies.lowered))
    return Cast(result, low, lowered, _kept(attempt), tuple(notes))


def _attempt(
    light: ModelProto, heavy: Mapping[str, TensorProto], low: Low, rules: CastRules, large: Mapping[str, float]
) -> _Attempt:
    from onnx import TensorProto

    view = wiring(light.graph.node, element_types(light), names_in_use(light.graph))
    constants = [tensor for node in view.nodes if (tensor := constant_tensor(node)) is not None]
    initializers = [heavy.get(weight.name, weight) for weight in light.graph.initializer]
    initializers = [weight for weight in initializers if weight.data_type == TensorProto.FLOAT]
    # What only subgraphs take stays as it is, but what they make of it may be as large.
    named = {*view.takers, *view.captured}
    taken = [weight for weight in (*initializers, *constants) if weight.name in named]
    weights = low_weights(taken, low, rules.max_magnitude)
    # These are screened and then cast in the graph: what only fills a shape that the graph computes, and a weight that
    # is among the graph's inputs, a default that the caller may replace.
    unfit = {value.name for value in light.graph.input} | {
        node.output[0] for node in view.nodes if node.op_type == "ConstantOfShape"
    }
    weights = attrs.evolve(
        weights, tensors={k: v for k, v in weights.tensors.items() if k in view.takers and k not in unfit}
    )
    choice = choose(view, weights, opsets(light), low, rules, large)
    bodies = cast_bodies(light, view, {weight.name: weight for weight in initializers}, low, rules, large)
    if bodies.lowered:
        view = wiring(bodies.light.graph.node, view.types, names_in_use(bodies.light.graph))
    return _Attempt(light, bodies.light, view, weights, choice, bodies)


def _would_gain(attempt: _Attempt) -> bool:
    """Whether a node is in float32 only because its operator knows no bfloat16 at the model's opset."""
    if opsets(attempt.light).get("", BFLOAT16_OPSET) >= BFLOAT16_OPSET:
        return False
    newer = {**opsets(attempt.light), "": BFLOAT16_OPSET}
    refused = (attempt.view.nodes[index] for index in attempt.choice.refused)
    return any(kept_by_definition(attempt.view, node, newer, "bfloat16") is None for node in refused)


def _at_a_newer_opset(
    attempt: _Attempt, heavy: Mapping[str, TensorProto], rules: CastRules, large: Mapping[str, float]
) -> tuple[_Attempt, str]:
    old = opsets(attempt.light)[""]
    newer = raised(attempt.origin)
    if newer is not None:
        second = _attempt(newer, heavy, "bfloat16", rules, large)
        if _count(second) > _count(attempt):
            return second, f"the opset was raised from {old} to {BFLOAT16_OPSET}, where more operators know bfloat16"
    return attempt, f"more could compute in bfloat16 from opset {BFLOAT16_OPSET} on; opset {old} could not be raised"


def _count(attempt: _Attempt) -> int:
    return len(attempt.choice.lowered) + len(attempt.bodies.lowered)


def _kept(attempt: _Attempt) -> tuple[Kept, ...]:
    nodes = attempt.view.nodes
    found = [(nodes[index], reason) for index, reason in sorted(attempt.choice.kept.items())]
    return tuple(
        Kept(_label(node), node.op_type, reason)
        for node, reason in (*found, *attempt.bodies.kept)
        if node.op_type not in TYPED_BY_HAND
    )


def _label(node: NodeProto) -> str:
    return node.name or next(iter(node.output), node.op_type)


def _nothing_to_lower(attempt: _Attempt, low: Low, notes: list[str]) -> StepError:
    kept = _kept(attempt)
    if kept:
        shown = [f"{node.op_type} {node.name!r} ({node.reason})" for node in kept[:_NAMED]]
        shown += [f"{len(kept) - _NAMED} more"] if len(kept) > _NAMED else []
        said = "; ".join([", ".join(shown), *notes])
        return StepError(
            f"Nothing in this model can compute in {low}: {said}.",
            hint="Export it again with a newer opset, relax the rules, or use it in float32.",
        )
    names = Counter(attempt.view.element(name) for name in attempt.view.types)
    there = next((low for low, name in BITS.items() if names[name]), "float64" if names["DOUBLE"] else "")
    what = f"it is a {there} model already" if there else "it has no floating-point computation"
    return StepError(
        f"Only float32 models are cast to {low}, and {what}.",
        hint="Export it in float32 first." if there else "Use it as it is.",
    )


def _assert_typed(model: ModelProto, attempt: _Attempt, low: Low) -> None:
    """Refuse a result that holds fewer 16-bit computations than were chosen, as inference sees it."""
    from onnx import TensorProto

    types = element_types(set_aside(model)[0])
    code = TensorProto.DataType.Value(BITS[low])
    computing = [
        node
        for node in model.graph.node
        if node.op_type not in TYPED_BY_HAND and any(types.get(name) == code for name in (*node.input, *node.output))
    ]
    if len(computing) < len(attempt.choice.lowered):
        raise StepError(
            f"{len(attempt.choice.lowered)} nodes were to compute in {low}, and type inference finds {len(computing)}.",
            hint="Please report the model's operators as a bug of nav_onnx.",
        )


def write_cast(
    source: Path,
    output: Path,
    low: Low,
    rules: CastRules | None = None,
    reached: Mapping[str, float] | None = None,
) -> Cast:
    """Cast the ONNX file ``source`` into the file ``output``, as :func:`cast_floats` does, and check what was written.

    A model of 2 GiB and more keeps its weights in ``<output>.data`` beside it. Raises also :class:`InputError` for a
    source that cannot be read, and :class:`StepError`, leaving no file, when ONNX's full checker refuses the result.
    """
    data = output.with_name(f"{output.name}.data")
    if source.exists() and output.exists() and source.samefile(output):
        raise InputError("A model cannot be cast into its own file.", who=source.name, hint="Give another output.")
    try:
        cast = cast_floats(load_model(source), low, rules, reached)
    except StepError as error:
        raise StepError(error.what, who=error.who or source.name, hint=error.hint) from error
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_model(cast.model, output, data)
        _refuse_invalid(source, output, low)
    except BaseException:
        output.unlink(missing_ok=True)
        data.unlink(missing_ok=True)
        raise
    return cast


def _refuse_invalid(source: Path, output: Path, low: Low) -> None:
    from onnx import checker, shape_inference

    try:
        checker.check_model(os.fspath(output), full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError, RuntimeError, ValueError) as error:
        before = complaint(set_aside(load_model(source))[0])
        raise StepError(
            f"The model is not valid ONNX, even before it is cast: {before}"
            if before
            else f"The model cast to {low} is not valid ONNX: {first_line(error)}",
            who=source.name,
            hint="Export it again; onnx.checker.check_model(path, full_check=True) shows whether it is sound."
            if before
            else "Keep the node that is named here in float32 (keep_nodes).",
        ) from error
