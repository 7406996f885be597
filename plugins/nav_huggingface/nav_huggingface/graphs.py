"""What a generating model is exported as: modules of flat tensors around it, in which its cache goes in and comes out.

A causal decoder is one graph, which answers a prompt, where the cache has the length 0, and each step after it. An
encoder–decoder is two: the encoder with what every layer of the decoder reads of it, computed once, and the decoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nav_huggingface.caches import (
    CROSS,
    LENGTH_AXIS,
    OWN,
    PAST,
    PRESENT,
    cache_of,
    tensors_of,
)

if TYPE_CHECKING:
    import torch

CAUSAL_TOKENS = ("input_ids", "attention_mask", "position_ids")
"""The inputs of a causal decoder beside its cache: tokens, the mask of cache and tokens, the tokens' positions."""

DECODER_TOKENS = ("decoder_input_ids", "decoder_attention_mask", "decoder_position_ids")
"""The same of the decoder of an encoder–decoder."""

MASK = "attention_mask"
"""Of an encoder–decoder the mask of its source, which both graphs take."""

STATES = "last_hidden_state"


def causal_graph(model: Any) -> torch.nn.Module:
    """``model`` with tensors of these shapes; ``tokens`` may be one, ``cache`` none.

    In: ``input_ids`` (batch, tokens), ``attention_mask`` (batch, cache + tokens), ``position_ids`` (batch, tokens) for
    models that take them, all int64, and ``past_key_values.<layer>.key`` and ``….value`` (batch, heads, cache, width).
    Out: ``logits`` (batch, tokens, vocabulary), ``present.<layer>.key`` and ``….value``, by the tokens longer.

    The graph raises :class:`RuntimeError` for a mask of another length.
    """
    import torch

    class CausalGraph(torch.nn.Module):
        """One step of a causal decoder."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, **tensors: torch.Tensor) -> dict[str, torch.Tensor]:
            """See :func:`causal_graph`."""
            cache = cache_of(tensors)
            _check_mask(tensors, CAUSAL_TOKENS, tensors[f"{PAST}.0.key"])
            given = {name: tensors[name] for name in CAUSAL_TOKENS if name in tensors}
            found = self.model(**given, past_key_values=cache, use_cache=True, return_dict=True)
            return {"logits": found.logits, **tensors_of(cache, PRESENT)}

    return CausalGraph().train(model.training)


def encoder_graph(model: Any) -> torch.nn.Module:
    """The encoder of ``model``, with what its decoder reads.

    In: what the encoder takes. Out: ``last_hidden_state`` (batch, source, width), and the keys and values of the
    attention to it, ``present.<layer>.encoder.key`` and ``….value`` (batch, heads, source, width).
    """
    import torch
    import transformers

    class EncoderGraph(torch.nn.Module):
        """An encoder, run once for each text or sound."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, **tensors: torch.Tensor) -> dict[str, torch.Tensor]:
            """See :func:`encoder_graph`."""
            states = self.model.get_encoder()(**tensors, return_dict=True)
            cache = transformers.EncoderDecoderCache(transformers.DynamicCache(), transformers.DynamicCache())
            mask = {MASK: tensors[MASK]} if MASK in tensors else {}
            # Keys and values do not depend on what the decoder says; what it does with them is no part of the graph.
            word = torch.zeros_like(states.last_hidden_state[:, :1, 0], dtype=torch.int64)
            self.model(
                encoder_outputs=states, **mask, decoder_input_ids=word, past_key_values=cache, use_cache=True,
                return_dict=True,
            )  # fmt: skip
            return {STATES: states.last_hidden_state, **tensors_of(cache.cross_attention_cache, PRESENT, CROSS)}

    return EncoderGraph().train(model.training)


def decoder_graph(model: Any) -> torch.nn.Module:
    """The decoder of ``model``, with tensors of these shapes; ``tokens`` may be one, ``cache`` none.

    In: ``decoder_input_ids`` (batch, tokens), ``decoder_attention_mask`` (batch, cache + tokens),
    ``decoder_position_ids`` (batch, tokens) for models that take them, ``attention_mask`` (batch, source) where the
    encoder has one, all int64; ``past_key_values.<layer>.decoder.key`` and ``….value`` (batch, heads, cache, width),
    and ``past_key_values.<layer>.encoder.key`` and ``….value`` (batch, heads, source, width) of the encoder.
    Out: ``logits`` (batch, tokens, vocabulary), ``present.<layer>.decoder.key`` and ``….value``, by the tokens longer.

    The graph raises :class:`RuntimeError` for a mask of another length.
    """
    import torch
    import transformers
    from transformers.modeling_outputs import BaseModelOutput

    class DecoderGraph(torch.nn.Module):
        """One step of the decoder of an encoder–decoder."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, **tensors: torch.Tensor) -> dict[str, torch.Tensor]:
            """See :func:`decoder_graph`."""
            own, cross = cache_of(tensors, OWN), cache_of(tensors, CROSS)
            _check_mask(tensors, DECODER_TOKENS, tensors[f"{PAST}.0.{OWN}key"])
            cache = transformers.EncoderDecoderCache(own, cross)
            cache.is_updated.update(dict.fromkeys(range(len(cross.layers)), True))
            # Only that there are states is asked for, and how many: what the decoder reads of them is in the cache.
            read = tensors[f"{PAST}.0.{CROSS}key"]
            states = read[:, 0, :, :1].expand(-1, -1, self.model.config.hidden_size)
            given = {name: tensors[name] for name in (*DECODER_TOKENS, MASK) if name in tensors}
            found = self.model(
                encoder_outputs=BaseModelOutput(last_hidden_state=states), **given, past_key_values=cache,
                use_cache=True, return_dict=True,
            )  # fmt: skip
            return {"logits": found.logits, **tensors_of(own, PRESENT, OWN)}

    return DecoderGraph().train(model.training)


def _check_mask(tensors: dict[str, torch.Tensor], names: tuple[str, str, str], past: torch.Tensor) -> None:
    """Refuse a mask that is not of cache and tokens, which transformers would cut or fill up; tell a capture so."""
    import torch

    tokens, mask = names[:2]
    jit: Any = torch.jit
    if mask not in tensors or jit.is_tracing():  # where sizes are tensors, and a check would be a constant
        return
    fits = tensors[mask].shape[1] == past.shape[LENGTH_AXIS] + tensors[tokens].shape[1]
    check: Any = torch._check
    check(fits, lambda: f"{mask} has to be as long as the cache and {tokens} together.")
