"""A dataset as a dataloader: columns matched by name, each batch padded, with the masks of the real lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
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
from navcore import DataloaderError, InputError
from navcore.errors import first_line

if TYPE_CHECKING:
    import torch

    from nav_huggingface.sources import Named

Columns = Mapping[str, Sequence[Any]]
"""Some rows of a dataset: a list for each column, as ``dataset[0:8]`` gives them."""

Preprocess = Callable[[Columns], Mapping[str, Any]]

# Columns that say what they hold: those that public data sets have, the surer first. A pair is one input of two texts.
_PAIRS = (("question", "context"), ("premise", "hypothesis"), ("sentence1", "sentence2"), ("text", "text_pair"))
_TEXTS = ("text", "sentence", "content", "document", "tokens", "question")
_IMAGES = ("image", "img", "pixel_values")
_SOUNDS = ("audio", "speech", "array")


@attrs.frozen
class Rows:
    """A dataloader over a dataset: an item is a mapping of the model's inputs, torch tensors of shape (batch, …).

    ``preprocess`` turns some rows, a list for each column, into the model's inputs, a list for each: what
    ``datasets.map(batched=True)`` takes. Without it columns that are named like the inputs are the inputs, and else the
    columns of texts, images or sounds go through the model's processor. Lists of numbers are padded to the longest of
    the batch, by the tokenizer where there is one.
    """

    named: Named
    dataset: Any
    preprocess: Preprocess | None = None
    batch: int = 1
    padding: bool | str = True
    longest_text: int | None = None
    most: int = 100

    def __len__(self) -> int:
        """How many items there are, ``most`` at most."""
        return min(-(-len(self.dataset) // self.batch), self.most)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        parts = parts_of(self.named.processor)
        names = wanted_names(self.named.model)
        for number in range(len(self)):
            columns = self.dataset[number * self.batch : (number + 1) * self.batch]
            yield chosen(self._padded(self._inputs(columns, parts, names), parts, names), names)

    def _inputs(self, columns: Columns, parts: Parts, names: tuple[str, ...]) -> Mapping[str, Any]:
        if self.preprocess is not None:
            return self._preprocessed(columns)
        if any(is_called_for(part, columns) for part in (parts.tokenizer, parts.images, parts.sounds)) or (
            self.named.processor is None and any(name in columns for name in names)
        ):
            return columns
        found: dict[str, Any] = {}
        if is_called_for(parts.tokenizer, names):
            limit = longest(parts.tokenizer, self.named.model, self.longest_text)
            texts = _text_columns(columns, self.named.task.name)
            found.update(parts.tokenizer(*texts, truncation=True, max_length=limit))
        if is_called_for(parts.images, names):
            images = [_picture(one) for one in columns[_column(columns, _IMAGES, "images")]]
            found.update(parts.images(images=images, return_tensors="pt"))
        if is_called_for(parts.sounds, names):
            found.update(_features(parts.sounds, columns[_column(columns, _SOUNDS, "sounds")]))
        return found or columns

    def _preprocessed(self, columns: Columns) -> Mapping[str, Any]:
        assert self.preprocess is not None
        try:
            found = self.preprocess(columns)
        except Exception as error:
            raise DataloaderError(
                f"preprocess failed on the columns {', '.join(columns)}: {type(error).__name__}: {first_line(error)}",
                hint="It is given some rows at once: a mapping of a list for each column.",
            ) from error
        if not isinstance(found, Mapping):
            raise DataloaderError(
                f"preprocess returned a {type(found).__name__}.", hint="It has to return the inputs by name."
            )
        return found

    def _padded(self, inputs: Mapping[str, Any], parts: Parts, names: tuple[str, ...]) -> Mapping[str, Any]:
        """The inputs as tensors: what the tokenizer knows is padded by it, all else has to be of one shape."""
        tokenizer = parts.tokenizer
        if tokenizer is not None and is_called_for(tokenizer, inputs):
            ours = {name: inputs[name] for name in names if name in inputs}
            known = {name: list(ours[name]) for name in ours if name in tokenizer.model_input_names}
            limit = longest(tokenizer, self.named.model, self.longest_text)
            most = {"max_length": limit} if self.padding == "max_length" else {}
            even = tokenizer.pad(known, padding=self.padding, return_tensors="pt", **most)
            return {**{name: _stacked(name, ours[name]) for name in ours if name not in known}, **even}
        return {name: _stacked(name, inputs[name]) for name in names if name in inputs}


def first_split(dataset: Any) -> Any:
    """The dataset itself, or of a mapping of splits the training split, as in 0.3, else the first.

    Raises :class:`InputError` for what has no length, no rows, or gives no columns.
    """
    if isinstance(dataset, Mapping) and not isinstance(next(iter(dataset.values()), None), list | np.ndarray):
        dataset = dataset.get("train", next(iter(dataset.values()), None))
    try:
        empty = len(dataset) == 0
        columns = None if empty else dataset[0:1]
    except (TypeError, KeyError, IndexError) as error:
        raise InputError(
            f"A {type(dataset).__name__} is no dataset that can be read by rows: {first_line(error)}",
            hint="Give a datasets.Dataset, not a streamed one.",
        ) from error
    if empty:
        raise DataloaderError("The dataset has no rows.")
    if not isinstance(columns, Mapping):
        raise InputError(
            f"Rows of a {type(dataset).__name__} have no columns.",
            hint="dataset[0:2] has to be a mapping of a list for each column, as that of a datasets.Dataset is.",
        )
    return dataset


def _text_columns(columns: Columns, task: str) -> tuple[list[str], ...]:
    """The columns that hold texts: the usual pair, the usual column, or the only one there is."""
    texts = {name: list(values) for name, values in columns.items() if all(isinstance(one, str) for one in values)}
    for first, second in _PAIRS:
        if first in texts and second in texts:
            return texts[first], texts[second]
    named = next((name for name in _TEXTS if name in texts), None)
    if named is None and len(texts) == 1:
        named = next(iter(texts))
    if named is None:
        which = f"and none of {', '.join(texts)} is a usual name" if texts else "and none of them holds texts"
        raise InputError(
            f"The dataset's columns are {', '.join(columns)}, {which}: what the {task} model reads is not clear.",
            hint="Give preprocess=, which turns some rows into the model's inputs.",
        )
    return (texts[named],)


def _column(columns: Columns, usual: tuple[str, ...], what: str) -> str:
    found = next((name for name in usual if name in columns), None)
    if found is None:
        raise InputError(
            f"The dataset's columns are {', '.join(columns)}: none is called like {what} are, {', '.join(usual)}.",
            hint="Rename the column, or give preprocess=.",
        )
    return found


def _picture(image: Any) -> Any:
    """An image of PIL's in colours; an array as it is."""
    return image.convert("RGB") if hasattr(image, "convert") else image


def _features(sounds: Any, values: Sequence[Any]) -> Mapping[str, Any]:
    """What the feature extractor makes of sounds: arrays, or mappings with ``array`` and ``sampling_rate``."""
    heard = [
        one if isinstance(one, Mapping) else {"array": one, "sampling_rate": sounds.sampling_rate} for one in values
    ]
    rates = {int(one["sampling_rate"]) for one in heard}
    if rates != {sounds.sampling_rate}:
        raise InputError(
            f"The sounds have {', '.join(map(str, sorted(rates)))} samples per second, and the model takes "
            f"{sounds.sampling_rate}.",
            hint=f"dataset.cast_column('audio', datasets.Audio({sounds.sampling_rate})) resamples.",
        )
    arrays = [np.asarray(one["array"], np.float32) for one in heard]
    features: Mapping[str, Any] = sounds(
        arrays, sampling_rate=sounds.sampling_rate, return_tensors="pt", **even_lengths(sounds)
    )
    return features


def _stacked(name: str, values: Any) -> Any:
    import torch

    if isinstance(values, torch.Tensor):
        return values
    try:
        return torch.stack([torch.as_tensor(np.asarray(one)) for one in values])
    except (RuntimeError, TypeError, ValueError) as error:
        raise DataloaderError(
            f"The rows of {name!r} are of several shapes, or no numbers: {first_line(error)}",
            hint="Pad them in preprocess=, or give processor= with a tokenizer that does.",
        ) from error
