"""Read ``dynamic_shapes_for_export``: which axes of which tensors are dynamic, and how their sizes follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from nav_torch.exportable.axes import Explicit, axis_of, sizes_of, specs_of
from nav_torch.exportable.hooks import class_name, has_hook, is_overridden, read_hook, read_names, told_kind
from nav_torch.exportable.naming import DeclaredType, Named, declared_types
from nav_torch.exportable.tensortype import TensorType
from nav_torch.relations import relation_of, spelled
from navcore import InputError

HOOK = "dynamic_shapes_for_export"
_HINT = "It has to map names of tensors to {axis: size}; a size is a torch.export.Dim, a name, a number or None."


@attrs.frozen(eq=False)
class Shapes:
    """Names of axes by tensor and axis, and the sizes that a class promises of them: name → (least, most or ``None``).

    ``names`` has every tensor.
    """

    names: Explicit
    bounds: Mapping[str, tuple[int, int | None]]

    def ranges(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, int, int]]:
        """The promised sizes as ranges around the example's; up to twice that where there is no end."""
        return {
            name: (low, sizes[name], max(2 * sizes[name], 1) if high is None else high)
            for name, (low, high) in self.bounds.items()
            if name in sizes
        }


def default_shapes(model: Any) -> dict[str, dict[int, str]]:
    """What the types of a class declare, as the hook would say it: name → {axis: name}."""
    only = read_names(model, "dynamic_axis_names")
    shapes: dict[str, dict[int, str]] = {}
    for declared in (declared_types(model, "input"), declared_types(model, "output")):
        for name, type_ in (declared or {}).items():
            shapes |= {one: _named_axes(part, only) for one, part in _parts(name, type_)}
    return shapes


def _parts(name: str, declared: DeclaredType) -> list[tuple[str, TensorType]]:
    if isinstance(declared, TensorType):
        return [(name, declared)]
    return [(f"{name}_{number}", one) for number, one in enumerate(declared, 1)]


def _named_axes(declared: TensorType, only: Sequence[str] | None) -> dict[int, str]:
    axes = enumerate(declared.axes or ())
    return {axis: name for axis, name in axes if isinstance(name, str) and (only is None or name in only)}


def given_shapes(
    model: Any, inputs: Sequence[Named], outputs: Sequence[Named], only: Sequence[str] | None, *, use_dynamo: bool
) -> Shapes | None:
    """What an overridden hook gives for these tensors; ``None`` where it is not overridden or gives ``None``.

    A tensor that it leaves out has its declared axes; an axis that it leaves out of a tensor is fixed. Raises
    :class:`InputError` naming class and hook for whatever else it gives, or if the example has other sizes.
    """
    if not has_hook(model, HOOK) or not is_overridden(model, HOOK):
        return None
    given = read_hook(model, HOOK, use_dynamo=use_dynamo)
    if given is None:
        return None
    origin = f"{class_name(model)}.{HOOK}"
    if not isinstance(given, Mapping):
        raise InputError(f"{origin} gives {told_kind(given)}.", hint=_HINT)
    tensors = {one.name: one for one in (*inputs, *outputs)}
    _check_tensors(model, given, tensors, origin)
    names: dict[str, Mapping[int, str]] = {}
    bounds: dict[str, tuple[int, int | None]] = {}
    for name, one in tensors.items():
        names[name] = _axes(one, given[name], bounds, origin) if name in given else _named_axes(one.type, only)
    shapes = Shapes(names, bounds)
    _check_sizes(shapes, inputs, outputs, origin)
    return shapes


def _check_tensors(model: Any, given: Mapping[Any, Any], tensors: Mapping[str, Named], origin: str) -> None:
    """A declared name may be there although it is no tensor: of an input that the example goes without, or nested."""
    declared = {**(declared_types(model, "input") or {}), **(declared_types(model, "output") or {})}
    strangers = [name for name in given if name not in tensors and name not in declared]
    if strangers:
        raise InputError(
            f"{origin} names {', '.join(map(repr, strangers))}, which is neither an input nor an output.",
            hint=f"They are: {', '.join(tensors)}.",
        )


def _axes(one: Named, given: Any, bounds: dict[str, tuple[int, int | None]], origin: str) -> dict[int, str]:
    """The dynamic axes of one tensor; what their dims promise is added to ``bounds``."""
    if given is None:
        return {}
    rank, told = one.array.ndim, f"{origin} gives"
    if isinstance(given, Sequence) and not isinstance(given, str) and all(type(axis) is int for axis in given):
        return {axis: _own_name(one, axis) for axis in (axis_of(one.name, axis, rank, origin) for axis in given)}
    if not isinstance(given, Mapping):
        raise InputError(f"{told} {told_kind(given)} for {one.name!r}.", hint=_HINT)
    found: dict[int, str] = {}
    for key, size in given.items():
        axis = axis_of(one.name, key, rank, origin)
        name = _size_name(one, axis, size, bounds, origin)
        if name is not None:
            found[axis] = name
    return found


def _own_name(one: Named, axis: int) -> str:
    """The declared name of an axis that is dynamic without a name, or one made from the tensor's."""
    declared = one.type.axes[axis] if one.type.axes is not None else None
    return declared if isinstance(declared, str) else f"{one.name}_{axis}"


def _size_name(one: Named, axis: int, size: Any, bounds: dict[str, tuple[int, int | None]], origin: str) -> str | None:
    """The name of an axis, ``None`` for a fixed one."""
    place, length = f"axis {axis} of {one.name!r}", one.array.shape[axis]
    if size is None:
        return None
    if type(size) is int:
        if size != length:
            raise InputError(f"{origin} fixes {place} at {size}, and it is {length} long in the example.")
        return None
    if isinstance(size, str):
        rule = relation_of(size)
        if not rule.root.isidentifier():
            raise InputError(f"{origin} calls {place} {size!r}.", hint="Give a name, such as 'time' or '4*time'.")
        return spelled(rule)
    hinted = getattr(getattr(size, "type", None), "name", "")
    if hinted == "STATIC":
        return None
    if hinted in ("AUTO", "DYNAMIC"):
        name = _own_name(one, axis)
        if size.min is not None or size.max is not None:
            _bound(name, (size.min or 0, size.max), bounds, origin)
        return name
    return _dim_name(size, place, bounds, origin)


def _dim_name(dim: Any, place: str, bounds: dict[str, tuple[int, int | None]], origin: str) -> str:
    """The name of a ``torch.export.Dim``, or of one that is derived from it: ``4*time``."""
    import torch

    root = getattr(dim, "root", dim)
    if not isinstance(root, torch.export.Dim):
        raise InputError(f"{origin} gives {told_kind(dim)} as {place}.", hint=_HINT)
    low, high = root.min, root.max if isinstance(root.max, int) else None
    if low > 0 or high is not None:
        _bound(root.__name__, (low, high), bounds, origin)
    return spelled(relation_of(dim.__name__))


def _bound(name: str, given: tuple[int, int | None], bounds: dict[str, tuple[int, int | None]], origin: str) -> None:
    if bounds.setdefault(name, given) != given:
        told = " and ".join(f"{low} to {'any' if high is None else high}" for low, high in (bounds[name], given))
        raise InputError(
            f"{origin} gives axis {name!r} different ranges: {told}.", hint="Make one Dim, and use it everywhere."
        )


def _check_sizes(shapes: Shapes, inputs: Sequence[Named], outputs: Sequence[Named], origin: str) -> None:
    """Raise :class:`InputError` where the example, or what the model returns for it, does not have these sizes."""
    arrays = {one.name: one.array for one in (*inputs, *outputs)}
    try:
        specs = specs_of((*inputs, *outputs), dynamic=True, explicit=shapes.names, only=None)
        sizes = sizes_of(specs, arrays)
    except InputError as error:
        raise InputError(f"{origin} does not fit the example: {error.what}", hint=error.hint) from error
    for name, (low, high) in shapes.bounds.items():
        if name in sizes and not (low <= sizes[name] and (high is None or sizes[name] <= high)):
            told = f"at least {low}" if high is None else f"from {low} to {high}"
            raise InputError(f"{origin} lets axis {name!r} be {told}, and it is {sizes[name]} long in the example.")
