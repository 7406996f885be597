"""Sentence embedding: an encoder with pooling and normalisation, as a folder of sentence-transformers describes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from navcore import InputError

if TYPE_CHECKING:
    import torch

TASK = "sentence-embedding"
_KNOWN = ("Transformer", "Pooling", "Normalize")
_POOLINGS = ("mean", "cls", "max")
_OLD_KEYS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max"}
"""What sentence-transformers wrote before it wrote ``pooling_mode``."""


@attrs.frozen
class Recipe:
    """What is done with the tokens' states: pooled by ``"mean"``, ``"cls"`` or ``"max"``, and scaled to length one.

    ``longest`` is the number of tokens at which sentence-transformers cuts a text, ``None`` where it does not say.
    """

    pooling: str = "mean"
    normalise: bool = True
    longest: int | None = None


def recipe_at(where: str, options: dict[str, Any]) -> Recipe | None:
    """The recipe in the folder, or of the model of the hub; ``None`` for one that sentence-transformers did not write.

    Raises :class:`InputError` for a module or a pooling that is not known here, by its name.
    """
    listed = _content(where, "modules.json", options)
    if listed is None:
        return None
    if not (
        isinstance(listed, list) and all(isinstance(one, dict) and {"type", "path"} <= one.keys() for one in listed)
    ):
        raise InputError(f"{where} has a modules.json that is no list of modules of sentence-transformers.")
    modules = [(str(one["type"]).rpartition(".")[2], str(one["path"])) for one in listed]
    unknown = [kind for kind, _ in modules if kind not in _KNOWN]
    if unknown:
        raise InputError(
            f"{where} has modules of sentence-transformers that are not known here: {', '.join(unknown)}.",
            hint='Give the model live, or task="feature-extraction" for the encoder alone.',
        )
    folder = dict(modules).get("Pooling")
    told = None if folder is None else _content(where, f"{folder}/config.json", options)
    settings = _content(where, "sentence_bert_config.json", options) or {}
    longest = settings.get("max_seq_length")
    normalise = any(kind == "Normalize" for kind, _ in modules)
    return Recipe(_pooling(where, told or {}), normalise, longest if isinstance(longest, int) else None)


def _pooling(where: str, told: dict[str, Any]) -> str:
    modes = told.get("pooling_mode")
    if modes is None:
        modes = [_OLD_KEYS.get(key, key) for key, on in told.items() if key.startswith("pooling_mode_") and on is True]
    modes = [modes] if isinstance(modes, str) else list(modes)
    if len(modes) != 1 or modes[0] not in _POOLINGS:
        raise InputError(
            f"{where} pools tokens by {' and '.join(map(str, modes)) or 'nothing'}, which is not known here.",
            hint=f"Known are {', '.join(_POOLINGS)}.",
        )
    return str(modes[0])


def _content(where: str, name: str, options: dict[str, Any]) -> Any:
    """A file of JSON of the folder or the model of the hub; ``None`` where there is none."""
    from transformers.utils import hub

    cached_file: Any = hub.cached_file
    found = cached_file(
        where,
        name,
        local_files_only=options.get("local_files_only", False),
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    return None if found is None else json.loads(Path(found).read_text())


def embedding_model(encoder: Any, recipe: Recipe) -> torch.nn.Module:
    """The encoder with pooling: tokens, int64 of shape (batch, tokens), to ``embedding``, of shape (batch, width)."""
    import torch

    class SentenceEmbedding(torch.nn.Module):
        """States of the tokens, pooled over the real ones, and scaled to length one where the recipe says so."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.config = encoder.config
            self.pooling = recipe.pooling
            self.normalise = recipe.normalise

        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
        ) -> dict[str, torch.Tensor]:
            segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
            states = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **segments).last_hidden_state
            mask = attention_mask.unsqueeze(-1)
            if self.pooling == "max":
                pooled = states.masked_fill(mask == 0, torch.finfo(states.dtype).min).max(1).values
            elif self.pooling == "cls":
                first = attention_mask.argmax(1)[:, None, None].expand(-1, 1, states.shape[2])
                pooled = states.gather(1, first).squeeze(1)
            else:
                weights = mask.to(states.dtype)
                pooled = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
            return {"embedding": torch.nn.functional.normalize(pooled, dim=1) if self.normalise else pooled}

    return SentenceEmbedding().train(encoder.training)
