"""Data for a model that came with none: texts, images and sounds of varied sizes, through its own processor."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from nav_huggingface.parts import (
    Parts,
    chosen,
    even_lengths,
    is_called_for,
    longest,
    parts_of,
    wanted_names,
)
from navcore import InputError

if TYPE_CHECKING:
    import torch

    from nav_huggingface.sources import Named

ITEMS = 10
"""As many as Model Navigator 0.3 made."""

_BATCH = 2
_SEED = 20220926
_WORDS = 48
"""The longest text in words: enough for the length to vary, and not longer than a check should take."""

_SAYING = ("text2text-generation", "speech-to-text", "feature-extraction")
"""The tasks for which a decoder is given what it has said so far."""

_SENTENCES = (
    "The bakery on the corner opens before sunrise.",
    "Bring an umbrella, it will rain all afternoon.",
    "Please sign here.",
    "Whales sing songs that change from year to year.",
    "In 1969 two people walked on the Moon while a third one circled above them.",
    "The river froze last night.",
    "She debugged the race condition with nothing but print statements.",
    "Who was that?",
    "Glass is made of sand, soda and lime.",
    "He lost his passport two days before the flight and spent the whole weekend at the consulate.",
)


def made_items(
    named: Named, *, batch: int | None = None, padding: bool | str = True, longest_text: int | None = None
) -> list[dict[str, torch.Tensor]]:
    """Ten items for the model, each a mapping of the inputs that its ``forward`` names, from varied raw data.

    Texts have from one to some fifty words, half of them sentences and half words of the tokenizer's own vocabulary;
    images are of varied sizes; sounds last from half a second to two. The same call makes the same items.

    Args:
        named: the model with its processor.
        batch: how many texts, images or sounds an item holds, two by default.
        padding: how a tokenizer pads, as it takes the argument; texts of one item are padded in any case.
        longest_text: the most tokens of a text.

    Raises:
        InputError: the model came without a processor, or with one that makes nothing the model takes.
    """
    model, names = named.model, wanted_names(named.model)
    parts = parts_of(named.processor)
    used = [part for part in (parts.tokenizer, parts.images, parts.sounds) if is_called_for(part, names)]
    if not used:
        problem = f" ({named.problem})" if named.problem else ""
        lacking = f"came without a tokenizer or processor that can be loaded{problem}"
        what = lacking if named.processor is None else "takes nothing that its processor makes"
        raise InputError(
            f"{type(model).__name__} {what}, so that no data can be made for it.",
            hint="Give a dataloader, a dataset with preprocess=, or processor=.",
        )
    random = np.random.default_rng(_SEED)
    size = batch or _BATCH
    items = []
    for number in range(ITEMS):
        tensors: dict[str, Any] = {}
        if parts.tokenizer in used:
            limit = longest(parts.tokenizer, model, longest_text)
            tensors.update(_tokens(named, parts, random, size, number, padding=padding, limit=limit))
        if parts.images in used:
            tensors.update(parts.images(images=[_image(random) for _ in range(size)], return_tensors="pt"))
        if parts.sounds in used:
            rate = parts.sounds.sampling_rate
            sounds = [_sound(random, rate) for _ in range(size)]
            tensors.update(parts.sounds(sounds, sampling_rate=rate, return_tensors="pt", **even_lengths(parts.sounds)))
        tensors.update(_decoder_tokens(named, names, parts, random, size))
        items.append(chosen(tensors, names))
    return items


def _tokens(
    named: Named, parts: Parts, random: np.random.Generator, size: int, number: int, *, padding: bool | str, limit: int
) -> Any:
    """Texts of at most so many words that the items differ in length, and the texts of each among themselves."""
    tokenizer = parts.tokenizer
    most = 1 + (_WORDS - 1) * number // (ITEMS - 1)
    columns = 2 if named.task.name == "question-answering" else 1
    texts = [
        [_text(tokenizer, random, size * number + place + column, most) for place in range(size)]
        for column in range(columns)
    ]
    made = tokenizer(*texts, padding=padding or True, truncation=True, max_length=limit, return_tensors="pt")
    rows, known = _rows(named.model), int(made["input_ids"].max())
    if rows is not None and known >= rows:
        raise InputError(
            f"The tokenizer has a token {known}, and {type(named.model).__name__} embeds {rows} tokens.",
            hint="They do not belong together: give the model's own processor=, or a dataloader.",
        )
    return made


def _rows(model: Any) -> int | None:
    """How many tokens the model embeds; ``None`` where it does not say."""
    with contextlib.suppress(AttributeError, NotImplementedError, KeyError):
        return getattr(model.get_input_embeddings(), "num_embeddings", None)
    return None


def _text(tokenizer: Any, random: np.random.Generator, number: int, most: int) -> str:
    """Some words of sentences, or of the tokenizer's own vocabulary, in turn."""
    count = int(random.integers(1, most + 1))
    if number % 2 == 0:
        first = int(random.integers(len(_SENTENCES)))
        return " ".join(" ".join(_SENTENCES[first:] + _SENTENCES[:first]).split()[:count])
    special = set(tokenizer.all_special_ids)
    known = [token for token in range(len(tokenizer)) if token not in special]
    return str(tokenizer.decode(random.choice(known, size=count).tolist()))


def _image(random: np.random.Generator) -> np.ndarray:
    """A gradient with noise, uint8 of shape (height, width, 3), each side from 32 to 320 pixels."""
    height, width = (int(side) for side in random.integers(32, 321, size=2))
    ramp = np.linspace(0, 1, height)[:, None, None] * random.random(3) + np.linspace(0, 1, width)[None, :, None]
    noisy = ramp * 100 + random.random((height, width, 3)) * 55
    return np.asarray(noisy.astype(np.uint8))


def _sound(random: np.random.Generator, rate: int) -> np.ndarray:
    """A tone with noise, float32 in −1 … 1, of half a second to two at ``rate`` samples per second."""
    time = np.arange(int(rate * random.uniform(0.5, 2.0))) / rate
    tone = 0.5 * np.sin(2 * np.pi * random.uniform(100, 1000) * time)
    return np.asarray(tone + 0.1 * random.standard_normal(len(time)), dtype=np.float32)


def _decoder_tokens(
    named: Named, names: tuple[str, ...], parts: Parts, random: np.random.Generator, size: int
) -> dict[str, Any]:
    """What an encoder–decoder has said so far: its start and a few tokens; nothing for any other model.

    Nor for one with another head, which shows its decoder the text itself.
    """
    import torch

    config: Any = getattr(named.model, "config", None)
    says = named.task.name in _SAYING and getattr(config, "is_encoder_decoder", False)
    if not says or "decoder_input_ids" not in names:
        return {}
    start = getattr(config, "decoder_start_token_id", None)
    vocabulary = config.get_text_config(decoder=True).vocab_size if parts.tokenizer is None else len(parts.tokenizer)
    said = torch.from_numpy(random.integers(0, vocabulary, size=(size, int(random.integers(2, 9)))))
    said[:, 0] = said[:, 0] if start is None else start
    return {"decoder_input_ids": said}
