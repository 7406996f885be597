"""Finish what tf2onnx made: stable names for axes, the opset asked for, and a check that lists what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from nav_tf.blame import blamed, cause_line
from nav_tf.opset import CONVERTED
from navcore import ConversionError, Signature, TensorSpec

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

_UNNAMED = re.compile(r"unk__\d+")


def graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph and those inside its nodes (branches, loop bodies)."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    yield from graphs(inner)


def refuse_unknown_operators(model: ModelProto) -> None:
    """Raise :class:`ConversionError` listing every operator that ONNX does not have; tf2onnx only logs them."""
    from onnx import defs

    opsets = {entry.domain: entry.version for entry in model.opset_import}
    unknown: dict[str, str] = {}
    for graph in graphs(model.graph):
        for node in graph.node:
            if node.domain not in opsets or not _has_schema(defs, node, opsets[node.domain]):
                unknown.setdefault(node.op_type, node.name)
    if unknown:
        told = ", ".join(f"{kind} (at {name!r})" for kind, name in sorted(unknown.items()))
        raise ConversionError(
            f"ONNX has no operator for what the model computes: {told}.",
            hint="Write that part with other operations; tf2onnx's support_status.md lists those it converts.",
        )


def _has_schema(defs: Any, node: NodeProto, version: int) -> bool:
    try:
        defs.get_schema(node.op_type, version, node.domain)
    except defs.SchemaError:
        return False
    return True


def refuse_complex(signature: Signature) -> None:
    """Raise :class:`ConversionError` for complex inputs and outputs, which tf2onnx reports in its own words or not."""
    sides = (
        ("outputs", signature.outputs, "return tf.math.real and tf.math.imag of it"),
        ("inputs", signature.inputs, "take its real and imaginary parts and call tf.complex"),
    )
    for kind, specs, real in sides:
        found = [spec for spec in specs if spec.dtype.startswith("complex")]
        if found:
            raise ConversionError(
                f"ONNX has no complex {kind}, and {found[0].name!r} is {found[0].dtype}.",
                hint=f"Let the model {real}.",
            )


def group_convolutions(model: ModelProto) -> None:
    """Write the groups of convolutions in three dimensions, which tf2onnx forgets: they follow from the channels."""
    from onnx import helper, shape_inference

    per_group = {tensor.name: tensor.dims[1] for tensor in model.graph.initializer if len(tensor.dims) == 5}
    waiting = [node for node in model.graph.node if node.op_type == "Conv" and node.input[1] in per_group]
    while waiting:  # the channels of a later one are known once the earlier one is right
        graph = shape_inference.infer_shapes(model).graph
        shapes = {value.name: value.type.tensor_type.shape.dim for value in (*graph.input, *graph.value_info)}
        known = [node for node in waiting if len(shapes.get(node.input[0], ())) == 5]
        for node in known:
            channels, taken = shapes[node.input[0]][1].dim_value, per_group[node.input[1]]
            if channels > taken and channels % taken == 0:
                kept = [attribute for attribute in node.attribute if attribute.name != "group"]
                del node.attribute[:]
                node.attribute.extend([*kept, helper.make_attribute("group", channels // taken)])
        if not known:
            return
        waiting = [node for node in waiting if node not in known]


def rename_tensors(model: ModelProto, names: Mapping[str, str]) -> None:
    """Give tensors other names wherever they occur, in inner graphs too. ``names`` maps the old to the new."""
    changed = {old: new for old, new in names.items() if old != new}
    if not changed:
        return
    inner = {
        name: f"{name}__inner"
        for graph in graphs(model.graph)
        for node in graph.node
        for name in node.output
        if name in changed.values() and name not in changed
    }
    both = {**inner, **changed}
    for graph in graphs(model.graph):
        for node in graph.node:
            node.input[:] = [both.get(name, name) for name in node.input]
            node.output[:] = [both.get(name, name) for name in node.output]
        for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
            value.name = both.get(value.name, value.name)


def order_tensors(model: ModelProto, signature: Signature) -> None:
    """Put the graph's inputs and outputs in the signature's order; a SavedModel keeps them by name.

    ``session.run(None, feeds)[2]`` is then the model's third output, also where there are more than ten.
    """
    for values, names in ((model.graph.input, signature.input_names), (model.graph.output, signature.output_names)):
        place = {name: number for number, name in enumerate(names)}
        ordered = sorted(values, key=lambda value: place.get(value.name, len(place)))
        copies = [type(value).FromString(value.SerializeToString()) for value in ordered]
        del values[:]
        values.extend(copies)


def name_axes(model: ModelProto, signature: Signature) -> None:
    """Axes are called as in the signature; those that it does not know, and all inside the graph, have no name.

    tf2onnx calls each open axis ``unk__`` and a number that differs from run to run.
    """
    known = {spec.name: spec for spec in (*signature.inputs, *signature.outputs)}
    for value in (*model.graph.input, *model.graph.output):
        if value.name in known:
            _name_axes(value, known[value.name])
    for graph in graphs(model.graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            for dimension in value.type.tensor_type.shape.dim:
                if _UNNAMED.fullmatch(dimension.dim_param):
                    dimension.ClearField("dim_param")


def _name_axes(value: ValueInfoProto, spec: TensorSpec) -> None:
    shape = value.type.tensor_type.shape
    if len(shape.dim) != len(spec.shape):
        return
    for dimension, size in zip(shape.dim, spec.shape, strict=True):
        if isinstance(size, str) and not dimension.HasField("dim_value"):
            dimension.dim_param = size


def at_opset(model: ModelProto, opset: int) -> ModelProto:
    """The model at ``opset``, by ONNX's own version converter where tf2onnx does not reach."""
    if opset <= CONVERTED:
        return model
    from onnx import version_converter

    with blamed(ConversionError, f"Raising the model from opset {CONVERTED} to {opset}", hint="Ask for opset 18."):
        converted: ModelProto = version_converter.convert_version(model, opset)
    return converted


def refuse_invalid(model: ModelProto, opset: int) -> None:
    """Raise :class:`ConversionError` when the model is not valid ONNX, or of another opset than asked for."""
    import onnx

    try:
        onnx.checker.check_model(model)
    except Exception as error:
        raise ConversionError(f"tf2onnx made a model that ONNX's checker refuses: {cause_line(error)}") from error
    written = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if written != opset:
        raise ConversionError(f"tf2onnx wrote opset {written} where {opset} was asked for.")


@attrs.frozen
class Settled:
    """The signature that the model really has, and what to tell the user about the difference."""

    signature: Signature
    notes: tuple[str, ...] = ()


def settled(model: ModelProto, signature: Signature) -> Settled:
    """Read back which inputs and outputs there are, and which axes do not move any more.

    Raises :class:`ConversionError` when inputs appeared that the SavedModel does not have, outputs are missing, or an
    axis is fixed that the signature has open.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = {value.name: value for value in model.graph.input if value.name not in weights}
    outputs = [value.name for value in model.graph.output]
    strange = [name for name in inputs if signature.inputs and name not in signature.input_names]
    if strange:
        raise ConversionError(f"tf2onnx made inputs that the SavedModel does not have: {', '.join(strange)}.")
    lost = [name for name in signature.output_names if name not in outputs]
    if lost:
        raise ConversionError(f"tf2onnx lost the outputs {', '.join(lost)}; the model has {', '.join(outputs)}.")
    kept = tuple(spec for spec in signature.inputs if spec.name in inputs)
    frozen = [told for spec in kept for told in _frozen_axes(inputs[spec.name], spec)]
    if frozen:
        raise ConversionError(f"tf2onnx does not keep what moves in the source: {', '.join(frozen)}.")
    dropped = [spec.name for spec in signature.inputs if spec not in kept]
    notes = (f"The graph does not use {', '.join(dropped)}, so it has no such input.",) if dropped else ()
    return Settled(attrs.evolve(signature, inputs=kept), notes)


def _frozen_axes(value: ValueInfoProto, spec: TensorSpec) -> Sequence[str]:
    dims = value.type.tensor_type.shape.dim
    if len(dims) != len(spec.shape):
        return []
    return [
        f"axis {size!r} of {spec.name!r} is fixed at {dimension.dim_value}"
        for dimension, size in zip(dims, spec.shape, strict=True)
        if isinstance(size, str) and dimension.HasField("dim_value")
    ]
