"""Give tensors the names and types that a class declares for them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import attrs

from nav_torch.exportable.hooks import class_name, end_module, is_overridden, read_hook, read_names, told_kind
from nav_torch.exportable.inputs import Group, host_array
from nav_torch.exportable.tensortype import BATCH, UNTYPED, TensorType, as_tensor_type, types_of_parts
from nav_torch.live import is_tensor
from nav_torch.restoring import LOGGER_NAME
from navcore import InputError
from navcore.contract import flatten_result

if TYPE_CHECKING:
    import numpy as np

_LOG = logging.getLogger(LOGGER_NAME)
Side = Literal["input", "output"]


@attrs.frozen(eq=False)
class Named:
    """One tensor under its final name. ``place`` is where it stands in the call, or its number in the result."""

    name: str
    array: np.ndarray
    type: TensorType
    place: str = ""


def disabled_names(model: Any, side: Side) -> set[str]:
    """What ``disabled_deployment_<side>_names`` keeps out of the file."""
    return set(read_names(model, f"disabled_deployment_{side}_names") or ())


def declared_types(model: Any, side: Side, *, all_names: bool = False) -> dict[str, Any] | None:
    """Names and types as declared, in order; ``None`` where the class declares nothing.

    The types are ``<side>_types_for_export`` of the model where it has its own, else of the input or output module,
    else that module's ``<side>_types``; ``<side>_names`` of either, where overridden, chooses and orders the names.
    Disabled names are left out unless ``all_names`` are asked for.
    """
    module = end_module(model, side)
    types = _types(model, side, plain=False)
    types = _types(module, side) if types is None else types
    namer = next((one for one in (model, module) if is_overridden(one, f"{side}_names")), None)
    names = None if namer is None else read_names(namer, f"{side}_names")
    if types is None and names is None:
        return None
    known = {**(types or {})}
    if names is not None:  # names that come from elsewhere in the model: caches of the encoder among the outputs
        known = {**(_types(end_module(model, "input"), side) or {}), **(_types(model, side) or {}), **known}
    left_out = set() if all_names else disabled_names(model, side)
    chosen = {name: known.get(name, UNTYPED) for name in names or known if name not in left_out}
    for name, value in chosen.items():
        as_tensor_type(value, name)  # raises for what is no type
    return chosen


def _types(module: Any, side: Side, *, plain: bool = True) -> dict[str, Any] | None:
    """What one module declares, ``<side>_types_for_export`` before ``<side>_types``, which ``plain`` allows."""
    told = f"{side}_types_for_export"
    types = read_hook(module, told) if is_overridden(module, told) else None
    types = read_hook(module, f"{side}_types", None) if types is None and plain else types
    if types is None:
        return None
    if not isinstance(types, Mapping):
        raise InputError(
            f"{class_name(module)}.{side}_types is {told_kind(types)}.", hint="It has to map names to types."
        )
    strange = next((name for name in types if not isinstance(name, str) or not name), None)
    if strange is not None:
        raise InputError(
            f"{class_name(module)}.{side}_types has the key {strange!r}, which is no name.", hint="Keys are names."
        )
    return dict(types)


def name_inputs(model: Any, groups: Sequence[Group]) -> list[Named]:
    """The tensors of the arguments in the order in which they are declared.

    A parameter that is called like a declared name gets it; the others get the rest by position, argument by argument
    or, where that does not come out even, tensor by tensor. Raises :class:`InputError` listing both sides when the
    counts differ.
    """
    types = declared_types(model, "input")
    if types is None:
        _warn_untyped(model, "input")
        return [one for group in groups for one in _expanded(str(group.key), group, UNTYPED)]
    chosen = _matched(types, groups)
    if chosen is None:
        raise _miscount(model, "input", types, groups)
    by_name = dict(chosen)
    return [one for name in types if name in by_name for one in _expanded(name, by_name[name], types[name])]


def name_outputs(model: Any, result: Any, inputs: Iterable[str]) -> list[Named]:
    """The tensors of a result in its own order; ``None`` and constants are dropped with their declared names.

    Keys of a mapping that are declared names keep them, all else goes by position. Tensors that the model returns under
    a disabled name are left out. An output that is called like an input gets ``_out`` behind its name. Raises
    :class:`InputError` when the counts differ or there is no tensor.
    """
    leaves = flatten_result(result, is_tensor)
    if not leaves:
        raise InputError(f"{class_name(model)} returns no tensor.", hint="An exported model needs an output.")
    types = declared_types(model, "output")
    if types is None:
        _warn_untyped(model, "output")
        keyed = not is_tensor(result) and isinstance(result, Mapping)
        titles = [name if keyed else name.replace("__", "_") for name, _ in leaves]
        pairs = zip(titles, leaves, strict=True)
        named = [Named(name, host_array(leaf), UNTYPED, str(place)) for place, (name, (_, leaf)) in enumerate(pairs)]
        return _apart([one for one in named if one.name not in disabled_names(model, "output")], set(inputs))
    out = disabled_names(model, "output")
    groups = [group for group in _elements(result) if group.key not in out]
    chosen = _matched(types, groups)
    if out and (chosen is None or len(groups) > len(types)):
        whole = declared_types(model, "output", all_names=True) or {}
        chosen = _matched(whole, groups) or chosen
    if chosen is None:
        raise _miscount(model, "output", types, groups)
    kept = [(name, group) for name, group in chosen if name in types and group.leaves]
    kept.sort(key=lambda pair: int(pair[1].leaves[0][0]))
    return _apart([one for name, group in kept for one in _expanded(name, group, types[name])], set(inputs))


def _elements(result: Any) -> list[Group]:
    """The elements of a result at its top level, each with its tensors under their numbers in the whole."""
    if is_tensor(result):
        return [Group(None, (("0", host_array(result)),))]
    pairs = list(result.items()) if isinstance(result, Mapping) else [(None, value) for value in result]
    places = map(str, itertools.count())
    return [
        Group(None if key is None else str(key), tuple((next(places), host_array(leaf)) for leaf in _inside(value)))
        for key, value in pairs
    ]


def _inside(value: Any) -> list[Any]:
    plain = value is None or isinstance(value, str | int | float)
    return [] if plain else [leaf for _, leaf in flatten_result(value, is_tensor)]


def _matched(types: Mapping[str, Any], groups: Sequence[Group]) -> list[tuple[str, Group]] | None:
    """Which declared name is whose: by key, and the rest by position; ``None`` where that does not come out even.

    What holds nothing is then left away, and then what holds several tensors is taken apart. Of names that are too
    many, optional ones are left away, the last first.
    """
    keyed = [(group.key, group) for group in groups if group.key is not None and group.key in types]
    taken = {name for name, _ in keyed}
    names = [name for name in types if name not in taken]
    loose = [group for group in groups if group.key not in taken]
    full = [group for group in loose if group.leaves]
    for rest in (loose, full, [Group(None, (leaf,)) for group in full for leaf in group.leaves]):
        fitting = _fitting(names, len(rest), types)
        if len(fitting) == len(rest):
            return [*keyed, *zip(fitting, rest, strict=True)]
    return None


def _fitting(names: Sequence[str], count: int, types: Mapping[str, Any]) -> list[str]:
    surplus = len(names) - count
    optional = [name for name in names if all(one.optional for one in types_of_parts(types[name], name, 1))]
    left_out = set(optional[len(optional) - surplus :]) if 0 < surplus <= len(optional) else set()
    return [name for name in names if name not in left_out]


def _expanded(name: str, group: Group, declared: Any) -> list[Named]:
    """One name for one tensor; ``name_1``, ``name_2`` … for the tensors of a nested one."""
    types = types_of_parts(declared, name, len(group.leaves))
    if len(types) != len(group.leaves):
        raise InputError(
            f"{name!r} is declared as {len(types)} nested tensors, and holds {len(group.leaves)}.",
            hint="Declare a type for each, or one type for all of them.",
        )
    nested = len(types) > 1 or not isinstance(as_tensor_type(declared, name), TensorType)
    names = [f"{name}_{number}" for number in range(1, len(types) + 1)] if nested else [name]
    pairs = zip(names, group.leaves, types, strict=True)
    return [Named(title, array, type_, place) for title, (place, array), type_ in pairs]


def with_own_batches(named: Sequence[Named], size: int | None) -> list[Named]:
    """The same, batch axes of NeMo's types that are not ``size`` long under names of their own."""
    return [attrs.evolve(one, type=_own_batch(one, size)) if one.type.loose else one for one in named]


def _own_batch(one: Named, size: int | None) -> TensorType:
    axes, shape = one.type.axes or (), one.array.shape
    if len(axes) != len(shape):
        return one.type
    own = [f"{one.name}_{BATCH}" if name == BATCH and long != size else name
           for name, long in zip(axes, shape, strict=True)]  # fmt: skip
    return TensorType(*own, dtype=one.type.dtype, optional=one.type.optional)


def batch_size(named: Iterable[Named]) -> int | None:
    """How long the first axis is that is called ``batch``."""
    sizes = (one.array.shape[axis] for one in named for axis, name in one.type.named_axes.items()
             if name == BATCH and axis < one.array.ndim)  # fmt: skip
    return next(sizes, None)


def _apart(named: Sequence[Named], taken: set[str]) -> list[Named]:
    apart = []
    for one in named:
        name = one.name
        while name in taken:
            name += "_out"
        if name != one.name:
            _LOG.warning("The output %r is called like an input; it is exported as %r.", one.name, name)
        taken.add(name)
        apart.append(attrs.evolve(one, name=name))
    return apart


def _miscount(model: Any, side: Side, declared: Collection[str], groups: Sequence[Group]) -> InputError:
    found = [f"output_{place}" if side == "output" else place for group in groups for place, _ in group.leaves]
    holder = "the example holds" if side == "input" else f"{class_name(model)} returns"
    return InputError(
        f"{class_name(end_module(model, side))}.{side}_types declares {len(declared)} {side}s "
        f"({', '.join(declared) or 'none'}), and {holder} {len(found)} tensors ({', '.join(found) or 'none'}).",
        hint=f"Declare one name per tensor, or list those that are not exported in disabled_deployment_{side}_names.",
    )


def _warn_untyped(model: Any, side: Side) -> None:
    source = "the parameters of its method" if side == "input" else "their positions"
    _LOG.warning(
        "%s has no %s_types: the %ss are named by %s, and all their axes are fixed.",
        class_name(end_module(model, side)), side, side, source,
    )  # fmt: skip
