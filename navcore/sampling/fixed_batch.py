"""A stored model whose own file fixes the batch: read from its shapes, told, and what does not fit it refused."""

from __future__ import annotations

import attrs

from navcore.errors import DataloaderError, OptionError
from navcore.sampling.first_pass import Observation
from navcore.sampling.input_axes import infer_inputs
from navcore.sampling.settings import SamplingSettings


@attrs.frozen
class FixedBatch:
    """The batch of ``size`` that a file fixes along ``axis`` of the input ``tensor``, to which it gives ``shape``."""

    size: int
    tensor: str
    axis: int
    shape: tuple[int | None, ...]

    @property
    def told(self) -> str:
        """The shape as a person reads it."""
        return f"({', '.join('?' if size is None else str(size) for size in self.shape)})"

    @property
    def note(self) -> str:
        """What a run says that goes on with such a file."""
        return f"{taken_whole(self.size)} Its file gives {self.tensor!r} the shape {self.told}."


def taken_whole(size: int) -> str:
    """That a model with a batch of its own is taken as one that does not batch."""
    return (
        f"The source model takes a batch of {size} and no other, and is taken as one that does not batch "
        "(batch_dim=None)."
    )


def fixed_batch(observation: Observation, settings: SamplingSettings) -> FixedBatch | None:
    """The batch that the file of a stored model fixes; ``None`` where it moves, or the file does not tell.

    An input is found in the file by its name; where the file knows none of the names and has as many inputs, by place.
    """
    told = settings.stored_shapes
    if settings.batch_dim is None or not told:
        return None
    names = observation.names
    own = dict(zip(names, told.values(), strict=False)) if len(told) == len(names) else {}
    shapes = dict(told) if any(name in told for name in names) else own
    signature = infer_inputs(observation, settings).signature
    for spec in signature.inputs:
        shape, axis = shapes.get(spec.name, ()), signature.batch_axis(spec)
        if axis is None or len(shape) != len(spec.shape) or (size := shape[axis]) is None:
            continue
        return FixedBatch(size, spec.name, axis, shape)
    return None


def refuse_other_batches(fixed: FixedBatch, observation: Observation, settings: SamplingSettings) -> None:
    """Raise for items, or for batch sizes asked for, that are not the batch which the file fixes.

    :class:`DataloaderError` names the first such item, :class:`OptionError` the sizes.
    """
    sizes = observation.sizes(fixed.tensor, fixed.axis)
    other = next((item for item, size in enumerate(sizes) if size != fixed.size), None)
    if other is not None:
        raise DataloaderError(
            f"The model takes a batch of {fixed.size} and no other (its file gives {fixed.tensor!r} the shape "
            f"{fixed.told}), and item {other} of the dataloader has a batch of {sizes[other]}.",
            hint=f"Yield items with a batch of {fixed.size}, or export the model again with a batch that may move.",
        )
    refuse_other_sizes(fixed.size, f"Its file gives {fixed.tensor!r} the shape {fixed.told}.", settings)


def refuse_other_sizes(size: int, why: str, settings: SamplingSettings) -> None:
    """Raise :class:`OptionError` for batch sizes that were asked for and are not the one that the model takes."""
    asked = settings.batch_sizes
    if asked is not None and set(asked) != {size}:
        raise OptionError(
            f"batch_sizes is {list(asked)}, and the model takes a batch of {size} and no other. {why}",
            hint=f"Give batch_sizes=[{size}], or leave it out; batch_dim=None says that the model does not batch.",
        )
