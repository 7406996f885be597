"""Which nodes of a graph may compute in a 16-bit float: the lists by operator, and what an operator's schema allows.

Every published version of an operator lists the element types of each of its type variables
(https://github.com/onnx/onnx/blob/main/docs/Operators.md); ``onnx.defs`` holds the same table.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import attrs

from navcore import OptionError
from navcore.contract import harmless

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto
    from onnx.defs import OpSchema

Low = Literal["float16", "bfloat16"]
BITS: Mapping[str, str] = {"float16": "FLOAT16", "bfloat16": "BFLOAT16"}
"""The 16-bit floats, and what ``TensorProto`` calls them."""

KEPT_OPS: Mapping[str, str] = {
    "Resize": "interpolates at coordinates",
    "Upsample": "interpolates at coordinates",
    "GridSample": "interpolates at coordinates",
    "AffineGrid": "makes coordinates",
    "RoiAlign": "interpolates at coordinates",
    "MaxRoiPool": "pools at coordinates",
    "NonMaxSuppression": "compares coordinates",
    "Range": "counts, and 16 bits count to 2048 at most",
    "CumSum": "adds up without end",
    "CumProd": "multiplies up without end",
    "Sin": "takes an angle, which may be large",
    "Cos": "takes an angle, which may be large",
    "Tan": "takes an angle, which may be large",
    "Bernoulli": "draws random numbers",
    "Multinomial": "draws random numbers",
    "RandomNormal": "draws random numbers",
    "RandomNormalLike": "draws random numbers",
    "RandomUniform": "draws random numbers",
    "RandomUniformLike": "draws random numbers",
    "QuantizeLinear": "belongs to the model's quantization",
    "DequantizeLinear": "belongs to the model's quantization",
    "DynamicQuantizeLinear": "belongs to the model's quantization",
}
"""Operators that stay in float32 wherever they stand, and why."""

TYPED_BY_HAND = frozenset({"Cast", "CastLike", "Constant"})
"""Operators whose output type the model's author wrote down: never changed, and not worth a line in a report."""

EXACT_INPUTS: Mapping[str, int] = {
    "Sin": 0, "Cos": 0, "Tan": 0, "Range": 0, "NonMaxSuppression": 0, "AffineGrid": 0,
    "Resize": 1, "Upsample": 1, "GridSample": 1, "RoiAlign": 1, "MaxRoiPool": 1,
}  # fmt: skip
"""From which input on an operator needs all digits: angles, coordinates, sizes. What computes them stays in float32."""

MOVERS = frozenset({
    "Compress", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity",
    "Pad", "Reshape", "ReverseSequence", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose",
    "Unsqueeze",
})  # fmt: skip
"""Operators that only move values: not a bit is saved by casting around one that stands between float32 nodes."""

ELEMENTWISE = MOVERS | frozenset({
    "Abs", "Add", "Ceil", "Clip", "Div", "Exp", "Floor", "Log", "Max", "Min", "Mod", "Mul", "Neg", "Pow",
    "Reciprocal", "Round", "Sqrt", "Sub", "Sum", "Where",
})  # fmt: skip
"""Operators through which exactness is traced back to its origin."""

CONTRACTIONS = frozenset({
    "Conv", "ConvInteger", "ConvTranspose", "DeformConv", "Einsum", "Gemm", "GRU", "LSTM", "MatMul", "RNN",
})  # fmt: skip
BOUNDED = frozenset({
    "Clip", "Cos", "Erf", "GroupNormalization", "HardSigmoid", "HardTanh", "Hardmax", "InstanceNormalization",
    "LayerNormalization", "LpNormalization", "MeanVarianceNormalization", "RMSNormalization", "Sigmoid", "Sign",
    "Sin", "Softmax", "Softsign", "Tanh",
})  # fmt: skip
"""Operators whose outputs are moderate although an input is beyond the 16-bit range."""

FLOATLESS = frozenset({
    "And", "ArgMax", "ArgMin", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "NonZero",
    "Not", "Or", "Shape", "Size", "Xor",
})  # fmt: skip
"""Operators that give no float, whatever they take: comparisons, logic, shapes and positions."""

DECIDING = (ELEMENTWISE | FLOATLESS | frozenset({
    "Cast", "CastLike", "ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
    "ReduceSumSquare", "Sign",
})) - {"NonZero"}  # fmt: skip
"""Operators through which a branch's condition and a loop's turns are traced back to the model's inputs."""

STEERING: Mapping[str, int] = {"If": 1, "Loop": 2}
"""Control flow, and how many of its inputs decide which nodes run."""


def _names(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise OptionError(f"A list of names is needed, not the text {value!r}.", hint=f"Write ({value!r},).")
    names = tuple(value)
    for name in names:
        if not isinstance(name, str) or not name:
            raise OptionError(f"{name!r} is no name of a node or operator.")
    return names


def _positive(_rules: CastRules, _attribute: attrs.Attribute[float | None], value: float | None) -> None:
    if value is not None and not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
        raise OptionError(f"max_magnitude is {value!r}.", hint="Give a positive number, or None for the type's range.")


@attrs.frozen
class CastRules:
    """What stays in float32 by the user's wish.

    ``keep_nodes`` are names of nodes, ``keep_ops`` operator types such as ``"Softmax"``. A node is kept as well when
    one of its weights is larger than ``max_magnitude`` (absolute value), or on one of the user's samples a number that
    it takes or gives; ``None`` is the largest number of the 16-bit type.
    Raises :class:`OptionError` for values that cannot be meant.
    """

    keep_nodes: tuple[str, ...] = attrs.field(default=(), converter=_names)
    keep_ops: tuple[str, ...] = attrs.field(default=(), converter=_names)
    max_magnitude: float | None = attrs.field(default=None, validator=_positive, metadata=harmless(1e-6, 3.4e38))


def refuse_bad_rules(rules: CastRules, model: ModelProto, nodes: Iterable[NodeProto]) -> None:
    """Refuse names that nothing goes by. ``nodes`` are all nodes of the model, those in subgraphs included.

    Raises :class:`OptionError` naming the nearest name that exists. An operator that ONNX knows and this model does
    not use is no mistake: one set of rules may serve several models.
    """
    from onnx import defs

    nodes = tuple(nodes)
    names = {node.name for node in nodes} | {_label_output(node) for node in nodes}
    operators = {node.op_type for node in nodes} | {function.name for function in model.functions}
    operators.update(schema.name for schema in defs.get_all_schemas())
    for kind, wanted, known in (("node", rules.keep_nodes, names), ("operator", rules.keep_ops, operators)):
        for name in wanted:
            if name not in known:
                near = difflib.get_close_matches(name, sorted(known - {""}), n=1, cutoff=0.0 if kind == "node" else 0.6)
                raise OptionError(
                    f"No {kind} is called {name!r}, which was to stay in float32.",
                    hint=f"The nearest name is {near[0]!r}." if near else "Netron shows the names in a model.",
                )


def _label_output(node: NodeProto) -> str:
    return node.output[0] if node.output else ""


def is_named(node: NodeProto, names: Iterable[str]) -> bool:
    """Whether a node goes by one of ``names``: its own, or for a node without one the name of its first output."""
    return (node.name or _label_output(node)) in names


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs that a control-flow node holds, one level deep."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def schema_of(node: NodeProto, opsets: Mapping[str, int]) -> OpSchema | None:
    """The operator's definition at the model's opset; ``None`` for custom operators and functions."""
    from onnx import defs

    domain = "" if node.domain == "ai.onnx" else node.domain
    try:
        return defs.get_schema(node.op_type, opsets.get(domain, 0), domain)
    except defs.SchemaError:
        return None


def slots(node: NodeProto, schema: OpSchema) -> Iterator[tuple[bool, str, str | None]]:
    """The node's values as (is an input, name, type variable); the variable is ``None`` where every value has its own.

    Inputs and outputs that the node leaves out are left out here.
    """
    from onnx import defs

    for is_input, names, formal in ((True, node.input, schema.inputs), (False, node.output, schema.outputs)):
        for position, name in enumerate(names):
            if not name or not formal:
                continue
            slot = formal[min(position, len(formal) - 1)]
            mixed = slot.option == defs.OpSchema.FormalParameterOption.Variadic and not slot.is_homogeneous
            yield is_input, name, None if mixed else slot.type_str


def refusal(node: NodeProto, schema: OpSchema, types: Mapping[str, int | None], low: Low) -> str | None:
    """Why the operator's definition does not let this node compute in ``low``, or ``None`` when it does.

    ``types`` are the element types of all tensors, ``None`` for what is no tensor. The node has a float32 value.
    """
    from onnx import TensorProto

    allowed = {item.type_param_str: frozenset(item.allowed_type_strs) for item in schema.type_constraints}
    followed: set[str] = set()
    for is_input, name, variable in slots(node, schema):
        if variable is None:
            return "takes values of mixed types"
        choices = allowed.get(variable, frozenset({variable}))
        element = types.get(name)
        if element is None and any("float" in choice for choice in choices):
            return f"the type of {name!r} is unknown, or it is no tensor"
        if element != TensorProto.FLOAT:
            continue
        if f"tensor({low})" not in choices:
            return f"{node.op_type} of opset {schema.since_version} has no {low} for {name!r}"
        if is_input:
            followed.add(variable)
        elif variable not in followed:
            return f"the type of {name!r} does not follow from its inputs"
    return None
