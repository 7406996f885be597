"""The graphs of a generating package, called with tensors as transformers calls a model: cache in, cache out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from nav_huggingface.caches import (
    CROSS,
    LENGTH_AXIS,
    OWN,
    PARTS,
    PAST,
    PRESENT,
    layers_in,
    places,
    set_layer,
    tensors_of,
)
from nav_huggingface.continuations import positions_of
from nav_huggingface.graphs import CAUSAL_TOKENS, DECODER_TOKENS, MASK
from nav_huggingface.packed_model import as_output
from nav_torch import from_array
from navcore import InputError

if TYPE_CHECKING:
    import numpy as np
    import torch

    from navcore import Runner, Signature, TensorSpec

_CACHE = "past_key_values"

_TAKEN = ("input_features", _CACHE, "use_cache", "return_dict", "logits_to_keep", "encoder_outputs")
"""What ``generate`` may pass beside the tensors of a graph."""

_UNABLE = ("output_attentions", "output_hidden_states")


@attrs.frozen
class Graph:
    """A graph of a package: a runner, and what the signature says of its inputs."""

    runner: Runner
    inputs: Mapping[str, TensorSpec]

    @classmethod
    def of(cls, runner: Runner, signature: Signature) -> Graph:
        """The graph that a runner computes, by the signature of its package."""
        return cls(runner, {spec.name: spec for spec in signature.inputs})

    def __call__(self, tensors: Mapping[str, torch.Tensor | None]) -> dict[str, torch.Tensor]:
        """What the graph returns, of those of the tensors that it takes; nothing is copied that need not be."""
        import torch

        feeds = {
            name: _array(tensor, spec)
            for name, spec in self.inputs.items()
            if (tensor := tensors.get(name)) is not None
        }
        found = self.runner(feeds)
        return {
            name: torch.from_numpy(array) if array.dtype.isbuiltin == 1 and array.flags.writeable else from_array(array)
            for name, array in found.items()
        }

    def nothing(self, name: str, batch: int) -> torch.Tensor:
        """The tensor of a cache in which nothing is cached, of shape (batch, heads, 0, width)."""
        import numpy as np

        from navcore.contract import dtype_named

        spec = self.inputs[name]
        sizes = [size if isinstance(size, int) else 0 for size in spec.shape]
        empty: torch.Tensor = from_array(
            np.zeros((batch, *sizes[1:LENGTH_AXIS], 0, *sizes[LENGTH_AXIS + 1 :]), dtype_named(spec.dtype))
        )
        return empty


@attrs.frozen
class CausalStep:
    """What a causal decoder returns for a prompt or a step."""

    graph: Graph

    def __call__(self, arguments: Mapping[str, Any]) -> Any:
        """Logits, float, of shape (batch, tokens, vocabulary), and the cache with the tokens in it.

        ``arguments`` are those of the source's ``forward``. Raises :class:`InputError` for what no graph takes.
        """
        return _stepped(self.graph, CAUSAL_TOKENS, "", arguments, arguments.get(_CACHE), {})


@attrs.frozen
class PairStep:
    """What an encoder–decoder returns for a start or a step of its decoder."""

    graph: Graph
    encoder: EncoderCall

    def __call__(self, arguments: Mapping[str, Any]) -> Any:
        """As :class:`CausalStep`; the encoder is run where nobody ran it, and the cache keeps what is read of it."""
        import transformers

        cache = arguments.get(_CACHE)
        if cache is None:
            cache = transformers.EncoderDecoderCache(transformers.DynamicCache(), transformers.DynamicCache())
        if not isinstance(cache, transformers.EncoderDecoderCache):
            raise InputError(
                f"The package goes on with an EncoderDecoderCache, and this is a {type(cache).__name__}.",
                hint="Leave past_key_values away.",
            )
        cross = self._read(cache.cross_attention_cache, arguments)
        others: dict[str, Any] = {MASK: arguments.get(MASK), **cross}
        if MASK in self.graph.inputs and others[MASK] is None:
            key = next(iter(cross.values()))
            others[MASK] = key.new_ones((key.shape[0], key.shape[LENGTH_AXIS]), dtype=_integer())
        found = _stepped(self.graph, DECODER_TOKENS, OWN, arguments, cache.self_attention_cache, others)
        if _CACHE in found:
            found[_CACHE] = cache
        return found

    def _read(self, cache: Any, arguments: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """What the decoder reads of the encoder: what the cache holds of it, else what the encoder returned."""
        if not cache.layers:
            known = arguments.get("encoder_outputs")
            if known is None:
                known = self.encoder({name: arguments.get(name) for name in self.encoder.graph.inputs})
            names = [f"{PRESENT}.{place}" for place in places(layers_in(self.graph.inputs, CROSS), CROSS)]
            tensors = [known.get(_field(name)) for name in names]
            if any(tensor is None for tensor in tensors):
                raise InputError(
                    "encoder_outputs do not hold what the decoder reads of them.",
                    hint="Leave encoder_outputs away, or take those of this model's own get_encoder().",
                )
            for layer, pair in enumerate(zip(tensors[::2], tensors[1::2], strict=True)):
                set_layer(cache, layer, *pair)
        return tensors_of(cache, PAST, CROSS)


@attrs.frozen
class EncoderCall:
    """What an encoder returns, with what its decoder reads of it."""

    graph: Graph

    def __call__(self, arguments: Mapping[str, Any]) -> Any:
        """``last_hidden_state``, and beside it the keys and values, ``present_0_encoder_key`` and so on.

        A mask that nobody gave is of ones.
        """
        tensors = dict(arguments)
        if MASK in self.graph.inputs and tensors.get(MASK) is None:
            first = next(tensor for tensor in tensors.values() if hasattr(tensor, "shape"))
            tensors[MASK] = first.new_ones(first.shape[:2], dtype=_integer())
        return as_output({_field(name): tensor for name, tensor in self.graph(tensors).items()})


def _field(name: str) -> str:
    """The name of a tensor as that of an attribute."""
    return name.replace(".", "_")


def _stepped(
    graph: Graph,
    names: tuple[str, str, str],
    side: str,
    arguments: Mapping[str, Any],
    cache: Any,
    others: Mapping[str, Any],
) -> Any:
    tokens, mask, positions = names
    _refuse_others(arguments, (*names, MASK))
    said = arguments.get(tokens)
    if said is None:
        raise InputError(f"The package takes {tokens}, and there is none.", hint="Embeddings are no input of it.")
    import transformers

    cache = transformers.DynamicCache() if cache is None else cache
    batch, count = said.shape
    past = _past(graph, cache, batch, side)
    length = next(iter(past.values())).shape[LENGTH_AXIS] + count
    real = arguments.get(mask)
    real = said.new_ones((batch, length)) if real is None else real
    where = arguments.get(positions)
    where = positions_of(real)[:, -count:] if where is None else where.expand(batch, -1)
    found = graph({**others, tokens: said, mask: real, positions: where, **past})
    for layer in range(layers_in(past, side)):
        key, value = (found.pop(f"{PRESENT}.{layer}.{side}{part}") for part in PARTS)
        set_layer(cache, layer, key, value)
    kept = arguments.get("logits_to_keep") or 0
    logits = found["logits"][:, slice(-kept, None) if isinstance(kept, int) else kept]
    # Whoever goes on without a cache gives the whole text again, and no cache may come back from it.
    return as_output({"logits": logits} if arguments.get("use_cache") is False else {"logits": logits, _CACHE: cache})


def _past(graph: Graph, cache: Any, batch: int, side: str) -> dict[str, torch.Tensor]:
    """What the cache holds, by the names of the inputs; of a cache in which nothing is, tensors of the length 0."""
    from transformers.cache_utils import DynamicLayer

    count = layers_in(graph.inputs, side)
    held = list(getattr(cache, "layers", ()))
    if others := {type(layer).__name__ for layer in held if type(layer) is not DynamicLayer}:
        raise InputError(
            f"The package goes on with a cache that keeps all, and this one has {', '.join(sorted(others))}.",
            hint="Leave past_key_values and cache_implementation away.",
        )
    past: dict[str, torch.Tensor] = {}
    for layer in range(count):
        known = held[layer] if layer < len(held) and held[layer].is_initialized else None
        for part in PARTS:
            name = f"{PAST}.{layer}.{side}{part}"
            past[name] = graph.nothing(name, batch) if known is None else getattr(known, f"{part}s")
    return past


def _refuse_others(arguments: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Refuse what the source would obey and the graph cannot."""
    for name, value in arguments.items():
        if value is None or value is False or name in names or name in _TAKEN:
            continue
        what = "returns no such thing" if name in _UNABLE else "does not take it"
        raise InputError(f"{name} was given, and the exported model {what}.", hint="Leave it away.")


def _array(tensor: torch.Tensor, spec: TensorSpec) -> np.ndarray:
    """The tensor's values in the dtype that the graph takes, sharing memory where it can."""
    from navcore.contract import dtype_named

    array: np.ndarray = _host(tensor)
    return array.astype(dtype_named(spec.dtype), copy=False)


def _host(tensor: torch.Tensor) -> np.ndarray:
    import numpy as np
    import torch

    from navcore.contract import dtype_named

    plain = tensor.detach().cpu()
    if plain.dtype == torch.bfloat16:  # which numpy does not know
        return np.asarray(plain.contiguous().view(torch.int16).numpy().view(dtype_named("bfloat16")))
    return np.asarray(plain.numpy())


def _integer() -> Any:
    import torch

    return torch.int64
