"""Tells a source that takes no batch but that of the items from one that takes none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from navcore.contract import Signature
from navcore.errors import SourceError
from navcore.sampling.sample_store import SampleStore
from navcore.sampling.source_model import OtherOutputs, SourceCall, run_source_once

if TYPE_CHECKING:
    import numpy as np


class NotBatching(SourceError):
    """The source takes the items of the dataloader as they are, ``takes`` samples each, and no other batch."""

    takes: int = 1


@contextmanager
def refusals_understood(
    source: SourceCall, signature: Signature, store: SampleStore, whole: int, batch_size: int
) -> Iterator[None]:
    """Say so when the source refuses a single sample, or a stack, and takes an item of the dataloader.

    ``whole`` is the number of items that are stored whole; with none of them, an item is the first sample itself.
    Raises :class:`NotBatching` then, and any other :class:`SourceError` as it was.
    """
    try:
        yield
    except OtherOutputs:
        raise
    except SourceError as error:
        if signature.batch_dim is None:
            raise
        feeds = store.whole_item(signature, 0) if whole else store.inputs(signature, "conversion", 0)
        try:
            run_source_once(source, signature, feeds, "an item of the dataloader")
        except SourceError:
            raise error from error.__cause__
        taken = f"a batch of {batch_size}" if batch_size > 1 else "a single sample"
        refusal = NotBatching(
            error.what,
            hint=f"It takes {taken}, as the dataloader gives it: if the model does not batch, pass batch_dim=None."
            + _batch_elsewhere(signature, feeds),
        )
        refusal.takes = batch_size
        raise refusal from error.__cause__


def _batch_elsewhere(signature: Signature, feeds: Mapping[str, np.ndarray]) -> str:
    """A further hint where an input that is not batched has an axis as long as the batch, as states of an LSTM have."""
    index, symbol = signature.batch_dim or 0, signature.batch_symbol
    batched = [spec.name for spec in signature.inputs if len(spec.shape) > index and spec.shape[index] == symbol]
    size = feeds[batched[0]].shape[index] if batched else 1
    if size == 1:
        return ""
    elsewhere = {
        spec.name: axis
        for spec in signature.inputs
        for axis, length in enumerate(feeds[spec.name].shape)
        if symbol not in spec.shape and length == size and axis != index
    }
    if not elsewhere:
        return ""
    axes = {}  # all that have to be named, since dynamic_axes replace what the data showed
    for spec in signature.inputs:
        moving = {axis: one for axis, one in enumerate(spec.shape) if isinstance(one, str) and one != symbol}
        if spec.name in elsewhere:
            moving[elsewhere[spec.name]] = symbol
        if moving:
            axes[spec.name] = moving
    return f" If the batch stands elsewhere in an input, say where: dynamic_axes={axes}."
