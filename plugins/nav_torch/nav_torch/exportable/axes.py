"""Turn named tensors and their declared types into a signature, and the wish for other sizes into other inputs."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nav_torch.exportable.hooks import told_kind
from nav_torch.exportable.naming import Named
from nav_torch.relations import Relation, related, relation_of
from navcore import Axis, Feeds, InputError, OptionError, SourceError, TensorSpec

if TYPE_CHECKING:
    import numpy as np

BATCH = "batch"
_AXES = "Give a dict from axis to name, {0: 'batch'}, or a list of axes, [0]."
Explicit = Mapping[str, Mapping[int, str] | Sequence[int]]


def checked_shapes(tensors: Sequence[Named], origin: str) -> None:
    """Raise :class:`InputError` for a tensor whose rank, fixed sizes or dtype are not the declared ones.

    ``origin`` says where the types come from.
    """
    for one in tensors:
        axes, shape = one.type.axes, one.array.shape
        problem = ""
        if axes is not None and len(axes) != len(shape):
            problem = f"has {len(shape)} axes"
        elif axes is not None:
            wrong = [(axis, size) for axis, size in zip(axes, shape, strict=True) if type(axis) is int and axis != size]
            problem = f"is {wrong[0][1]} long where {wrong[0][0]} is declared" if wrong else ""
        if not problem and one.type.dtype not in (None, one.array.dtype.name):
            problem = "has another dtype"
        if problem:
            raise InputError(
                f"{origin} declares {one.name!r} as {one.type}, but it {problem}: it is {one.array.dtype.name} "
                f"{list(shape)}.",
                hint="Correct the declared type, or the example.",
            )


def specs_of(
    tensors: Sequence[Named], *, dynamic: bool, explicit: Explicit | None, only: Sequence[str] | None
) -> tuple[TensorSpec, ...]:
    """Every tensor with a symbol for each dynamic axis and the example's size for any other.

    ``explicit`` replaces what the types tell; an axis that it names by number gets the declared name, or one made
    from the tensor's. ``only`` limits the declared names that are dynamic.
    """
    return tuple(
        TensorSpec(one.name, one.array.dtype.name, _shape(one, _symbols(one, dynamic, explicit, only)))
        for one in tensors
    )


def _shape(one: Named, symbols: Mapping[int, str]) -> tuple[int | str, ...]:
    return tuple(symbols.get(axis, size) for axis, size in enumerate(one.array.shape))


def _symbols(one: Named, dynamic: bool, explicit: Explicit | None, only: Sequence[str] | None) -> dict[int, str]:
    declared = {axis: name for axis, name in enumerate(one.type.axes or ()) if isinstance(name, str)}
    if explicit is None:
        return {axis: name for axis, name in declared.items() if dynamic and (only is None or name in only)}
    asked = explicit.get(one.name)
    if asked is None:
        return {}
    rank = one.array.ndim
    if isinstance(asked, Mapping):
        return {axis_of(one.name, axis, rank): str(name) for axis, name in asked.items()}
    axes = [axis_of(one.name, axis, rank) for axis in asked]
    return {axis: declared.get(axis, f"{one.name}_dynamic_axes_{number}") for number, axis in enumerate(axes, 1)}


def axis_of(name: str, axis: Any, rank: int, origin: str = "dynamic_axes") -> int:
    """The axis counted from the front. Raises :class:`OptionError` for one that a tensor of that rank does not have."""
    if isinstance(axis, bool) or not isinstance(axis, int) or not -rank <= axis < rank:
        raise OptionError(
            f"{origin} names axis {axis!r} of {name!r}, which has {rank} axes.",
            hint=f"They are numbered from 0 to {rank - 1}." if rank else "A scalar has no axis that could move.",
        )
    return axis % rank


def check_explicit(explicit: Explicit | None, names: Sequence[str]) -> None:
    """Raise :class:`OptionError` for a tensor in ``dynamic_axes`` that does not exist, or axes that are none."""
    strangers = [name for name in explicit or {} if name not in names]
    if strangers:
        raise OptionError(
            f"dynamic_axes names {', '.join(map(repr, strangers))}, which is neither an input nor an output.",
            hint=f"They are: {', '.join(names)}.",
        )
    for name, axes in (explicit or {}).items():
        if not isinstance(axes, Collection) or isinstance(axes, str | bytes):
            raise OptionError(f"dynamic_axes has {told_kind(axes)} for {name!r}.", hint=_AXES)
        symbols = list(axes.values()) if isinstance(axes, Mapping) else []
        strange = [symbol for symbol in symbols if not isinstance(symbol, str) or not symbol]
        if strange:
            raise OptionError(f"dynamic_axes calls an axis of {name!r} {strange[0]!r}.", hint=_AXES)


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
                raise _unequal(symbol, rule.size(sizes[rule.root]), size, first.get(rule.root), spec.name)
            first.setdefault(rule.root, repr(spec.name))
    return sizes


def _unequal(symbol: str, wanted: int, size: int, first: str | None, name: str) -> InputError:
    other = first or "another tensor"
    if relation_of(symbol).plain:
        return InputError(
            f"Axis {symbol!r} is {wanted} long in {other} and {size} in {name!r}.",
            hint="Equal names mean equal sizes: name axes apart that can differ.",
        )
    return InputError(f"Axis {symbol!r} has to be {wanted} long by {other}, and is {size} in {name!r}.")


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
    axes: dict[str, Axis] = {}
    for symbol, size in sizes.items():
        given = (ranges or {}).get(symbol)
        if given is None:
            axes[symbol] = Axis(symbol, size, size, size + 1, declared=True)
            continue
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
        axes[symbol] = axis
    symbols = dict.fromkeys(symbol for spec in specs for symbol in spec.shape if isinstance(symbol, str))
    following = [_following(symbol, rule, axes[rule.root]) for symbol, rule in related(symbols).items()]
    return (*(axis for symbol, axis in axes.items() if symbol in symbols), *following)


def _following(symbol: str, rule: Relation, root: Axis) -> Axis:
    low, typical, high = (max(0, rule.size(size)) for size in (root.minimum, root.typical, root.maximum))
    return Axis(symbol, low, typical, high, declared=True)


def other_sizes(sizes: Mapping[str, int], ranges: Mapping[str, Any] | None) -> list[dict[str, int]]:
    """Sizes at which to check, the most telling first, each different from the example's along every axis it can be.

    One more for the batch and the double for anything else, which keeps multiples; else half. Inside a given range.
    """
    grown = {symbol: size + 1 if symbol == BATCH else max(2 * size, 2) for symbol, size in sizes.items()}
    shrunk = {symbol: (size + 1) // 2 for symbol, size in sizes.items()}
    tries = [_clamped(one, sizes, ranges) for one in (grown, shrunk)]
    return [one for one in tries if one != dict(sizes)]


def _clamped(wanted: Mapping[str, int], now: Mapping[str, int], ranges: Mapping[str, Any] | None) -> dict[str, int]:
    clamped = {}
    for symbol, size in wanted.items():
        given = (ranges or {}).get(symbol)
        if given is None:
            clamped[symbol] = size
            continue
        inside = min(max(size, given[0]), given[2])
        clamped[symbol] = given[0] if inside == now[symbol] else inside
    return clamped


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
    for rule in related(symbol for spec in specs for symbol in spec.shape if isinstance(symbol, str)).values():
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
