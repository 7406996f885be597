"""Numeric precisions: how far an export may be from its source, per precision; the one table, with its reasons.

A bound is what the rounding of that precision can explain in a sound export of a deep model, not what one operation
does. Unit round-off u is half the distance between neighbouring numbers near one; errors of n roundings that do not
conspire grow like √n·u, and layers amplify them by a small factor.

=========  ============  =========  =============================================================================
precision  relative L2   differing  reason
=========  ============  =========  =============================================================================
fp64       1e-9          0          u = 1.1e-16. Nothing but another order of summation: seven digits to spare, yet
                                    far below fp32, so that a float32 detour inside a float64 model is seen.
fp32       1e-4          1e-3       u = 6e-8. Another order of summation and fused operations give 1e-7 to 1e-5 in
                                    deep networks. A near formula is just above: GELU by tanh for erf was measured
                                    at 2e-4 alone and at 1.7e-4 after six transformer layers.
tf32       5e-3          5e-3       u = 4.9e-4: products of numbers of 10 bits, sums in float32.
fp16       1e-2          1e-2       u = 4.9e-4: as tf32, and every intermediate result is rounded too.
bf16       5e-2          5e-2       u = 3.9e-3: 7 bits. Measured on networks of usual depth: 0.4 to 2.8 %.
int8       1e-1          1e-1       256 levels per tensor or channel. A coarser result is a matter of accuracy on the
                                    task, which the user has to judge: a metric with a bound decides where there is one
                                    (``verified_when``), ``atol``/``rtol`` accept it elsewhere.
fp8        1e-1          1e-1       u = 6 % (e4m3) or 12 % (e5m2) per number; errors average out in sums.
=========  ============  =========  =============================================================================

``relative L2`` holds for floating-point outputs; ``differing``, the share of elements that are not equal, for
integer and boolean outputs, where a rounding moves an argmax or a threshold now and then.
A plugin brings a precision that is not in the table as a value, :class:`Precision`, in a format that it declares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from navcore.contract.names import Name
from navcore.errors import InputError


class Precision(Name):
    """The name of a precision, which carries the bounds that a format of that precision is held to.

    ``relative_l2`` bounds the relative L2 difference of floating-point outputs, ``differing`` the share of elements
    that are not equal in integer and boolean ones; both are between 0 and 1. It is a name in every other respect, so
    a format with ``precision=Precision("int4", relative_l2=0.2, differing=0.2)`` is found by ``"int4"``.
    ``quantised`` says that it computes with integers that stand for steps of a scale, so that a metric of the user's,
    where one has a bound, judges such a row in place of the numbers.
    The names of navcore's own table (``fp32``, ``fp16`` …) need no value of this kind. Raises :class:`InputError` for
    what cannot be a name, or a bound that is out of range.
    """

    __slots__ = ("differing", "quantised", "relative_l2")

    relative_l2: float
    differing: float
    quantised: bool

    def __new__(cls, name: str, relative_l2: float, differing: float, quantised: bool = False) -> Precision:
        """A name with its bounds."""
        if not all(_is_share(bound) for bound in (relative_l2, differing)):
            raise InputError(
                f"Precision({str(name)!r}, {relative_l2!r}, {differing!r}) is none.",
                hint="It needs a name, and two bounds between 0 and 1.",
            )
        if not isinstance(quantised, bool):
            raise InputError(
                f"Precision({str(name)!r}, …, quantised={quantised!r}) is none.", hint="Give True or False."
            )
        self = super().__new__(cls, str(name) if isinstance(name, str) else name)
        object.__setattr__(self, "relative_l2", float(relative_l2))
        object.__setattr__(self, "differing", float(differing))
        object.__setattr__(self, "quantised", quantised)
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """Both bounds."""
        return self.relative_l2, self.differing

    def __reduce__(self) -> tuple[type[Precision], tuple[str, float, float, bool]]:
        return Precision, (str(self), self.relative_l2, self.differing, self.quantised)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("A Precision cannot be changed.")

    def __repr__(self) -> str:
        quantised = ", quantised=True" if self.quantised else ""
        return f"Precision({str(self)!r}, relative_l2={self.relative_l2:g}, differing={self.differing:g}{quantised})"


def _is_share(bound: object) -> bool:
    return isinstance(bound, int | float) and math.isfinite(bound) and 0 <= bound <= 1


BOUNDS: Mapping[str, Precision] = MappingProxyType(
    {
        "fp64": Precision("fp64", 1e-9, 0.0),
        "fp32": Precision("fp32", 1e-4, 1e-3),
        "tf32": Precision("tf32", 5e-3, 5e-3),
        "fp16": Precision("fp16", 1e-2, 1e-2),
        "bf16": Precision("bf16", 5e-2, 5e-2),
        "int8": Precision("int8", 1e-1, 1e-1, quantised=True),
        "fp8": Precision("fp8", 1e-1, 1e-1),
    }
)
_BY_DTYPE = MappingProxyType(
    {
        "float128": "fp64",
        "float64": "fp64",
        "float32": "fp32",
        "float16": "fp16",
        "bfloat16": "bf16",
        "complex256": "fp64",
        "complex128": "fp64",
        "complex64": "fp32",
    }
)


def bound_of(name: str) -> Precision:
    """The bounds of a precision: its own where a plugin declared them, else the table's."""
    return name if isinstance(name, Precision) else BOUNDS[name]


def is_quantised(name: str | None) -> bool:
    """Whether a precision is one of integers, which a metric of the user's may judge."""
    known = known_precision(name)
    return known is not None and bound_of(known).quantised


def known_precision(name: str | None) -> str | None:
    """The name in the table for ``name`` (``float32`` is ``fp32``), or ``None`` when the table has no such row.

    A :class:`Precision` of a plugin's own brings its row with it.
    """
    if name is None or isinstance(name, Precision):
        return name
    lowered = name.lower()
    return lowered if lowered in BOUNDS else precision_of(lowered)


def precision_of(dtype: str) -> str | None:
    """The precision that an array of this dtype can carry; ``None`` for integers, booleans and text."""
    if dtype.startswith(("float8_", "float6_", "float4_")):
        return "fp8"
    return _BY_DTYPE.get(dtype)
