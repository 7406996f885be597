"""The structures in a model's result that PyTorch knows: registered pytrees, and the caches of transformers."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any


def parts(value: Any) -> Iterable[tuple[str, Any]] | None:
    """The named parts of a registered structure, in its order; none for what PyTorch uses as a constant.

    ``None`` for any other value. A cache of transformers has the parts under which transformers registers it, whether
    it did so in this process or not: the keys of every layer, then the values.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if isinstance(value, torch.dtype | torch.device | torch.memory_format | torch.layout):
        return ()
    pytree = sys.modules.get("torch.utils._pytree")
    node = None if pytree is None else pytree.SUPPORTED_NODES.get(type(value))
    if node is not None:
        return _registered(node, value)
    if _is_cache(value):
        return _cached(value)
    return None


def _registered(node: Any, value: Any) -> list[tuple[str, Any]]:
    if node.flatten_with_keys_fn is not None:
        pairs, _ = node.flatten_with_keys_fn(value)
        return [(_named(key), part) for key, part in pairs]
    children, _ = node.flatten_fn(value)
    return [(str(index), part) for index, part in enumerate(children)]


def _named(key: Any) -> str:
    """The plain word of a key: of a mapping, a sequence or an attribute."""
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key).strip(".[]'\"")


def _is_cache(value: Any) -> bool:
    return any(
        kind.__name__ == "Cache" and kind.__module__ == "transformers.cache_utils" for kind in type(value).__mro__
    )


def _cached(cache: Any) -> list[tuple[str, Any]]:
    pair = [name for name in ("self_attention_cache", "cross_attention_cache") if hasattr(cache, name)]
    if pair:
        return [(name, getattr(cache, name)) for name in pair]
    layers = list(getattr(cache, "layers", ()))
    keys = [getattr(layer, "keys", None) for layer in layers]
    values = [getattr(layer, "values", None) for layer in layers]
    others = [
        (name, part)
        for layer, number in zip(layers, range(len(layers)), strict=True)
        for name, part in _other_states(layer, number)
    ]
    return [("key_cache", keys), ("value_cache", values), *others]


def _other_states(layer: Any, number: int) -> list[tuple[str, Any]]:
    """What a layer keeps beside keys and values, such as the state of a linear attention."""
    states = ("conv_states", "recurrent_states")
    return [(f"{name}_{number}", getattr(layer, name)) for name in states if getattr(layer, name, None) is not None]
