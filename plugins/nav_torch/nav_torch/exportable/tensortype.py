"""Say what a tensor looks like: its axes by name, number or example, and its dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from nav_torch.exportable.hooks import told_kind
from navcore import InputError

BATCH = "batch"
Dim = str | int | None
_MOVING_KINDS = (BATCH, "time", "width", "height")


@attrs.frozen(init=False)
class TensorType:
    """The axes of a tensor, and its dtype: ``TensorType("batch", 80, "time", dtype="float32")``.

    A name is a dynamic axis, and equal names in one model mean equal sizes; a number is a fixed size; ``None`` is a
    fixed size that the example tells. ``dtype`` is a name such as ``"int64"``; ``None`` takes the example's.
    ``optional`` says that an example may go without this input. ``axes=None`` (of a type that tells no axes) takes all
    sizes from the example. ``loose`` is a type of NeMo's, whose batch axes are equal only where the example's are.

    Raises :class:`InputError` for an axis that is none of these.
    """

    axes: tuple[Dim, ...] | None = None
    dtype: str | None = None
    optional: bool = False
    loose: bool = attrs.field(default=False, eq=False, repr=False)

    def __init__(self, *axes: Dim, dtype: Any = None, optional: bool = False) -> None:
        for axis in axes:
            _refuse_bad_axis(axis)
        self.__attrs_init__(axes, _dtype_name(dtype), bool(optional))

    def __str__(self) -> str:
        axes = "of any shape" if self.axes is None else f"[{', '.join(_told(axis) for axis in self.axes)}]"
        return f"{self.dtype} {axes}" if self.dtype else axes

    @property
    def named_axes(self) -> dict[int, str]:
        """The names of the dynamic axes by their number."""
        return {axis: name for axis, name in enumerate(self.axes or ()) if isinstance(name, str)}


def _told(axis: Dim) -> str:
    return "?" if axis is None else str(axis)


def _refuse_bad_axis(axis: Any) -> None:
    number = isinstance(axis, int) and not isinstance(axis, bool) and axis >= 0
    if axis is None or number or (isinstance(axis, str) and axis.isidentifier()):
        return
    raise InputError(
        f"An axis of a TensorType is {axis!r}.",
        hint="Give a name such as 'batch' for a dynamic axis, a size for a fixed one, or None for the example's.",
    )


def _dtype_name(dtype: Any) -> str | None:
    """``"float32"`` for that text, ``torch.float32`` and ``numpy.float32`` alike."""
    if dtype is None:
        return None
    name = dtype.__name__ if isinstance(dtype, type) else getattr(dtype, "name", None) or str(dtype)
    return str(name).removeprefix("torch.")


def as_tensor_type(value: Any, tensor: str = "") -> TensorType | tuple[TensorType, ...]:
    """What a value of ``input_types`` or ``output_types`` means; a tuple of types for a nested structure of tensors.

    Accepted are a :class:`TensorType`, axes as a tuple ``("batch", 80, "time")`` or as text ``"batch 80 time"``
    (``?`` is the example's size), a sequence of types, and any object with ``axes`` whose items have ``kind.name``, as
    NeMo's NeuralType. Such types say nothing about which axes are equal, so their axes other than the batch get names
    of their own, made with ``tensor``.

    Raises :class:`InputError` for anything else.
    """
    if isinstance(value, TensorType):
        return value
    if isinstance(value, str):
        return TensorType(*(_axis_of_text(part) for part in value.split()))
    if isinstance(value, Sequence):
        if all(axis is None or isinstance(axis, int) or _is_word(axis) for axis in value):
            return TensorType(*value)
        parts = [as_tensor_type(part, f"{tensor}_{number}") for number, part in enumerate(value, 1)]
        return tuple(one for part in parts for one in ((part,) if isinstance(part, TensorType) else part))
    if hasattr(value, "axes"):
        return _type_of_kinds(value, tensor)
    raise InputError(
        f"The type of {tensor or 'a tensor'!r} is {told_kind(value)}.",
        hint="Give a nav_torch.TensorType, a tuple of axes, or text such as 'batch 80 time'.",
    )


def types_of_parts(value: Any, name: str, count: int) -> list[TensorType]:
    """The types of the ``count`` tensors of a nested one that is declared as ``value``; one type counts for all."""
    declared = as_tensor_type(value, name)
    if count == 1 and isinstance(declared, TensorType):
        return [declared]
    if isinstance(declared, TensorType) or len(declared) == 1:
        only = value[0] if isinstance(value, Sequence) and not isinstance(declared, TensorType) else value
        every = [as_tensor_type(only, f"{name}_{number}") for number in range(1, count + 1)]
        return [one for one in every if isinstance(one, TensorType)]
    return list(declared)


def _is_word(axis: Any) -> bool:
    return isinstance(axis, str) and len(axis.split()) <= 1


def _axis_of_text(part: str) -> Dim:
    if part == "?":
        return None
    return int(part) if part.isdecimal() else part


def _type_of_kinds(value: Any, tensor: str) -> TensorType:
    names: list[Dim] = []
    for axis in value.axes or ():
        kind = str(axis.kind.name).lower()
        name = kind if kind == BATCH else f"{tensor}_{kind}".lstrip("_")
        while name != BATCH and name in names:
            name += "_"
        names.append(name if kind in _MOVING_KINDS else None)
    told = TensorType(*names, optional=getattr(value, "optional", False))
    object.__setattr__(told, "loose", True)
    return told if value.axes else without_axes(told)


def without_axes(known: TensorType) -> TensorType:
    """The same type, silent about the axes."""
    silent = TensorType(dtype=known.dtype, optional=known.optional)
    object.__setattr__(silent, "axes", None)
    return silent


UNTYPED = without_axes(TensorType())
"""The type of a tensor of which nothing was said."""
