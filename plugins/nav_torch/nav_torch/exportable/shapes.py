"""Which axes of which tensors are dynamic, and how their sizes follow: by types, by the caller, or by a hook."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from nav_torch.exportable.axes import sizes_of, specs_of
from nav_torch.exportable.hooks import class_name, is_overridden, read_hook, read_names, told_kind
from nav_torch.exportable.naming import Named, declared_types
from nav_torch.exportable.tensortype import TensorType, as_tensor_type
from nav_torch.relations import relation_of, spelled
from navcore import InputError, OptionError

HOOK = "dynamic_shapes_for_export"
_BY_HOOK = "It has to map names of tensors to {axis: size}; a size is a torch.export.Dim, a name, a number or None."
_BY_CALLER = "Give a dict from axis to name, {0: 'batch'}, or a list of axes, [0]."


@attrs.frozen(eq=False)
class Shapes:
    """Names of axes by tensor and axis, and the sizes that a class promises of them: name → (least, most or ``None``).

    ``names`` has every tensor.
    """

    names: Mapping[str, Mapping[int, str]]
    bounds: Mapping[str, tuple[int, int | None]] = attrs.field(factory=dict)

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
        for name, value in (declared or {}).items():
            known = as_tensor_type(value, name)
            parts = [(name, known)] if isinstance(known, TensorType) else [
                (f"{name}_{number}", one) for number, one in enumerate(known, 1)]  # fmt: skip
            shapes |= {part: _named_axes(one, only) for part, one in parts}
    return shapes


def _named_axes(declared: TensorType, only: Collection[str] | None) -> dict[int, str]:
    return {axis: name for axis, name in declared.named_axes.items() if only is None or name in only}


def declared_shapes(tensors: Sequence[Named], only: Collection[str] | None) -> Shapes:
    """What the types of these tensors say; ``only`` limits the names that are dynamic."""
    return Shapes({one.name: _named_axes(one.type, only) for one in tensors})


def given_shapes(tensors: Sequence[Named], explicit: Mapping[str, Any]) -> Shapes:
    """What the caller's ``dynamic_axes`` say; every other axis is fixed. Raises :class:`OptionError` for nonsense."""
    reading = _Reading("dynamic_axes", OptionError, _BY_CALLER)
    reading.refuse_strangers(explicit, [one.name for one in tensors], tensors)
    return Shapes({one.name: reading.axes(one, explicit.get(one.name)) for one in tensors}, reading.bounds)


def hook_shapes(
    model: Any, tensors: Sequence[Named], only: Collection[str] | None, *, use_dynamo: bool
) -> Shapes | None:
    """What an overridden hook gives for these tensors; ``None`` where it is not overridden or gives ``None``.

    A tensor that it leaves out has its declared axes; an axis that it leaves out of a tensor is fixed. Raises
    :class:`InputError` naming class and hook for whatever else it gives, or if the example has other sizes.
    """
    given = read_hook(model, HOOK, use_dynamo=use_dynamo) if is_overridden(model, HOOK) else None
    if given is None:
        return None
    origin = f"{class_name(model)}.{HOOK}"
    if not isinstance(given, Mapping):
        raise InputError(f"{origin} gives {told_kind(given)}.", hint=_BY_HOOK)
    reading = _Reading(origin, InputError, _BY_HOOK)
    declared = {**(declared_types(model, "input") or {}), **(declared_types(model, "output") or {})}
    # A declared name may be there although it is no tensor: of an input that the example goes without, or nested.
    reading.refuse_strangers(given, [*declared, *(one.name for one in tensors)], tensors)
    names = {one.name: reading.axes(one, given[one.name]) if one.name in given else _named_axes(one.type, only)
             for one in tensors}  # fmt: skip
    shapes = Shapes(names, reading.bounds)
    _refuse_bad_sizes(shapes, tensors, origin)
    return shapes


@attrs.frozen(eq=False)
class _Reading:
    """How axes are read that the caller or a hook gives; what their dims promise is collected in ``bounds``."""

    origin: str
    error: type[InputError]
    hint: str
    bounds: dict[str, tuple[int, int | None]] = attrs.field(factory=dict)

    def refuse_strangers(self, given: Mapping[Any, Any], known: Collection[str], tensors: Sequence[Named]) -> None:
        strangers = [name for name in given if name not in known]
        if strangers:
            raise self.error(
                f"{self.origin} names {', '.join(map(repr, strangers))}, which is neither an input nor an output.",
                hint=f"They are: {', '.join(one.name for one in tensors)}.",
            )

    def axes(self, one: Named, given: Any) -> dict[int, str]:
        """The dynamic axes of one tensor."""
        if given is None:
            return {}
        if isinstance(given, Mapping):
            found = {axis: self._name(one, axis, size) for axis, size in self._numbered(one, given.items())}
            return {axis: name for axis, name in found.items() if name is not None}
        if not isinstance(given, Collection) or isinstance(given, str | bytes):
            raise self.error(f"{self.origin} gives {told_kind(given)} for {one.name!r}.", hint=self.hint)
        return {axis: _own_name(one, axis) for axis, _ in self._numbered(one, ((axis, None) for axis in given))}

    def _numbered(self, one: Named, pairs: Any) -> list[tuple[int, Any]]:
        """The pairs with axes counted from the front."""
        rank, counted = one.array.ndim, []
        for axis, size in pairs:
            if isinstance(axis, bool) or not isinstance(axis, int) or not -rank <= axis < rank:
                raise self.error(
                    f"{self.origin} names axis {axis!r} of {one.name!r}, which has {rank} axes.",
                    hint=f"They are numbered from 0 to {rank - 1}." if rank else "A scalar has no axis.",
                )
            counted.append((axis % rank, size))
        return counted

    def _name(self, one: Named, axis: int, size: Any) -> str | None:
        """The name of an axis, ``None`` for a fixed one."""
        place, length = f"axis {axis} of {one.name!r}", one.array.shape[axis]
        if size is None and self.error is InputError:
            return None
        if type(size) is int:
            if size != length:
                what = f"{self.origin} fixes {place} at {size}, and it is {length} long in the example."
                raise self.error(what, hint=self.hint)
            return None
        if isinstance(size, str):
            rule = relation_of(size)
            if not rule.root.isidentifier() and (self.error is InputError or not size):
                raise self.error(f"{self.origin} calls {place} {size!r}.", hint="Give a name: 'time' or '4*time'.")
            return spelled(rule)
        hinted = getattr(getattr(size, "type", None), "name", "")
        if hinted == "STATIC":
            return None
        if hinted in ("AUTO", "DYNAMIC"):
            name = _own_name(one, axis)
            if size.min is not None or size.max is not None:
                self._bound(name, (size.min or 0, size.max))
            return name
        return self._dim_name(size, place)

    def _dim_name(self, dim: Any, place: str) -> str:
        """The name of a ``torch.export.Dim``, or of one that is derived from it: ``4*time``."""
        import torch

        root = getattr(dim, "root", dim)
        if not isinstance(root, torch.export.Dim):
            raise self.error(f"{self.origin} gives {told_kind(dim)} as {place}.", hint=self.hint)
        low, high = root.min, root.max if isinstance(root.max, int) else None
        if low > 0 or high is not None:
            self._bound(root.__name__, (low, high))
        return spelled(relation_of(dim.__name__))

    def _bound(self, name: str, given: tuple[int, int | None]) -> None:
        if self.bounds.setdefault(name, given) != given:
            told = " and ".join(
                f"{low} to {'any' if high is None else high}" for low, high in (self.bounds[name], given)
            )
            raise self.error(
                f"{self.origin} gives axis {name!r} different ranges: {told}.",
                hint="Make one Dim, and use it everywhere.",
            )


def _own_name(one: Named, axis: int) -> str:
    """The declared name of an axis that is dynamic without a name, or one made from the tensor's."""
    return one.type.named_axes.get(axis, f"{one.name}_dynamic_axes_{axis + 1}")


def _refuse_bad_sizes(shapes: Shapes, tensors: Sequence[Named], origin: str) -> None:
    """Raise :class:`InputError` where the example, or what the model returns for it, does not have these sizes."""
    try:
        sizes = sizes_of(specs_of(tensors, shapes.names), {one.name: one.array for one in tensors})
    except InputError as error:
        raise InputError(f"{origin} does not fit the example: {error.what}", hint=error.hint) from error
    for name, (low, high) in shapes.bounds.items():
        if name in sizes and not (low <= sizes[name] and (high is None or sizes[name] <= high)):
            told = f"at least {low}" if high is None else f"from {low} to {high}"
            raise InputError(f"{origin} lets axis {name!r} be {told}, and it is {sizes[name]} long in the example.")
