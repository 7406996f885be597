"""The parts of a processor, each with what it takes: texts, images, sounds; and the tensors that a model asks for."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from nav_huggingface.timm_models import TimmImages
from navcore import InputError

if TYPE_CHECKING:
    import torch

_USUAL_LONGEST = 512
"""Tokens, where neither the tokenizer nor the model says how many it takes."""


@attrs.frozen
class Parts:
    """What a processor is made of. A part that it does not have is ``None``."""

    tokenizer: Any = None
    images: Any = None
    sounds: Any = None


def parts_of(processor: Any) -> Parts:
    """The tokenizer, image processor and feature extractor for sounds that ``processor`` is or holds."""
    import transformers

    found: dict[str, Any] = {}
    inner = [getattr(processor, name, None) for name in ("tokenizer", "image_processor", "feature_extractor")]
    for part in (processor, *inner):
        if isinstance(part, transformers.PreTrainedTokenizerBase):
            found.setdefault("tokenizer", part)
        elif isinstance(part, transformers.BaseImageProcessor | TimmImages):
            found.setdefault("images", part)
        elif isinstance(part, transformers.SequenceFeatureExtractor):
            found.setdefault("sounds", part)
    return Parts(**found)


def wanted_names(model: Any) -> tuple[str, ...]:
    """The inputs that the model's own ``forward`` names, in its order, without those that are labels."""
    from transformers.utils import generic

    find_labels: Any = generic.find_labels  # has no types
    labels = set(find_labels(type(model)))
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    taken = inspect.signature(model.forward).parameters.values()
    return tuple(one.name for one in taken if one.kind in kinds and one.name not in labels)


def chosen(tensors: Mapping[str, Any], names: Iterable[str]) -> dict[str, torch.Tensor]:
    """Those of ``tensors`` that are called for, in the order of ``names``.

    Raises :class:`InputError` where none of them is.
    """
    import torch

    found = {name: torch.as_tensor(tensors[name]) for name in names if tensors.get(name) is not None}
    if not found:
        there = ", ".join(map(str, tensors)) or "nothing"
        raise InputError(
            f"The model's forward takes {', '.join(names)}, and the data has {there}.",
            hint="Give a dataloader whose items are mappings with the names of the model's inputs.",
        )
    return found


def is_called_for(part: Any, names: Iterable[str]) -> bool:
    """Whether the first tensor that a part makes is one that the model takes."""
    return part is not None and part.model_input_names[0] in names


def longest(tokenizer: Any, model: Any, asked: int | None = None) -> int:
    """How many tokens a text may have: what was asked for, the tokenizer's own limit, and that of the positions."""
    config: Any = getattr(model, "config", None)
    texts = config.get_text_config() if hasattr(config, "get_text_config") else config
    positions = getattr(texts, "max_position_embeddings", None)
    limits = [asked or _USUAL_LONGEST, int(tokenizer.model_max_length)]
    if isinstance(positions, int) and positions > 0:
        # RoBERTa and its kin count positions from behind the padding's number on.
        limits.append(max(positions - 1 - (getattr(texts, "pad_token_id", None) or 0), 1))
    return min(limits)


def even_lengths(sounds: Any) -> dict[str, Any]:
    """How a feature extractor makes sounds of several lengths even: its own way (Whisper's 30 seconds), else padded."""
    default = inspect.signature(sounds.__call__).parameters["padding"].default
    return {} if default else {"padding": True}
