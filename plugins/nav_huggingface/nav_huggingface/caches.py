"""A decoder's cache as flat tensors by name, which a graph can take and return, and as an object of transformers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PAST = "past_key_values"
"""What the names of the cache's tensors begin with where they go in, as in ``past_key_values.0.key``."""

PRESENT = "present"
"""What they begin with where they come out."""

OWN, CROSS = "decoder.", "encoder."
"""In an encoder–decoder: what the decoder has said so far, and what it reads of the encoder."""

PARTS = ("key", "value")
LENGTH_AXIS = 2
"""Keys and values have the shape (batch, heads, length, width)."""


def places(layers: int, side: str = "") -> list[str]:
    """The names of the tensors of one cache without their beginning, layer by layer: ``0.key``, ``0.value``, …."""
    return [f"{layer}.{side}{part}" for layer in range(layers) for part in PARTS]


def layers_in(names: Iterable[str], side: str = "") -> int:
    """How many layers the tensors that go in have, by their names."""
    return sum(name.startswith(f"{PAST}.") and name.endswith(f".{side}{PARTS[0]}") for name in names)


def cache_of(tensors: Mapping[str, Any], side: str = "") -> Any:
    """A cache of transformers that holds the tensors which go in by these names, without a copy.

    Its layers keep everything, also where the model's own cache would forget what lies beyond a sliding window: the
    masks leave that out as well.
    """
    import transformers

    cache = transformers.DynamicCache()
    for layer in range(layers_in(tensors, side)):
        key, value = (tensors[f"{PAST}.{layer}.{side}{part}"] for part in PARTS)
        set_layer(cache, layer, key, value)
    return cache


def set_layer(cache: Any, layer: int, key: torch.Tensor, value: torch.Tensor) -> None:
    """Let a layer of the cache hold these tensors; the next layer that there is not is added."""
    from transformers import cache_utils

    kind: Any = cache_utils.DynamicLayer  # has no types
    if layer == len(cache.layers):
        cache.layers.append(kind())
    held = cache.layers[layer]
    held.keys, held.values = key, value
    held.dtype, held.device = key.dtype, key.device
    held.is_initialized = True


def tensors_of(cache: Any, begin: str, side: str = "") -> dict[str, torch.Tensor]:
    """The tensors of a cache by the names that begin so."""
    return {
        f"{begin}.{layer}.{side}{part}": tensor
        for layer, held in enumerate(cache.layers)
        for part, tensor in zip(PARTS, (held.keys, held.values), strict=True)
    }


def refusal(cache: Any) -> str:
    """Why a cache that a model has filled is not one of keys and values of each layer; empty where it is one."""
    from transformers.cache_utils import DynamicLayer

    kinds = {type(layer).__name__ for layer in cache.layers if type(layer) is not DynamicLayer}
    if kinds:
        return f"its cache has layers of other kinds than keys and values ({', '.join(sorted(kinds))})"
    if not cache.layers or any(getattr(layer.keys, "ndim", 0) != LENGTH_AXIS + 2 for layer in cache.layers):
        return "it fills no cache of keys and values"
    return ""
