"""Turn named tensors and the names of their axes into a signature, and the wish for other sizes into other inputs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nav_torch.exportable.naming import Named
from nav_torch.exportable.tensortype import BATCH
from nav_torch.relations import Relation, related, relation_of
from navcore import Axis, Feeds, InputError, OptionError, SourceError, TensorSpec

if TYPE_CHECKING:
    import numpy as np


def refuse_bad_shapes(tensors: Sequence[Named], origin: str) -> None:
    """Raise :class:`InputError` for a tensor whose rank, fixed sizes or dtype are not the declared ones.

    ``origin`` says where the types come from.
    """
    for one in tensors:
        axes, shape = one.type.axes, one.array.shape
        problem = "has another dtype" if one.type.dtype not in (None, one.array.dtype.name) else ""
        if axes is not None and len(axes) != len(shape):
            problem = f"has {len(shape)} axes"
        elif axes is not None:
            wrong = [(axis, size) for axis, size in zip(axes, shape, strict=True) if type(axis) is int and axis != size]
            problem = f"is {wrong[0][1]} long where {wrong[0][0]} is declared" if wrong else problem
        if problem:
            raise InputError(
                f"{origin} declares {one.name!r} as {one.type}, but it {problem}: it is {one.array.dtype.name} "
                f"{list(shape)}.",
                hint="Correct the declared type, or the example.",
            )


def specs_of(tensors: Iterable[Named], names: Mapping[str, Mapping[int, str]]) -> tuple[TensorSpec, ...]:
    """Every tensor with its ``names`` of dynamic axes, and the example's size for any other axis."""
    return tuple(
        TensorSpec(one.name, one.array.dtype.name,
                   tuple(names.get(one.name, {}).get(axis, size) for axis, size in enumerate(one.array.shape)))
        for one in tensors
    )  # fmt: skip


def sizes_of(specs: Sequence[TensorSpec], arrays: Feeds, taken: Mapping[str, int] | None = None) -> dict[str, int]:
    """The size of every symbol; of axes that follow from another (``4*time``) the size of that one, their root.

    ``taken`` are sizes that are known already. Raises :class:`InputError` where one symbol has two sizes.
    """
    sizes = dict(taken or {})
    first: dict[str, str] = {}
    for spec in specs:
        for axis, symbol in enumerate(spec.shape):
            if not isinstance(symbol, str):
                continue
            size, rule = arrays[spec.name].shape[axis], relation_of(symbol)
            root = rule.root_size(size)
            if root is None:
                raise InputError(f"Axis {symbol!r} is {size} long in {spec.name!r}, which no {rule.root} gives.")
            if sizes.setdefault(rule.root, root) != root:
                other, wanted = first.get(rule.root, "another tensor"), rule.size(sizes[rule.root])
                if not rule.plain:
                    raise InputError(
                        f"Axis {symbol!r} has to be {wanted} long by {other}, and is {size} in {spec.name!r}."
                    )
                raise InputError(
                    f"Axis {symbol!r} is {wanted} long in {other} and {size} in {spec.name!r}.",
                    hint="Equal names mean equal sizes: name axes apart that can differ.",
                )
            first.setdefault(rule.root, repr(spec.name))
    return sizes


def axes_of(
    specs: Sequence[TensorSpec], sizes: Mapping[str, int], ranges: Mapping[str, Any] | None
) -> tuple[Axis, ...]:
    """Every symbol of the tensors as a declared axis; ``sizes`` and ``ranges`` are those of the roots.

    Without a range an axis only has to move at all: from the example's size to the next. Raises :class:`OptionError`
    for a range of an unknown axis, or one that leaves the example out.
    """
    strangers = [symbol for symbol in ranges or {} if symbol not in sizes]
    if strangers:
        raise OptionError(
            f"axis_ranges names {', '.join(map(repr, strangers))}, which is no dynamic axis of an input.",
            hint=f"Dynamic axes: {', '.join(sizes) or 'none'}.",
        )
    axes = {symbol: _axis(symbol, size, (ranges or {}).get(symbol)) for symbol, size in sizes.items()}
    symbols = dict.fromkeys(_symbols(specs))
    following = []
    for symbol, rule in related(symbols).items():
        root = axes[rule.root]
        low, typical, high = (max(0, rule.size(size)) for size in (root.minimum, root.typical, root.maximum))
        following.append(Axis(symbol, low, typical, high, declared=True))
    return (*(axis for symbol, axis in axes.items() if symbol in symbols), *following)


def _symbols(specs: Iterable[TensorSpec]) -> list[str]:
    return [symbol for spec in specs for symbol in spec.shape if isinstance(symbol, str)]


def _axis(symbol: str, size: int, given: Any) -> Axis:
    if given is None:
        return Axis(symbol, size, size, size + 1, declared=True)
    if not isinstance(given, Sequence) or len(given) != 3 or not all(isinstance(one, int) for one in given):
        raise OptionError(
            f"The range of axis {symbol!r} is {given!r}.", hint="Give (minimum, typical, maximum) in rising order."
        )
    low, typical, high = given
    axis = Axis(symbol, low, typical, high, declared=True)
    if not axis.minimum <= size <= axis.maximum:
        raise OptionError(
            f"Axis {symbol!r} is {size} long in the example, outside of its range {tuple(given)}.",
            hint="Widen the range, or give another example.",
        )
    return axis


def other_sizes(sizes: Mapping[str, int], ranges: Mapping[str, Any] | None) -> list[dict[str, int]]:
    """Sizes at which to check, the most telling first, each different from the example's along every axis it can be.

    One more for the batch and the double for anything else, which keeps multiples; else half. Inside a given range.
    """

    def clamped(symbol: str, size: int) -> int:
        if not ranges or symbol not in ranges:
            return size
        low, _, high = ranges[symbol]
        inside: int = min(max(size, low), high)
        return int(low) if inside == sizes[symbol] else inside

    grown = {symbol: size + 1 if symbol == BATCH else max(2 * size, 2) for symbol, size in sizes.items()}
    shrunk = {symbol: (size + 1) // 2 for symbol, size in sizes.items()}
    tries = [{symbol: clamped(symbol, size) for symbol, size in one.items()} for one in (grown, shrunk)]
    return [one for one in tries if one != dict(sizes)]


def resized(specs: Sequence[TensorSpec], feeds: Feeds, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The inputs at other sizes. Values are repeated or cut, so that ids and lengths stay valid ones.

    Raises :class:`SourceError` where an axis that follows from another one would be shorter than nothing.
    """
    import numpy as np

    arrays = {}
    for spec in specs:
        array = feeds[spec.name]
        for axis, symbol in enumerate(spec.shape):
            rule = relation_of(symbol) if isinstance(symbol, str) else Relation("")
            if rule.root not in sizes:
                continue
            size = rule.size(sizes[rule.root])
            if size < 0:
                raise SourceError(f"With {rule.root} {sizes[rule.root]}, axis {symbol!r} of {spec.name!r} has no size.")
            if array.shape[axis] == 0:
                array = np.zeros((*array.shape[:axis], size, *array.shape[axis + 1 :]), array.dtype)
            else:
                array = np.take(array, np.arange(size) % array.shape[axis], axis=axis)
        arrays[spec.name] = array
    return arrays


def without_empty(
    specs: Sequence[TensorSpec], feeds: Feeds, ranges: Mapping[str, Any] | None
) -> dict[str, np.ndarray] | None:
    """The inputs with something along every dynamic axis that is zero long; ``None`` where none is, or may be longer.

    A capture takes a size of zero for a constant. Each such axis gets a size that nothing else has, so that it is not
    taken for another axis either. A size of 1 is a constant, too; exporters lengthen such axes one by one, so here
    only those are grown from which others follow.
    """
    taken = {size for spec in specs for size in feeds[spec.name].shape}
    least: dict[str, int] = {}
    for rule in related(_symbols(specs)).values():
        least[rule.root] = max(2, least.get(rule.root, 2), -((rule.offset - 2) // rule.factor))
    grown: dict[str, int] = {}
    for symbol, size in sizes_of(specs, feeds).items():
        free = next(other for other in itertools.count(least.get(symbol, 2)) if other not in taken)
        wanted = min(free, ranges[symbol][2]) if ranges and symbol in ranges else free
        if size < least.get(symbol, 1) and wanted > size:
            grown[symbol] = wanted
            taken.add(wanted)
    return resized(specs, feeds, grown) if grown else None


def told_sizes(sizes: Mapping[str, Any]) -> str:
    """``batch 3, time 24`` for a sentence."""
    return ", ".join(f"{symbol} {size}" for symbol, size in sizes.items())
