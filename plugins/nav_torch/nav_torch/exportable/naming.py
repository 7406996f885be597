"""Give tensors the names and types that a class declares for them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import attrs

from nav_torch.exportable.hooks import class_name, input_module, output_module, read_hook, read_names, told_kind
from nav_torch.exportable.inputs import Argument
from nav_torch.exportable.tensortype import UNTYPED, TensorType, as_tensor_type
from nav_torch.live import is_tensor, to_array
from nav_torch.restoring import LOGGER_NAME
from navcore import InputError, flatten_result

if TYPE_CHECKING:
    import numpy as np

Side = Literal["input", "output"]
DeclaredType = TensorType | tuple[TensorType, ...]


@attrs.frozen(eq=False)
class Named:
    """One tensor under its final name. ``place`` is where it stands in the call, empty for an output."""

    name: str
    array: np.ndarray
    type: TensorType
    place: str = ""


@attrs.frozen(eq=False)
class _Group:
    """What one argument or one element of a result holds: a key where it has one, and its tensors."""

    key: str | None
    leaves: tuple[tuple[str, np.ndarray], ...]


def declared_types(model: Any, side: Side) -> dict[str, DeclaredType] | None:
    """Names and types in order, without those disabled for deployment; ``None`` where the class declares nothing.

    They come from ``<side>_types_for_export``, else ``<side>_types``, of the input or output module;
    ``<side>_names`` of that module, where there is one, chooses and orders the names.
    """
    module = input_module(model) if side == "input" else output_module(model)
    types = read_hook(module, f"{side}_types_for_export", None)
    types = read_hook(module, f"{side}_types", None) if types is None else types
    names = read_names(module, f"{side}_names")
    if types is None and names is None:
        return None
    if types is not None and not isinstance(types, Mapping):
        raise InputError(
            f"{class_name(module)}.{side}_types is {told_kind(types)}.", hint="It has to map names to types."
        )
    given = dict(types or {})
    strange = next((name for name in given if not isinstance(name, str) or not name), None)
    if strange is not None:
        raise InputError(
            f"{class_name(module)}.{side}_types has the key {strange!r}, which is no name.", hint="Keys are names."
        )
    disabled = _disabled(model, side)
    unknown = disabled - set(given if names is None else names)
    if unknown:
        logging.getLogger(LOGGER_NAME).debug("Disabled, but not declared: %s.", ", ".join(sorted(unknown)))
    return {
        name: as_tensor_type(given[name], name) if name in given else UNTYPED
        for name in (given if names is None else names)
        if name not in disabled
    }


def _disabled(model: Any, side: Side) -> set[str]:
    return set(read_names(model, f"disabled_deployment_{side}_names") or ())


def name_inputs(model: Any, arguments: Sequence[Argument]) -> list[Named]:
    """The tensors of the arguments in the order in which they are declared.

    A parameter that is called like a declared name gets it; the others get the rest by position, argument by argument
    or, where that does not come out even, tensor by tensor. Raises :class:`InputError` listing both sides when the
    counts differ.
    """
    types = declared_types(model, "input")
    groups = [_Group(argument.parameter, argument.leaves) for argument in arguments]
    if types is None:
        _warn_untyped(model, "input")
        return [one for group in groups for one in _expanded(str(group.key), group, UNTYPED)]
    named = {key: group for group in groups if (key := group.key) in types and key is not None}
    rest = [group for group in groups if group.key not in named]
    names = _fitting([name for name in types if name not in named], rest, types)
    if len(names) != len(rest):
        rest = [_Group(None, (leaf,)) for group in rest for leaf in group.leaves]
        names = _fitting([name for name in types if name not in named], rest, types)
    if len(names) != len(rest):
        raise _miscount(model, "input", list(types), [place for group in groups for place, _ in group.leaves])
    chosen = {**named, **dict(zip(names, rest, strict=True))}
    return [one for name in types if name in chosen for one in _expanded(name, chosen[name], types[name])]


def _fitting(names: list[str], rest: Sequence[_Group], types: Mapping[str, DeclaredType]) -> list[str]:
    """The names without as many optional ones, the last first, as there are too many."""
    surplus = len(names) - len(rest)
    optional = [name for name in names if _optional(types[name])]
    left_out = set(optional[len(optional) - surplus :]) if 0 < surplus <= len(optional) else set()
    return [name for name in names if name not in left_out]


def _optional(declared: DeclaredType) -> bool:
    return declared.optional if isinstance(declared, TensorType) else all(one.optional for one in declared)


def name_outputs(model: Any, result: Any, inputs: Iterable[str]) -> list[Named]:
    """The tensors of a result in its own order; ``None`` and constants are dropped with their declared names.

    Keys of a mapping that are declared names keep them, all else goes by position. An output that is called like an
    input gets ``_out`` behind its name. Raises :class:`InputError` when the counts differ or there is no tensor.
    """
    leaves = flatten_result(result, is_tensor)
    if not leaves:
        raise InputError(f"{class_name(model)} returns no tensor.", hint="An exported model needs an output.")
    types = declared_types(model, "output")
    if types is None:
        _warn_untyped(model, "output")
        keyed = not is_tensor(result) and isinstance(result, Mapping)
        named = [Named(name if keyed else name.replace("__", "_"), _array(leaf), UNTYPED) for name, leaf in leaves]
    else:
        named = _typed_outputs(model, _elements(result), types)
    return _apart(named, set(inputs))


def _typed_outputs(model: Any, elements: Sequence[_Group], types: Mapping[str, DeclaredType]) -> list[Named]:
    keyed = [group for group in elements if group.key in types]
    loose = [group for group in elements if group.key not in types]
    names = [name for name in types if name not in {group.key for group in keyed}]
    if len(loose) != len(names):
        loose = [group for group in loose if group.leaves]
    ordered: Sequence[_Group] = elements
    if len(loose) != len(names) and not keyed:
        loose = [_Group(None, (leaf,)) for group in loose for leaf in group.leaves]
        ordered = loose
    if len(loose) != len(names):
        found = [place for group in elements for place, _ in group.leaves]
        raise _miscount(model, "output", list(types), found)
    titles = {id(group): name for group, name in zip(loose, names, strict=True)}
    titles |= {id(group): str(group.key) for group in keyed}
    return [
        one
        for group in ordered
        if id(group) in titles and group.leaves
        for one in _expanded(titles[id(group)], group, types[titles[id(group)]])
    ]


def _elements(result: Any) -> list[_Group]:
    """The elements of a result at its top level, in the order in which their tensors are flattened."""
    if is_tensor(result):
        return [_Group(None, (("output_0", _array(result)),))]
    if isinstance(result, Mapping):
        return [_Group(str(key), _leaves(value, str(key))) for key, value in result.items()]
    return [_Group(None, _leaves(value, f"output_{index}")) for index, value in enumerate(result)]


def _leaves(value: Any, place: str) -> tuple[tuple[str, np.ndarray], ...]:
    found = [] if value is None or isinstance(value, str | int | float) else flatten_result(value, is_tensor)
    single = is_tensor(value)
    return tuple((place if single else f"{place}_{number}", _array(leaf)) for number, (_, leaf) in enumerate(found, 1))


def _array(tensor: Any) -> np.ndarray:
    array = to_array(tensor)
    assert array is not None, "only tensors are leaves"
    return array


def _expanded(name: str, group: _Group, declared: DeclaredType) -> list[Named]:
    """One name for one tensor; ``name_1``, ``name_2`` … for the tensors of a nested one."""
    if isinstance(declared, TensorType):
        if len(group.leaves) == 1:
            place, array = group.leaves[0]
            return [Named(name, array, declared, place)]
        declared = (declared,) * len(group.leaves)
    if len(declared) != len(group.leaves):
        raise InputError(
            f"{name!r} is declared as {len(declared)} nested tensors, and holds {len(group.leaves)}.",
            hint="Declare a type for each, or one type for all of them.",
        )
    pairs = zip(group.leaves, declared, strict=True)
    return [Named(f"{name}_{number}", array, one, place) for number, ((place, array), one) in enumerate(pairs, 1)]


def _apart(named: Sequence[Named], taken: set[str]) -> list[Named]:
    apart = []
    for one in named:
        name = one.name
        while name in taken:
            name += "_out"
        if name != one.name:
            logging.getLogger(LOGGER_NAME).warning(
                "The output %r is called like an input; it is exported as %r.", one.name, name
            )
        taken.add(name)
        apart.append(attrs.evolve(one, name=name))
    return apart


def _miscount(model: Any, side: Side, declared: Sequence[str], found: Sequence[str]) -> InputError:
    module = input_module(model) if side == "input" else output_module(model)
    holder = "the example holds" if side == "input" else f"{class_name(model)} returns"
    hint = f"Declare one name per tensor, or list those that are not exported in disabled_deployment_{side}_names."
    return InputError(
        f"{class_name(module)}.{side}_types declares {len(declared)} {side}s ({', '.join(declared) or 'none'}), and "
        f"{holder} {len(found)} tensors ({', '.join(found) or 'none'}).",
        hint=hint,
    )


def _warn_untyped(model: Any, side: Side) -> None:
    owner = class_name(input_module(model) if side == "input" else output_module(model))
    source = "the parameters of its method" if side == "input" else "their positions"
    logging.getLogger(LOGGER_NAME).warning(
        "%s has no %s_types: the %ss are named by %s, and all their axes are fixed.", owner, side, side, source
    )
