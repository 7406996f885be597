"""Capture a model once more after it has seen a longer input, where that lets its program take more sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nav_torch.axes import Reach
from nav_torch.capture import reached
from nav_torch.strict import Capture, captured_strictly
from navcore import Signature

if TYPE_CHECKING:
    import torch


def captured_widely(flat: torch.nn.Module, tensors: tuple[torch.Tensor, ...], signature: Signature) -> Capture:
    """The strict capture of the flattened module, or of what it is after a longer input where that takes more sizes.

    A model that keeps a table as long as the longest input it has seen takes another path while the table grows, and
    the program is bound to the sizes of that path. One that has grown already only reads the table. Raises what
    :func:`captured_strictly` raises.
    """
    first = captured_strictly(flat, tensors, signature)
    reach = reached(first.program, signature)
    bound = [symbol for symbol, sizes in reach.items() if sizes.size is None and sizes.high is not None]
    if not bound or not _grows(flat, _longer(tensors, signature, bound)):
        return first
    try:
        second = captured_strictly(flat, tensors, signature)
    except Exception:  # the first is a program already
        return first
    return second if _covers(reached(second.program, signature), reach) else first


def _longer(tensors: tuple[torch.Tensor, ...], signature: Signature, symbols: list[str]) -> tuple[torch.Tensor, ...]:
    """The tensors twice as long along these axes, their values repeated."""
    found = []
    for tensor, spec in zip(tensors, signature.inputs, strict=True):
        found.append(tensor.repeat([2 if size in symbols else 1 for size in spec.shape]))
    return tuple(found)


def _grows(flat: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> bool:
    """Call the module, and tell whether it has other buffers afterwards."""
    before = _buffers(flat)
    try:
        flat(*tensors)
    except Exception:
        return False
    return _buffers(flat) != before


def _buffers(flat: torch.nn.Module) -> dict[str, tuple[int, int]]:
    return {name: (id(buffer), buffer.numel()) for name, buffer in flat.named_buffers()}


def _covers(wide: Mapping[str, Reach], narrow: Mapping[str, Reach]) -> bool:
    return all(
        symbol in wide
        and wide[symbol].low <= sizes.low
        and (wide[symbol].high is None or (sizes.high is not None and sizes.high <= (wide[symbol].high or 0)))
        for symbol, sizes in narrow.items()
    )
