"""Learn from a prepared model and an example what its file will be called with, and what it has to return."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from nav_torch.exportable.axes import (
    axes_of,
    refuse_bad_shapes,
    resized,
    sizes_of,
    specs_of,
    told_sizes,
    without_empty,
)
from nav_torch.exportable.hooks import (
    class_name,
    end_module,
    forward_name,
    read_hook,
    read_names,
    told_error,
    told_kind,
)
from nav_torch.exportable.inputs import bind_example
from nav_torch.exportable.naming import Named, batch_size, disabled_names, name_inputs, name_outputs, with_own_batches
from nav_torch.exportable.shapes import Shapes, declared_shapes, given_shapes, hook_shapes
from nav_torch.exportable.standing import stand_in
from nav_torch.exportable.tensortype import BATCH
from nav_torch.live import from_array, is_tensor, to_array
from nav_torch.relations import relation_of
from nav_torch.restoring import LOGGER_NAME, exporting
from navcore import Feeds, InputError, NavcoreError, Signature, SourceError, Template
from navcore.contract import fill_call, flatten_result, rename_tensors

if TYPE_CHECKING:
    import numpy as np


@attrs.frozen(eq=False)
class Wishes:
    """What the caller wants of the axes: whether any is dynamic, which instead of the declared ones, how far.

    ``use_dynamo`` is what ``dynamic_shapes_for_export`` is told; ``None`` does not ask it.
    """

    dynamic: bool = True
    explicit: Mapping[str, Any] | None = None
    ranges: Mapping[str, Any] | None = None
    training: bool = False
    use_dynamo: bool | None = None


@attrs.frozen(eq=False)
class Case:
    """A model as an exporter needs it: a stand-in, how it is called, an example, and what it returns for that.

    ``ranges`` are those of axes by name that the caller gave, or else the class; ``notes`` are for the user. ``loose``
    axes are dynamic because NeMo's types say of what kind they are, and not that they move.
    """

    model: Any
    stand: Any
    signature: Signature
    example: Feeds
    expected: Mapping[str, np.ndarray]
    training: bool = False
    ranges: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    loose: frozenset[str] = frozenset()

    @property
    def sizes(self) -> dict[str, int]:
        """The example's size of every dynamic axis of an input that does not follow from another."""
        return sizes_of(self.signature.inputs, self.example)

    def returned(self, feeds: Feeds) -> dict[str, np.ndarray]:
        """What the exported method returns for other inputs. Raises :class:`SourceError` when it fails."""
        result = _result(self.model, self.stand, self.signature.call, feeds, training=self.training)
        return self.signature.name_outputs(result, to_array)

    def takes(self, feeds: Feeds) -> bool:
        """Whether the exported method runs on other inputs."""
        try:
            self.returned(feeds)
        except NavcoreError:
            return False
        return True

    def exported_with(self) -> Feeds:
        """The example to export with: the given one, its empty axes grown where the model takes that."""
        grown = without_empty(self.signature.inputs, self.example, self.ranges)
        return grown if grown is not None and self.takes(grown) else self.example

    def bound(self, example: Any, origin: str) -> dict[str, np.ndarray]:
        """Another example as named inputs. Raises :class:`InputError` when it does not look like the first."""
        bound = bind_example(self.model, example, origin, disabled_names(self.model, "input"))
        feeds = {one.name: one.array for one in name_inputs(self.model, bound.arguments)}
        if tuple(feeds) != self.signature.input_names:
            raise InputError(
                f"{origin} has the inputs {', '.join(feeds)} where the first example has "
                f"{', '.join(self.signature.input_names)}."
            )
        sizes_of(self.signature.inputs, feeds)
        return feeds


def case_of(model: Any, example: Any, origin: str, wishes: Wishes) -> Case:
    """Bind the example, run the exported method on it once, and name all tensors as the class declares.

    ``origin`` is what messages call the example. Raises :class:`InputError` for what does not fit together, and
    :class:`SourceError` when the model fails on its own example.
    """
    bound = bind_example(model, example, origin, disabled_names(model, "input"))
    named = name_inputs(model, bound.arguments)
    batch = batch_size(named)
    inputs = _checked(model, with_own_batches(named, batch), "input")
    loose = frozenset(axis for one in named if one.type.loose for axis in one.type.named_axes.values() if axis != BATCH)
    call = rename_tensors(bound.call, {one.place: one.name for one in inputs})
    feeds = {one.name: one.array for one in inputs}
    stand = stand_in(model, bound.held)
    result = _result(model, stand, call, feeds, training=wishes.training)
    outputs = _checked(model, with_own_batches(name_outputs(model, result, feeds), batch), "output")
    if len(outputs) < len(flatten_result(result, is_tensor)):
        stand = stand_in(model, bound.held, [int(one.place) for one in outputs])
    expected = {one.name: one.array for one in outputs}
    shapes = _shapes(model, inputs, outputs, wishes)

    def with_names(names: Mapping[str, Mapping[int, str]], *notes: str) -> Case:
        specs, returned = specs_of(inputs, names), specs_of(outputs, names)
        sizes = sizes_of(specs, feeds)
        sizes_of(returned, expected, sizes)
        ranges = _ranges(model, wishes)
        if shapes.bounds:
            ranges = {**shapes.ranges(sizes), **(ranges or {})}
        signature = Signature(specs, returned, axes_of(specs, sizes, ranges), call, batch_dim=None)
        return Case(model, stand, signature, feeds, expected, wishes.training, ranges, notes, loose)

    case = with_names(shapes.names)
    stuck = _stuck(case)
    if not stuck:
        return case
    free = {name: {axis: symbol for axis, symbol in axes.items() if relation_of(symbol).root not in stuck}
            for name, axes in shapes.names.items()}  # fmt: skip
    told = ", ".join(map(repr, stuck))
    return with_names(free, f"Exported with {told} fixed at 1, as in the example: the model does not run at 2.")


def _shapes(model: Any, inputs: list[Named], outputs: list[Named], wishes: Wishes) -> Shapes:
    """The names of the dynamic axes: the caller's, else the hook's, else those of the types."""
    tensors = [*inputs, *outputs]
    only = _dynamic_names(model, tensors)
    if wishes.explicit is not None:
        return given_shapes(tensors, wishes.explicit)
    if not wishes.dynamic:
        return Shapes({})
    # Declared names mean equal sizes, whether or not all of them are exported as dynamic axes.
    every = declared_shapes(tensors, None).names
    sizes = sizes_of(specs_of(inputs, every), {one.name: one.array for one in inputs})
    sizes_of(specs_of(outputs, every), {one.name: one.array for one in outputs}, sizes)
    asked = None if wishes.use_dynamo is None else hook_shapes(model, tensors, only, use_dynamo=wishes.use_dynamo)
    return asked or declared_shapes(tensors, only)


def _stuck(case: Case) -> tuple[str, ...]:
    """The axes, 1 long in the example and of no given range, at which the model runs at no 2.

    An exporter lengthens such axes, because it would take a 1 for a constant.
    """
    ones = [symbol for symbol, size in case.sizes.items() if size == 1 and symbol not in (case.ranges or {})]
    inputs = case.signature.inputs
    if not ones or case.takes(resized(inputs, case.example, dict.fromkeys(ones, 2))):
        return ()
    return tuple(symbol for symbol in ones if not case.takes(resized(inputs, case.example, {symbol: 2})))


def _ranges(model: Any, wishes: Wishes) -> Mapping[str, Any] | None:
    """The caller's ranges, or else those of the class that speak of a declared axis."""
    if wishes.ranges is not None or not wishes.dynamic:
        return wishes.ranges
    given = read_hook(model, "axis_ranges", None)
    if not isinstance(given, Mapping | None):
        raise InputError(
            f"{class_name(model)}.axis_ranges is {told_kind(given)}.",
            hint="It has to map axes to (minimum, typical, maximum).",
        )
    return given


def _dynamic_names(model: Any, tensors: Sequence[Named]) -> tuple[str, ...] | None:
    """What ``dynamic_axis_names`` says, with a warning about names that no type has."""
    only = read_names(model, "dynamic_axis_names")
    declared = {axis for one in tensors for axis in one.type.named_axes.values()}
    if strangers := [name for name in only or () if name not in declared]:
        logging.getLogger(LOGGER_NAME).warning(
            "%s.dynamic_axis_names lists %s, which no type declares; declared are: %s.",
            class_name(model), ", ".join(strangers), ", ".join(sorted(declared)) or "none",
        )  # fmt: skip
    return only


def _checked(model: Any, named: list[Named], side: Any) -> list[Named]:
    names = [one.name for one in named]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{class_name(model)} has two tensors called {twice!r}.", hint="Declare different names.")
    refuse_bad_shapes(named, f"{class_name(end_module(model, side))}.{side}_types")
    return named


def _result(model: Any, stand: Any, call: Template, feeds: Feeds, *, training: bool) -> Any:
    """What the exported method returns, in the mode in which it is exported; the model stays as it was."""
    try:
        with exporting(stand, None, None, training=training) as device:
            args, kwargs = fill_call(call, {name: from_array(array, device) for name, array in feeds.items()})
            return stand(*args, **kwargs)
    except NavcoreError:
        raise
    except Exception as error:
        shapes = told_sizes({name: list(array.shape) for name, array in feeds.items()})
        raise SourceError(
            told_error(f"{class_name(model)}.{forward_name(model)} failed on {shapes}", error),
            hint="Call it with the example to see the whole error.",
        ) from error
