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
_PIECE = 1 << 18  # numbers
_LARGEST_BFLOAT16 = (2 - 2**-7) * 2.0**127  # 8 bits of mantissa, the hidden one among them, and float32's exponents
_WITHOUT_SIGN = np.uint16(0x7FFF)  # of either 16-bit type: only zeros have no other bit


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
        rounded, fit = _round(weight, low)
        if fit.overflows or (max_magnitude is not None and fit.largest > max_magnitude):
            limit = f"{low}'s range" if fit.overflows else f"the limit of {max_magnitude:g}"
            refused[weight.name] = f"the weight {weight.name!r} reaches {fit.largest:.3g}, beyond {limit}"
            if fit.overflows:
                beyond.add(weight.name)
        elif fit.vanished > fit.nonzero * _TOLERATED_LOSS:
            lost = f"{fit.vanished} of {fit.nonzero} numbers" if fit.nonzero > 1 else f"{fit.largest:.3g}"
            refused[weight.name] = f"{lost} in the weight {weight.name!r} would become zero in {low}"
        else:
            tensors[weight.name] = _tensor(weight, rounded, low)
    return LowWeights(tensors, refused, frozenset(beyond))


def largest(low: Low) -> float:
    """The largest finite number of ``low``: 65504 for float16, 3.39e38 for bfloat16."""
    return float(np.finfo(np.float16).max) if low == "float16" else _LARGEST_BFLOAT16


def exceeds(weight: TensorProto, low: Low) -> bool:
    """Whether a float32 tensor has a finite element that is too large for ``low``."""
    return _round(weight, low)[1].overflows


@attrs.frozen
class _Fit:
    """The largest finite absolute value, and how many numbers are not zero before, and zero only after rounding."""

    largest: float
    overflows: bool
    nonzero: int
    vanished: int


def _round(weight: TensorProto, low: Low) -> tuple[np.ndarray[Any, Any], _Fit]:
    """The numbers in ``low``, flat. Worked on in pieces: temporaries as large as a weight cost most of the time."""
    import ml_dtypes
    from onnx import numpy_helper

    dtype = np.dtype(np.float16 if low == "float16" else ml_dtypes.bfloat16)
    values = numpy_helper.to_array(weight).reshape(-1)
    rounded = np.empty(values.shape, dtype)
    largest, nonzero, left = 0.0, 0, 0
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for start in range(0, values.size, _PIECE):
            piece = values[start : start + _PIECE]
            lowered = rounded[start : start + _PIECE]
            lowered[...] = piece.astype(dtype)
            magnitudes = np.abs(piece)
            top = float(magnitudes.max())
            if not np.isfinite(top):
                top = float(magnitudes.max(where=np.isfinite(piece), initial=0.0))
            largest = max(largest, top)
            nonzero += int(np.count_nonzero(piece))
            left += int(np.count_nonzero(lowered.view(np.uint16) & _WITHOUT_SIGN))
        overflows = not np.isfinite(np.float32(largest).astype(dtype))  # rounding never changes an order
    return rounded, _Fit(largest, bool(overflows), nonzero, nonzero - left)


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
