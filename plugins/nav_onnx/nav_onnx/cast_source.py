"""A model as the cast pass reads it: heavy weights set aside, functions inlined, opset raised where bfloat16 needs it.

ONNX's own passes serialize the whole model, which ends at 2 GiB and costs twice its memory before; none of them needs
to see a large weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nav_onnx.cast_graph import copy_without
from nav_onnx.cast_rules import CastRules, is_named
from navcore import InputError, StepError
from navcore.errors import first_line

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

_HEAVY = 64 * 1024  # bytes; shapes and other small integers stay visible to type inference
_ELSEWHERE = "set aside"
BFLOAT16_OPSET = 22
"""The first opset in which convolutions and poolings exist in bfloat16."""


def set_aside(model: ModelProto) -> tuple[ModelProto, Mapping[str, TensorProto]]:
    """A copy of the model in which heavy weights are stubs without data, and those weights by name.

    The weights are the model's own, not copies. Raises :class:`InputError` for a model that was loaded without its
    external data.
    """
    from onnx import TensorProto

    light = copy_without(model, "graph")
    light.graph.CopyFrom(copy_without(model.graph, "initializer"))
    heavy: dict[str, TensorProto] = {}
    for weight in model.graph.initializer:
        if weight.data_location == TensorProto.EXTERNAL:
            raise InputError(
                f"The weight {weight.name!r} is stored outside the model and was not loaded.",
                hint="Load the file with nav_onnx.load_model.",
            )
        if weight.data_type != TensorProto.STRING and (len(weight.raw_data) or weight.ByteSize()) > _HEAVY:
            heavy[weight.name] = weight
            light.graph.initializer.append(stub(weight, location=_ELSEWHERE))
        else:
            light.graph.initializer.append(weight)
    return light, heavy


def stub(weight: TensorProto, **entries: str) -> TensorProto:
    """The weight's name, type and shape, its data said to be stored elsewhere."""
    from onnx import TensorProto

    tensor = TensorProto(name=weight.name, data_type=weight.data_type, dims=weight.dims, doc_string=weight.doc_string)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def put_back(model: ModelProto, heavy: Mapping[str, TensorProto]) -> None:
    """Fill the stubs of a model, in place."""
    from onnx import TensorProto

    for weight in model.graph.initializer:
        if weight.data_location == TensorProto.EXTERNAL:
            weight.CopyFrom(heavy[weight.name])


def inlined(light: ModelProto, rules: CastRules) -> tuple[ModelProto, str]:
    """The model with its local functions replaced by their nodes, and a sentence about it.

    No schema describes a local function. One that the rules name stays whole, and so stays in float32.
    """
    from onnx import inliner

    if not light.functions:
        return light, ""
    called = {
        (node.domain, node.op_type)
        for nodes in (light.graph.node, *(function.node for function in light.functions))
        for node in nodes
        if node.op_type in rules.keep_ops or is_named(node, rules.keep_nodes)
    }
    whole = [(f.domain, f.name) for f in light.functions if (f.domain, f.name) in called]
    result: ModelProto = inliner.inline_selected_functions(light, whole, exclude=True)
    gone = len(light.functions) - len(result.functions)
    return result, f"local functions were inlined, {gone} in all" if gone else ""


def element_types(light: ModelProto) -> Mapping[str, int | None]:
    """The element type of every value in the main graph, ``None`` for sequences, maps and optional values.

    Raises :class:`StepError` when the model is too large for inference even without its initializers.
    """
    return graph_types(inferred(light).graph)


def inferred(light: ModelProto) -> ModelProto:
    """The model with what ONNX infers about its values, those in bodies included. Raises as :func:`element_types`."""
    from google.protobuf.message import EncodeError
    from onnx import shape_inference

    try:
        result: ModelProto = shape_inference.infer_shapes(light, data_prop=True)
    except (ValueError, EncodeError) as error:
        raise StepError(
            f"ONNX could not infer the types of the values: {error}",
            hint="If the model holds more than 2 GiB in Constant nodes, export it with its weights as initializers.",
        ) from error
    return result


def graph_types(graph: GraphProto) -> Mapping[str, int | None]:
    """The element types that a graph declares for its values and weights, ``None`` for what is no tensor."""
    types: dict[str, int | None] = {weight.name: weight.data_type for weight in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        tensor = value.type.HasField("tensor_type") and value.type.tensor_type.elem_type
        types[value.name] = tensor or None
    return types


def opsets(light: ModelProto) -> Mapping[str, int]:
    """The version of each operator domain that the model imports; ONNX's own domain is ``""``."""
    return {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in light.opset_import}


def raised(light: ModelProto) -> ModelProto | None:
    """The model at opset 22 as ONNX's version converter writes it; ``None`` when it cannot convert this one."""
    from onnx import version_converter

    stubs = {weight.name: weight for weight in light.graph.initializer}
    if light.functions:  # the converter drops them
        return None
    try:
        converted: ModelProto = version_converter.convert_version(light, BFLOAT16_OPSET)
    except (RuntimeError, ValueError):
        return None
    result = copy_without(light, "graph", "opset_import")
    result.opset_import.extend(converted.opset_import)
    # Of the graph the converter may only have changed what it had to: stubs lose their mark, outputs their symbols.
    result.graph.CopyFrom(copy_without(light.graph, "node", "initializer"))
    result.graph.node.extend(converted.graph.node)
    for weight in converted.graph.initializer:
        result.graph.initializer.append(stubs.get(weight.name, weight))
    return None if complaint(result) else result


def complaint(light: ModelProto) -> str:
    """The first line of what ONNX's full checker says about a model whose heavy weights are stubs; ``""``: nothing.

    The checker would look for the stubs' files, so it sees inputs of the same type in their place.
    """
    from onnx import TensorProto, checker, helper, shape_inference

    model = copy_without(light, "graph")
    model.graph.CopyFrom(copy_without(light.graph, "initializer"))
    inputs = {value.name for value in light.graph.input}
    for weight in light.graph.initializer:
        if weight.data_location != TensorProto.EXTERNAL:
            model.graph.initializer.append(weight)
        elif weight.name not in inputs:
            model.graph.input.append(helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims))
    try:
        checker.check_model(model, full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError, RuntimeError, ValueError) as error:
        return first_line(error)
    return ""
