"""Data for the graphs of a generating model: prompts and steps of texts, with the caches that the source makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from nav_huggingface.caches import (
    LENGTH_AXIS,
    OWN,
    PAST,
    PRESENT,
    refusal,
    tensors_of,
)
from nav_huggingface.graphs import CAUSAL_TOKENS, DECODER_TOKENS, MASK, STATES
from nav_huggingface.parts import wanted_names
from navcore import DataloaderError
from navcore.errors import first_line

if TYPE_CHECKING:
    import torch

Tensors = dict[str, Any]
"""The inputs of one call by name, each a tensor with the batch in front."""

_KINDS = 4
"""Of each text a prompt, which is all of it; a step, which is its last token; a rest, behind a third of it; a start,
which is one token and nothing cached."""

_CLEAR = 6
"""Tokens from which on a rest shows that its tokens, what is cached of it, and both together are three lengths."""

_TOLD = 8
"""Tokens that a decoder is made to have said where the data do not say."""


@attrs.frozen
class Prompts:
    """A dataloader for :func:`~nav_huggingface.graphs.causal_graph`, of one whose items are a model's inputs.

    Of each item it makes four, see :data:`_KINDS`; what is cached in them the source has cached, run here.
    """

    base: Any
    model: Any = attrs.field(repr=False)
    graph: Any = attrs.field(repr=False)

    def __len__(self) -> int:
        return _KINDS * len(self.base)

    def __iter__(self) -> Iterator[Tensors]:
        empty: Tensors | None = None
        for item in self.base:
            whole = texts_of(self.model, item, CAUSAL_TOKENS)
            empty = _empty(filled(self.model, whole)) if empty is None else empty
            yield from _items(self.graph, whole, CAUSAL_TOKENS, empty, {})


@attrs.frozen
class Sources:
    """A dataloader for :func:`~nav_huggingface.graphs.encoder_graph`: what of the items the encoder takes."""

    base: Any
    model: Any = attrs.field(repr=False)

    def __len__(self) -> int:
        return len(self.base)

    def __iter__(self) -> Iterator[Tensors]:
        for item in self.base:
            yield source_of(self.model, item)


@attrs.frozen
class Answers:
    """A dataloader for :func:`~nav_huggingface.graphs.decoder_graph`: what the decoder has said so far, as prompts.

    Where an item does not say it, it is some tokens at random, and so for every pass the same.
    """

    base: Any
    model: Any = attrs.field(repr=False)
    encoder: Any = attrs.field(repr=False)
    graph: Any = attrs.field(repr=False)

    def __len__(self) -> int:
        return _KINDS * len(self.base)

    def __iter__(self) -> Iterator[Tensors]:
        import torch

        random = np.random.default_rng(0)
        empty: Tensors | None = None
        for item in self.base:
            source = source_of(self.model, item)
            with torch.no_grad():
                read = self.encoder(**source)
            states = read.pop(STATES)
            cross = {f"{PAST}{name.removeprefix(PRESENT)}": tensor for name, tensor in read.items()}
            said = dict(item)
            if said.get(DECODER_TOKENS[0]) is None:
                said[DECODER_TOKENS[0]] = _said(self.model, len(states), random)
            whole = texts_of(self.model, said, DECODER_TOKENS)
            empty = _empty(filled_answer(self.model, states, whole), OWN) if empty is None else empty
            mask = {MASK: source[MASK]} if MASK in source else {}
            yield from _items(self.graph, whole, DECODER_TOKENS, empty, {**mask, **cross}, OWN)


def source_of(model: Any, item: Any) -> Tensors:
    """What of an item of the data the encoder of ``model`` takes.

    Raises :class:`DataloaderError` for an item that has none of it.
    """
    tensors = _mapping(item)
    taken = wanted_names(model.get_encoder())
    found = {name: _tensor(tensors[name], model) for name in taken if tensors.get(name) is not None}
    if model.main_input_name not in found:
        raise _lacking(model.main_input_name, tensors)
    return found


def filled(model: Any, whole: Tensors) -> Any:
    """The cache that a causal decoder has filled with a text."""
    import torch
    import transformers

    cache = transformers.DynamicCache()
    with torch.no_grad():
        model(**whole, past_key_values=cache, use_cache=True, return_dict=True)
    return cache


def filled_answer(model: Any, states: torch.Tensor, whole: Tensors) -> Any:
    """The cache of its own that the decoder of an encoder–decoder has filled with what it said."""
    import torch
    import transformers
    from transformers.modeling_outputs import BaseModelOutput

    cache = transformers.EncoderDecoderCache(transformers.DynamicCache(), transformers.DynamicCache())
    with torch.no_grad():
        model(
            encoder_outputs=BaseModelOutput(last_hidden_state=states), **whole, past_key_values=cache, use_cache=True,
            return_dict=True,
        )  # fmt: skip
    return cache.self_attention_cache


def why_no_cache(model: Any, base: Any) -> str:
    """Why ``model`` cannot be exported with a cache that goes in and comes out; empty where it can.

    ``base`` is a dataloader of what the model takes; its first item is run.
    """
    import torch

    if not (hasattr(model, "can_generate") and model.can_generate() and hasattr(model, "generation_config")):
        return "its class does not generate"
    try:
        item = next(iter(base), None)
        if item is None:
            return "there are no data"
        if not model.config.is_encoder_decoder:
            if others := sorted(set(_mapping(item)) & {"pixel_values", "input_features", "inputs_embeds"}):
                return f"it reads {', '.join(others)} beside a text"
            return refusal(filled(model, texts_of(model, item, CAUSAL_TOKENS)))
        with torch.no_grad():
            states = model.get_encoder()(**source_of(model, item), return_dict=True).last_hidden_state
        said = {DECODER_TOKENS[0]: _said(model, len(states), np.random.default_rng(0))}
        return refusal(filled_answer(model, states, texts_of(model, said, DECODER_TOKENS)))
    except DataloaderError as error:
        return error.what.rstrip(".")
    except Exception as error:  # whatever a model says to a cache that it does not know
        return f"it fails with one: {type(error).__name__}: {first_line(error)}"


def texts_of(model: Any, item: Any, names: tuple[str, str, str]) -> Tensors:
    """The tokens of an item, their mask and positions as ``generate`` makes them, as far as the model takes them.

    A text of fewer tokens than a rest needs is followed by itself.
    """
    import torch

    tensors = _mapping(item)
    tokens, mask, positions = names
    if tensors.get(tokens) is None:
        raise _lacking(tokens, tensors)
    said = _tensor(tensors[tokens], model)
    if said.ndim != 2 or not said.shape[1]:
        raise DataloaderError(
            f"An item's {tokens} has the shape {tuple(said.shape)}, and not (batch, tokens).",
            hint="Each item is a batch of texts, be it of one, with a token at least.",
        )
    real = torch.ones_like(said) if tensors.get(mask) is None else _tensor(tensors[mask], model)
    times = -(-_CLEAR // said.shape[1])
    said, real = said.repeat(1, times), real.repeat(1, times)
    found = {tokens: said, mask: real, positions: positions_of(real)}
    taken = wanted_names(model)
    return {name: tensor for name, tensor in found.items() if name in taken}


def positions_of(mask: torch.Tensor) -> torch.Tensor:
    """The positions of tokens of which ``mask``, int64 of shape (batch, length), says whether they are real."""
    return (mask.cumsum(-1) - 1).masked_fill(mask == 0, 0)


def _items(
    graph: Any, whole: Tensors, names: tuple[str, str, str], empty: Tensors, others: Tensors, side: str = ""
) -> Iterator[Tensors]:
    """What is made of a text; ``others`` goes into each as it is."""
    import torch

    tokens, mask, _ = names
    size, length = whole[tokens].shape
    nothing = {name: tensor.new_zeros((size, *tensor.shape[1:])) for name, tensor in empty.items()}
    for past in (0, length - 1, length // 3):
        cache = nothing
        if past:
            with torch.no_grad():
                found = graph(**{name: tensor[:, :past] for name, tensor in whole.items()}, **others, **nothing)
            cache = {name: found[name.replace(PAST, PRESENT)] for name in empty}
        yield {
            **{name: tensor if name == mask else tensor[:, past:] for name, tensor in whole.items()}, **others, **cache
        }  # fmt: skip
    # Padding alone is no prompt: texts that are padded in front start with their last token.
    real = mask not in whole or bool(whole[mask][:, 0].all())
    one = slice(0, 1) if real else slice(length - 1, length)
    start = {name: tensor[:, one] for name, tensor in whole.items()}
    if names[2] in start:
        start[names[2]] = torch.zeros_like(start[names[2]])
    yield {**start, **others, **nothing}


def _empty(cache: Any, side: str = "") -> Tensors:
    """The tensors of a cache of the same kind in which nothing is cached, for a batch of one."""
    return {
        name: tensor.new_zeros((1, tensor.shape[1], 0, tensor.shape[LENGTH_AXIS + 1]))
        for name, tensor in tensors_of(cache, PAST, side).items()
    }


def _said(model: Any, size: int, random: np.random.Generator) -> torch.Tensor:
    """A start and some tokens at random, int64 of shape (batch, tokens)."""
    config = model.config
    words = random.integers(0, config.get_text_config(decoder=True).vocab_size, size=(size, _TOLD))
    said = _tensor(words, model)
    start = getattr(config, "decoder_start_token_id", None)
    said[:, 0] = said[:, 0] if start is None else start
    return said


def _mapping(item: Any) -> Mapping[str, Any]:
    if not isinstance(item, Mapping):
        raise DataloaderError(
            f"An item of the data is a {type(item).__name__}.",
            hint="To export a model that generates, give mappings with the names of the model's inputs.",
        )
    return item


def _tensor(value: Any, model: Any) -> torch.Tensor:
    """The value as a tensor where the model is."""
    import torch

    return torch.as_tensor(value).to(model.device)


def _lacking(name: str, tensors: Mapping[str, Any]) -> DataloaderError:
    return DataloaderError(f"An item of the data has {', '.join(tensors) or 'nothing'}, and no {name}.")
