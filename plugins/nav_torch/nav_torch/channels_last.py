"""Channels-last: the layout of pictures in memory that convolutions are fastest in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from navcore import Unavailable

if TYPE_CHECKING:
    import torch


def channels_last(tensor: torch.Tensor) -> Any:
    """The memory format for a tensor of its rank; ``None`` for one that has none."""
    import torch

    return {4: torch.channels_last, 5: torch.channels_last_3d}.get(tensor.dim())


def refuse_without_pictures(weights: Iterable[torch.Tensor]) -> None:
    """Raise :class:`navcore.Unavailable` for a model that has no weights of a convolution over two or three axes."""
    if not any(channels_last(weight) is not None for weight in weights):
        raise Unavailable("The model has no convolution over pictures or volumes, so channels-last is nothing to it.")


@contextmanager
def weights_channels_last(model: torch.nn.Module) -> Iterator[None]:
    """The weights of convolutions channels-last; where they were comes back."""
    refuse_without_pictures(model.parameters())
    before = [(weight, weight.data) for weight in model.parameters() if channels_last(weight) is not None]
    try:
        for weight, data in before:
            weight.data = data.contiguous(memory_format=channels_last(data))
        yield
    finally:
        for weight, data in before:
            weight.data = data
