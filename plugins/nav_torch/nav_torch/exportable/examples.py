"""What a file is compared on: the example, further ones, and examples of other sizes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from nav_torch.exportable.axes import other_sizes, resized, sizes_of, told_sizes
from nav_torch.exportable.case import Case
from nav_torch.exportable.hooks import class_name, end_module, forward_name, has_hook
from nav_torch.exportable.inputs import example_of, host_array
from nav_torch.exportable.naming import name_outputs
from nav_torch.exportable.tensortype import BATCH
from nav_torch.live import is_tensor
from nav_torch.restoring import LOGGER_NAME
from navcore import Comparison, Feeds, InputError, OptionError, SourceError
from navcore.contract import flatten_result

if TYPE_CHECKING:
    import numpy as np


@attrs.frozen(eq=False)
class AtSizes:
    """A further example: the first one with axes of other sizes, its values repeated or cut."""

    sizes: Mapping[str, int]


def own_example(case: Case, output_example: Any = None) -> Comparison:
    """The example; ``output_example`` is what the file has to return for it in place of what the model returns."""
    expected = case.expected if output_example is None else _given_outputs(case, output_example)
    return Comparison("the input example", case.example, expected)


def comparisons(case: Case, output_example: Any, further: Sequence[Any]) -> list[Comparison]:
    """The example, the ``further`` ones, and examples of other sizes until every dynamic axis has moved.

    Raises :class:`SourceError` when the model itself takes no other size along an axis that is declared dynamic.
    """
    found = [own_example(case, output_example)]
    for number, example in enumerate(further, 1):
        label = f"further example {number}"
        if isinstance(example, AtSizes):
            feeds = resized(case.signature.inputs, case.example, _usable_sizes(case, example.sizes))
        else:
            feeds = case.bound(example, f"The {label} of check_trace")
        found.append(_compared(case, label, feeds))
    still = _unmoved(case, found)
    if still and still == set(case.sizes):
        found.append(other_example(case))
        still = _unmoved(case, found)
    return [*found, *_moving(case, still)] if still else found


def _compared(case: Case, label: str, feeds: Feeds) -> Comparison:
    sizes = sizes_of(case.signature.inputs, feeds)
    return Comparison(f"{label} of {told_sizes(sizes)}" if sizes else label, feeds, case.returned(feeds))


def _usable_sizes(case: Case, sizes: Mapping[str, int]) -> Mapping[str, int]:
    for axis, size in sizes.items():
        if axis not in case.sizes:
            raise OptionError(
                f"sizes names {axis!r}, which is no dynamic axis of an input of {class_name(case.model)}.",
                hint=f"Dynamic axes: {', '.join(case.sizes) or 'none'}.",
            )
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise OptionError(f"The size of axis {axis!r} is {size!r}.", hint="Give a number of 0 or more.")
    return sizes


def _unmoved(case: Case, found: Sequence[Comparison]) -> set[str]:
    """The dynamic axes that have the example's size in every comparison."""
    seen = [sizes_of(case.signature.inputs, one.feeds) for one in found]
    return {symbol for symbol, size in case.sizes.items() if all(sizes[symbol] == size for sizes in seen)}


def _moving(case: Case, symbols: set[str]) -> list[Comparison]:
    """The example with these axes resized, where the model takes that; otherwise a warning, and nothing."""
    for sizes in other_sizes(case.sizes, case.ranges):
        wanted = {symbol: size for symbol, size in sizes.items() if symbol in symbols}
        feeds = resized(case.signature.inputs, case.example, wanted)
        if sizes_of(case.signature.inputs, feeds) != case.sizes and case.takes(feeds):
            return [_compared(case, "an example", feeds)]
    logging.getLogger(LOGGER_NAME).warning(
        "The check did not move %s: the model takes no other size of it that can be made from the example. "
        "Give check_trace=[another example].",
        ", ".join(sorted(symbols)),
    )
    return []


def _given_outputs(case: Case, output_example: Any) -> dict[str, np.ndarray]:
    leaves = flatten_result(output_example, is_tensor)
    names = case.signature.output_names
    if len(leaves) != len(names):
        raise InputError(
            f"output_example holds {len(leaves)} tensors, and {class_name(case.model)} returns {len(names)}: "
            f"{', '.join(names)}.",
            hint="Give one tensor per output, in the same order.",
        )
    if isinstance(output_example, Mapping):
        found = {one.name: one.array for one in name_outputs(case.model, output_example, case.example)}
    else:
        found = {name: host_array(leaf) for name, (_, leaf) in zip(names, leaves, strict=True)}
    for name, own in case.expected.items():
        other = found.get(name)
        if other is None or (other.shape, other.dtype) != (own.shape, own.dtype):
            told = "nothing" if other is None else f"{other.dtype.name} {list(other.shape)}"
            raise InputError(
                f"output_example has {told} for {name!r}, and {class_name(case.model)} returns {own.dtype.name} "
                f"{list(own.shape)}.",
                hint="Give what the model has to return for the example.",
            )
    return {name: found[name] for name in names}


def other_example(case: Case) -> Comparison:
    """An example of other sizes: from ``input_example(max_batch=, max_dim=)`` where it takes these, else resized.

    Raises :class:`SourceError` when the model takes none of them.
    """

    def at(sizes: Mapping[str, int]) -> Callable[[], Feeds | None]:
        return lambda: resized(case.signature.inputs, case.example, sizes)

    reason: InputError | None = None
    for make in (lambda: example_of_other_sizes(case), *map(at, other_sizes(case.sizes, case.ranges))):
        try:
            feeds = make()
            if feeds is not None:
                return _compared(case, "an example", feeds)
        except InputError as error:
            reason = error
    method = f"{class_name(case.model)}.{forward_name(case.model)}"
    raise SourceError(
        f"{class_name(case.model)} declares the axes {', '.join(case.sizes)} dynamic, and {method} could not be run at "
        f"other sizes than the example's: {reason.what if reason else 'Its axis_ranges allow no other size.'}",
        hint="Give axis_ranges=, check_trace=[another example], an input_example(max_batch, max_dim), or declare the "
        "axis fixed.",
    ) from reason


def example_of_other_sizes(case: Case) -> Feeds | None:
    """A larger example by the class's own means; ``None`` where it has none, or what comes is not of another size."""
    module = end_module(case.model, "input")
    if not has_hook(module, "input_example") or case.ranges:
        return None
    batch = case.sizes.get(BATCH, min(case.sizes.values()))
    sizes = {"max_batch": batch + 1, "max_dim": 2 * max(case.sizes.values())}
    feeds = case.bound(example_of(case.model, **sizes), f"{class_name(module)}.input_example{tuple(sizes.values())}")
    return feeds if sizes_of(case.signature.inputs, feeds) != case.sizes else None
