"""What is asked of the samples: how many, under which names, along which axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from navcore.errors import OptionError

Range = tuple[int, int, int]


def _names(value: Sequence[str] | None) -> tuple[str, ...] | None:
    """One name given as plain text is that name, not its letters."""
    if value is None:
        return None
    return (value,) if isinstance(value, str) else tuple(value)


@attrs.frozen
class SamplingSettings:
    """How to take samples from a dataloader.

    ``sample_count`` is the number of correctness samples, clipped to the length of the dataloader. ``batch_dim`` is
    the axis along which its items are stacked, ``None`` for a model that does not batch. ``input_names`` and
    ``output_names`` are given to the tensors in order.

    ``positional_names`` are the model's own names for its inputs, which items without names of their own get when there
    are as many tensors.

    ``dynamic_axes`` maps a tensor to ``{axis: name}`` or to a list of axes; it replaces what the data would tell about
    the inputs entirely, and what it names is *declared*. ``axis_ranges`` maps an axis' name to ``(minimum, typical,
    maximum)``, or an input to ``{axis: (minimum, typical, maximum)}``, which declares that axis too.
    ``stored`` says that the source is a stored model, which nobody can change: one that takes the items' own batch and
    no other is then taken for one that does not batch. Fewer ``output_names`` than a live model returns choose among
    its outputs by their derived names. ``batch_sizes`` are batches that will be asked for later and have to lie in
    the range of the batch axis. ``stored_shapes`` are the sizes that a stored model fixes, by its own names for its
    inputs, ``None`` for an axis that may move.

    Raises :class:`OptionError` for a count below one, names that repeat, or a range that is not three rising sizes.
    """

    sample_count: int = 100
    batch_dim: int | None = 0
    input_names: tuple[str, ...] | None = attrs.field(default=None, converter=_names)
    output_names: tuple[str, ...] | None = attrs.field(default=None, converter=_names)
    positional_names: tuple[str, ...] = ()
    dynamic_axes: Mapping[str, Mapping[int, str] | Sequence[int]] | None = None
    axis_ranges: Mapping[str, Any] | None = None
    batch_sizes: tuple[int, ...] | None = None
    stored: bool = False
    stored_shapes: Mapping[str, tuple[int | None, ...]] = attrs.field(factory=dict)
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        if self.sample_count < 1:
            raise OptionError(f"sample_count is {self.sample_count}.", hint="Ask for at least one sample.")
        if self.batch_sizes is not None and min(self.batch_sizes, default=1) < 1:
            raise OptionError(f"batch_sizes is {list(self.batch_sizes)}.", hint="A batch holds at least one sample.")
        for option, names in (("input_names", self.input_names), ("output_names", self.output_names)):
            if names is not None and len(set(names)) != len(names):
                raise OptionError(f"{option} holds a name twice: {', '.join(names)}.", hint="Give each its own name.")

    def axis_names(self, tensor: str, rank: int) -> dict[int, str | None] | None:
        """The axes of one tensor that ``dynamic_axes`` declares, counted from the front, each with its name if given.

        ``None`` when ``dynamic_axes`` does not speak of that tensor. Raises :class:`OptionError` for an axis that the
        tensor does not have.
        """
        asked: Any = None if self.dynamic_axes is None else self.dynamic_axes.get(tensor)
        if asked is None:
            return None
        if isinstance(asked, str) or not isinstance(asked, Mapping | Iterable):
            raise OptionError(
                f"dynamic_axes[{tensor!r}] is {asked!r}, and not a mapping from axes to names.",
                hint='Give something like {0: "batch"}, or a list of axes.',
            )
        named: Mapping[int, str | None] = dict(asked) if isinstance(asked, Mapping) else dict.fromkeys(asked)
        return {_axis("dynamic_axes", tensor, axis, rank): name for axis, name in named.items()}

    def symbol_ranges(self) -> dict[str, Range]:
        """The ranges that are given by an axis' name."""
        given = (self.axis_ranges or {}).items()
        return {symbol: _range(symbol, value) for symbol, value in given if not isinstance(value, Mapping)}

    def ranged_inputs(self) -> tuple[str, ...]:
        """The inputs for whose axes ranges are given by number."""
        return tuple(name for name, value in (self.axis_ranges or {}).items() if isinstance(value, Mapping))

    def ranges_of(self, tensor: str, rank: int) -> dict[int, Range]:
        """The ranges that are given for one input by axis, counted from the front."""
        given = (self.axis_ranges or {}).get(tensor)
        if not isinstance(given, Mapping):
            return {}
        return {
            _axis("axis_ranges", tensor, axis, rank): _range(f"{tensor}[{axis}]", value)
            for axis, value in given.items()
        }


def _axis(option: str, tensor: str, axis: int, rank: int) -> int:
    if isinstance(axis, int) and -rank <= axis < rank:
        return axis % rank
    raise OptionError(
        f"{option} names axis {axis} of {tensor!r}, which has {rank} axes.",
        hint=f"Its axes are numbered from 0 to {rank - 1}." if rank else "A scalar has no axis that could move.",
    )


def _range(name: str, value: Any) -> Range:
    sizes = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
    if len(sizes) != 3 or not all(isinstance(size, int) for size in sizes) or not 0 <= sizes[0] <= sizes[1] <= sizes[2]:
        raise OptionError(
            f"The range of axis {name!r} is {value!r}.", hint="Give (minimum, typical, maximum) in rising order."
        )
    return sizes
