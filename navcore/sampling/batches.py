"""Cuts samples out of batches, stacks and repeats them along the batch axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from navcore.contract import Signature, TensorSpec

Array = np.ndarray[Any, Any]


def without_batch(signature: Signature, spec: TensorSpec, array: Array, row: int = 0) -> Array:
    """One sample of a batch, without the batch axis; the array itself when it has none."""
    axis = signature.batch_axis(spec)
    if axis is None:
        return array
    sample: Array = np.moveaxis(array, axis, 0)[row, ...]
    return sample


def with_batch(signature: Signature, spec: TensorSpec, array: Array) -> Array:
    """A sample as a batch of one; the array itself when it has no batch axis."""
    axis = signature.batch_axis(spec)
    return array if axis is None else np.expand_dims(array, axis)


def picked(signature: Signature, feeds: Mapping[str, Array], numbers: Sequence[int]) -> dict[str, Array]:
    """The chosen samples of a batch as a smaller, or larger, batch."""
    return {
        spec.name: feeds[spec.name] if axis is None else np.take(feeds[spec.name], numbers, axis=axis)
        for spec in signature.inputs
        for axis in (signature.batch_axis(spec),)
    }


def batch_of(signature: Signature, feeds: Mapping[str, Array]) -> int:
    """How many samples ``feeds`` holds; 1 for a model that does not batch."""
    for spec in signature.inputs:
        if (axis := signature.batch_axis(spec)) is not None:
            return int(feeds[spec.name].shape[axis])
    return 1


def repeated(signature: Signature, feeds: Mapping[str, Array], batch_size: int) -> dict[str, Array]:
    """The samples of ``feeds``, over and over, up to a batch; as they are for a model that does not batch."""
    if signature.batch_dim is None:
        return dict(feeds)
    count = batch_of(signature, feeds)
    return picked(signature, feeds, [row % count for row in range(batch_size)])


def stacked(signature: Signature, samples: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Batches of equal shape as one; inputs without a batch axis are those of the first."""
    return {
        spec.name: samples[0][spec.name]
        if axis is None
        else np.concatenate([feeds[spec.name] for feeds in samples], axis=axis)
        for spec in signature.inputs
        for axis in (signature.batch_axis(spec),)
    }


def stacking_key(signature: Signature, feeds: Mapping[str, Array]) -> tuple[tuple[tuple[int, ...], bytes], ...]:
    """What two batches of one must share to be stacked: shapes, and the contents of inputs without a batch axis."""
    return tuple(
        (feeds[spec.name].shape, b"" if signature.has_batch(spec) else feeds[spec.name].tobytes())
        for spec in signature.inputs
    )
