"""Learn from a prepared model and an example what its file will be called with, and what it has to return."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from nav_torch.exportable.axes import (
    Explicit,
    axes_of,
    check_explicit,
    checked_shapes,
    sizes_of,
    specs_of,
    told_sizes,
    without_empty,
)
from nav_torch.exportable.hooks import (
    class_name,
    forward_name,
    input_module,
    output_module,
    read_hook,
    read_names,
    told_kind,
)
from nav_torch.exportable.inputs import bind_example
from nav_torch.exportable.naming import Named, name_inputs, name_outputs
from nav_torch.exportable.shapes import given_shapes
from nav_torch.exportable.standing import stand_in
from nav_torch.live import from_array, to_array
from nav_torch.restoring import LOGGER_NAME, exporting
from navcore import (
    Feeds,
    InputError,
    NavcoreError,
    Signature,
    SourceError,
    Template,
    fill_call,
    first_line,
    rename_tensors,
)

if TYPE_CHECKING:
    import numpy as np


@attrs.frozen(eq=False)
class Wishes:
    """What the caller wants of the axes: whether any is dynamic, which instead of the declared ones, how far.

    ``use_dynamo`` is what ``dynamic_shapes_for_export`` is told; ``None`` does not ask it.
    """

    dynamic: bool = True
    explicit: Explicit | None = None
    ranges: Mapping[str, Any] | None = None
    training: bool = False
    use_dynamo: bool | None = None


@attrs.frozen(eq=False)
class Understood:
    """A model as an exporter needs it: a stand-in, how it is called, an example, and what it returns for that."""

    model: Any
    stand: Any
    signature: Signature
    example: Feeds
    expected: Mapping[str, np.ndarray]
    wishes: Wishes
    ranges: Mapping[str, Any] | None = None
    """The ranges of axes by name that the caller gave, or else the class."""

    @property
    def sizes(self) -> dict[str, int]:
        """The example's size of every dynamic axis of an input that does not follow from another."""
        return sizes_of(self.signature.inputs, self.example)

    def returned(self, feeds: Feeds) -> dict[str, np.ndarray]:
        """What the exported method returns for other inputs. Raises :class:`SourceError` when it fails."""
        result = _result(self.model, self.stand, self.signature.call, feeds, training=self.wishes.training)
        return self.signature.name_outputs(result, to_array)

    def exported_with(self) -> Feeds:
        """The example to export with: the given one, its empty axes grown where the model takes that."""
        grown = without_empty(self.signature.inputs, self.example, self.ranges)
        if grown is None:
            return self.example
        try:
            self.returned(grown)
        except SourceError:
            return self.example
        return grown

    def bound(self, example: Any, origin: str) -> dict[str, np.ndarray]:
        """Another example as named inputs. Raises :class:`InputError` when it does not look like the first."""
        named = name_inputs(self.model, bind_example(self.model, example, origin).arguments)
        feeds = {one.name: one.array for one in named}
        if tuple(feeds) != self.signature.input_names:
            raise InputError(
                f"{origin} has the inputs {', '.join(feeds)} where the first example has "
                f"{', '.join(self.signature.input_names)}."
            )
        sizes_of(self.signature.inputs, feeds)
        return feeds


def ranges_of(model: Any, wishes: Wishes) -> Mapping[str, Any] | None:
    """The caller's ranges, or else those of the class that speak of a declared axis."""
    if wishes.ranges is not None or not wishes.dynamic:
        return wishes.ranges
    given = read_hook(model, "axis_ranges", None)
    if given is None or isinstance(given, Mapping):
        return given
    raise InputError(
        f"{class_name(model)}.axis_ranges is {told_kind(given)}.",
        hint="It has to map axes to (minimum, typical, maximum).",
    )


def understood(model: Any, example: Any, origin: str, wishes: Wishes) -> Understood:
    """Bind the example, run the exported method on it once, and name all tensors as the class declares.

    ``origin`` is what messages call the example. Raises :class:`InputError` for what does not fit together, and
    :class:`SourceError` when the model fails on its own example.
    """
    bound = bind_example(model, example, origin)
    inputs = name_inputs(model, bound.arguments)
    _check_names(inputs, model)
    checked_shapes(inputs, f"{class_name(input_module(model))}.input_types")
    stand = stand_in(model)
    call = rename_tensors(bound.call, {one.place: one.name for one in inputs})
    feeds = {one.name: one.array for one in inputs}
    result = _result(model, stand, call, feeds, training=wishes.training)
    outputs = name_outputs(model, result, feeds)
    _check_names(outputs, model)
    checked_shapes(outputs, f"{class_name(output_module(model))}.output_types")
    check_explicit(wishes.explicit, [one.name for one in (*inputs, *outputs)])
    expected = {one.name: one.array for one in outputs}
    _check_equal_sizes(inputs, outputs, feeds, expected)
    only = _dynamic_names(model, inputs, outputs)
    shapes, explicit = None, wishes.explicit
    if wishes.dynamic and explicit is None and wishes.use_dynamo is not None:
        shapes = given_shapes(model, inputs, outputs, only, use_dynamo=wishes.use_dynamo)
        explicit = None if shapes is None else shapes.names
    specs = specs_of(inputs, dynamic=wishes.dynamic, explicit=explicit, only=only)
    returned = specs_of(outputs, dynamic=wishes.dynamic, explicit=explicit, only=only)
    sizes = sizes_of(specs, feeds)
    sizes_of(returned, expected, sizes)
    ranges = ranges_of(model, wishes)
    if shapes is not None and shapes.bounds:
        ranges = {**shapes.ranges(sizes), **(ranges or {})}
    signature = Signature(specs, returned, axes_of(specs, sizes, ranges), call, batch_dim=None)
    return Understood(model, stand, signature, feeds, expected, wishes, ranges)


def _dynamic_names(model: Any, inputs: list[Named], outputs: list[Named]) -> tuple[str, ...] | None:
    """What ``dynamic_axis_names`` says, with a warning about names that no type has."""
    only = read_names(model, "dynamic_axis_names")
    declared = {axis for one in (*inputs, *outputs) for axis in one.type.axes or () if isinstance(axis, str)}
    strangers = [name for name in only or () if name not in declared]
    if strangers:
        logging.getLogger(LOGGER_NAME).warning(
            "%s.dynamic_axis_names lists %s, which no type declares; declared are: %s.",
            class_name(model), ", ".join(strangers), ", ".join(sorted(declared)) or "none",
        )  # fmt: skip
    return only


def _check_equal_sizes(
    inputs: list[Named], outputs: list[Named], feeds: Feeds, expected: Mapping[str, np.ndarray]
) -> None:
    """Declared names are held to mean equal sizes, whether or not they are exported as dynamic axes."""
    declared = specs_of(inputs, dynamic=True, explicit=None, only=None)
    sizes = sizes_of(declared, feeds)
    sizes_of(specs_of(outputs, dynamic=True, explicit=None, only=None), expected, sizes)


def _check_names(named: list[Named], model: Any) -> None:
    names = [one.name for one in named]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{class_name(model)} has two tensors called {twice!r}.", hint="Declare different names.")


def _result(model: Any, stand: Any, call: Template, feeds: Feeds, *, training: bool) -> Any:
    """What the exported method returns, in the mode in which it is exported; the model's buffers stay as they are."""
    try:
        with exporting(stand, None, None, training=training) as device:
            tensors = {name: from_array(array, device) for name, array in feeds.items()}
            args, kwargs = fill_call(call, tensors)
            return stand(*args, **kwargs)
    except NavcoreError:
        raise
    except Exception as error:
        shapes = told_sizes({name: list(array.shape) for name, array in feeds.items()})
        raise SourceError(
            f"{class_name(model)}.{forward_name(model)} failed on {shapes}: {type(error).__name__}: "
            f"{first_line(error)}".rstrip(".")
            + ".",
            hint="Call it with the example to see the whole error.",
        ) from error
