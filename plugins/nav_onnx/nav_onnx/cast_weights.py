"""The weights of a model in a 16-bit float, or why a weight does not fit into one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from nav_onnx.cast_rules import BITS, Low

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

_TOLERATED_LOSS = 0.01  # share of the nonzero elements that may vanish; a lone epsilon of 1e-12 is all of its tensor


@attrs.frozen
class LowWeights:
    """``tensors`` are the weights that fit, under their own names; ``refused`` the others with the reason.

    ``beyond`` are those among the refused that are too large: what is computed from them may be too large as well.
    """

    tensors: Mapping[str, TensorProto]
    refused: Mapping[str, str]
    beyond: frozenset[str]


def low_weights(weights: Iterable[TensorProto], low: Low, max_magnitude: float | None) -> LowWeights:
    """Round float32 tensors to the nearest number of ``low`` (IEEE 754 half precision, or bfloat16).

    A tensor is refused when a finite element exceeds the type's range or ``max_magnitude``, and when more than one in
    a hundred of its nonzero elements would become zero.
    """
    tensors: dict[str, TensorProto] = {}
    refused: dict[str, str] = {}
    beyond: set[str] = set()
    for weight in weights:
        values = _array(weight)
        rounded = _rounded(values, low)
        largest = float(np.max(np.abs(values), where=np.isfinite(values), initial=0.0))
        overflows = bool(np.any(np.isfinite(values) & ~np.isfinite(rounded)))
        if overflows or (max_magnitude is not None and largest > max_magnitude):
            limit = f"{low}'s range" if overflows else f"the limit of {max_magnitude:g}"
            refused[weight.name] = f"the weight {weight.name!r} reaches {largest:.3g}, beyond {limit}"
            if overflows:
                beyond.add(weight.name)
        elif lost := _lost(values, rounded):
            refused[weight.name] = f"{lost} in the weight {weight.name!r} would become zero in {low}"
        else:
            tensors[weight.name] = _tensor(weight, rounded, low)
    return LowWeights(tensors, refused, frozenset(beyond))


def _array(weight: TensorProto) -> np.ndarray[Any, np.dtype[np.float32]]:
    from onnx import numpy_helper

    values: np.ndarray[Any, np.dtype[np.float32]] = numpy_helper.to_array(weight)
    return values


def _rounded(values: np.ndarray[Any, Any], low: Low) -> np.ndarray[Any, Any]:
    import ml_dtypes

    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return values.astype(np.float16 if low == "float16" else ml_dtypes.bfloat16)


def _lost(values: np.ndarray[Any, Any], rounded: np.ndarray[Any, Any]) -> str:
    nonzero = int(np.count_nonzero(values))
    vanished = nonzero - int(np.count_nonzero(rounded))
    if vanished <= nonzero * _TOLERATED_LOSS:
        return ""
    return f"{vanished} of {nonzero} numbers" if nonzero > 1 else f"{float(values[values != 0].item()):.3g}"


def _tensor(weight: TensorProto, rounded: np.ndarray[Any, Any], low: Low) -> TensorProto:
    from onnx import TensorProto

    return TensorProto(
        name=weight.name,
        dims=weight.dims,
        data_type=TensorProto.DataType.Value(BITS[low]),
        raw_data=rounded.tobytes(),
        doc_string=weight.doc_string,
    )


def constant_tensor(node: NodeProto) -> TensorProto | None:
    """The float32 tensor that a ``Constant`` or ``ConstantOfShape`` holds, under its output's name, or ``None``."""
    from onnx import TensorProto, helper

    ours = node.op_type in ("Constant", "ConstantOfShape") and node.domain in ("", "ai.onnx")
    if not ours or len(node.attribute) != 1:
        return None
    (attribute,) = node.attribute
    name = node.output[0]
    if attribute.name == "value_float":
        return helper.make_tensor(name, TensorProto.FLOAT, [], [attribute.f])
    if attribute.name == "value_floats":
        return helper.make_tensor(name, TensorProto.FLOAT, [len(attribute.floats)], attribute.floats)
    if attribute.name != "value" or attribute.t.data_type != TensorProto.FLOAT:
        return None
    tensor = TensorProto()
    tensor.CopyFrom(attribute.t)
    tensor.name = name
    return tensor
