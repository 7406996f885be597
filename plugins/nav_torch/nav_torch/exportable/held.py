"""Fix the axes that only a kind of NeMo's calls dynamic, and at whose other sizes the model does not run."""

from __future__ import annotations

from collections.abc import Collection

import attrs

from nav_torch.exportable.axes import resized, sizes_of
from nav_torch.exportable.case import Case
from nav_torch.exportable.examples import example_of_other_sizes
from navcore import NavcoreError, Signature, TensorSpec


def with_held_axes(case: Case) -> Case:
    """The case with such axes fixed at the example's size, and a note on them.

    A cache of a streaming encoder has an axis of kind Time, and one length. An axis is held when the model's own
    example of other sizes does not move it, and the model fails where it alone is twice as long.
    """
    asked = [symbol for symbol in case.sizes if symbol in case.loose and symbol not in (case.ranges or {})]
    if not asked:
        return case
    try:
        other = example_of_other_sizes(case)
    except NavcoreError:
        return case
    if other is None:
        return case
    moved = sizes_of(case.signature.inputs, other)
    held = [symbol for symbol in asked if case.sizes[symbol] == moved[symbol] and _fails(case, symbol)]
    return holding(case, held, "the model does not run at other sizes") if held else case


def holding(case: Case, symbols: Collection[str], reason: str) -> Case:
    """The case with these axes fixed at the example's size, and a note that gives the reason."""
    told = ", ".join(f"{symbol!r} fixed at {case.sizes[symbol]}" for symbol in symbols)
    note = f"Exported with {told}, as in the example: {reason}."
    return attrs.evolve(case, signature=_without(case.signature, case.sizes, symbols), notes=(*case.notes, note))


def _fails(case: Case, symbol: str) -> bool:
    size = case.sizes[symbol]
    return size > 1 and not case.takes(resized(case.signature.inputs, case.example, {symbol: 2 * size}))


def _without(signature: Signature, sizes: dict[str, int], held: Collection[str]) -> Signature:
    def fixed(spec: TensorSpec) -> TensorSpec:
        shape = tuple(sizes[size] if isinstance(size, str) and size in held else size for size in spec.shape)
        return attrs.evolve(spec, shape=shape)

    return attrs.evolve(
        signature,
        inputs=tuple(map(fixed, signature.inputs)),
        outputs=tuple(map(fixed, signature.outputs)),
        axes=tuple(axis for axis in signature.axes if axis.symbol not in held),
    )
