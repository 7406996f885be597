"""A numeric precision: its name, and what its rounding can explain."""

from __future__ import annotations

import math

from navcore.errors import InputError


class Precision(str):
    """The name of a precision, which carries the bounds that a format of that precision is held to.

    ``relative_l2`` bounds the relative L2 difference of floating-point outputs, ``differing`` the share of elements
    that are not equal in integer and boolean ones; both are between 0 and 1. It is a string in every other respect, so
    a format with ``precision=Precision("int4", relative_l2=0.2, differing=0.2)`` is found by ``"int4"``.
    The names of navcore's own table (``fp32``, ``fp16`` …) need no value of this kind. Raises :class:`InputError` for
    an empty name, or a bound that is out of range.
    """

    __slots__ = ("differing", "relative_l2")

    relative_l2: float
    differing: float

    def __new__(cls, name: str, relative_l2: float, differing: float) -> Precision:
        """A name with its bounds."""
        if not name or not all(math.isfinite(bound) and 0 <= bound <= 1 for bound in (relative_l2, differing)):
            raise InputError(
                f"Precision({name!r}, {relative_l2}, {differing}) is none.",
                hint="It needs a name, and two bounds between 0 and 1.",
            )
        self = super().__new__(cls, name)
        object.__setattr__(self, "relative_l2", float(relative_l2))
        object.__setattr__(self, "differing", float(differing))
        return self

    def __reduce__(self) -> tuple[type[Precision], tuple[str, float, float]]:
        return Precision, (str(self), self.relative_l2, self.differing)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("A Precision cannot be changed.")

    def __repr__(self) -> str:
        return f"Precision({str(self)!r}, relative_l2={self.relative_l2:g}, differing={self.differing:g})"
