"""Small models that generate, of seven shapes, with random weights, and data and prompts for them."""

from __future__ import annotations

from typing import Any

VOCABULARY = 100
WINDOW = 16
"""Tokens that the sliding layer of the Gemma looks back: fewer than are generated."""

_SPECIAL = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
_SIZES = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128, "initializer_range": 0.5,
    **_SPECIAL,
}  # fmt: skip
_PAIR = {
    "vocab_size": VOCABULARY, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, **_SPECIAL,
}  # fmt: skip
_MELS, _FRAMES = 8, 40

SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": (
        "GPT2LMHeadModel",
        {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128,
         "initializer_range": 0.5, **_SPECIAL},
    ),
    "llama": ("LlamaForCausalLM", _SIZES),
    "qwen": ("Qwen3ForCausalLM", {**_SIZES, "head_dim": 16}),
    "gemma": (
        "Gemma3ForCausalLM",
        {**_SIZES, "head_dim": 16, "sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"]},
    ),
    "t5": (
        "T5ForConditionalGeneration",
        {"vocab_size": VOCABULARY, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4,
         "initializer_factor": 2.0, "decoder_start_token_id": 0, "eos_token_id": 2, "pad_token_id": 0},
    ),
    "bart": (
        "BartForConditionalGeneration",
        {**_PAIR, "max_position_embeddings": 128, "init_std": 0.1, "decoder_start_token_id": 2,
         "forced_eos_token_id": None, "tie_word_embeddings": False},
    ),
    "whisper": (
        "WhisperForConditionalGeneration",
        {**_PAIR, "num_mel_bins": _MELS, "max_source_positions": _FRAMES // 2, "max_target_positions": 128,
         "init_std": 0.5, "decoder_start_token_id": 1, "suppress_tokens": [], "begin_suppress_tokens": []},
    ),
}  # fmt: skip


def model(shape: str) -> Any:
    """A model of that shape, with weights from a fixed seed."""
    import torch
    import transformers

    torch.manual_seed(0)
    kind, sizes = SHAPES[shape]
    cls = getattr(transformers, kind)
    return cls(cls.config_class(**sizes)).eval()


def items(source: Any) -> list[dict[str, Any]]:
    """A dataloader of a few items, of one to three texts or sounds, some of them padded on the side that suits."""
    import torch

    random = torch.Generator().manual_seed(1)
    found = []
    for size, length in ((2, 7), (3, 12), (2, 16), (1, 9), (2, 24), (2, 11)):
        if source.main_input_name == "input_features":
            found.append({"input_features": torch.randn(size, _MELS, _FRAMES, generator=random)})
            continue
        mask = torch.ones(size, length, dtype=torch.int64)
        mask[1:, slice(-2, None) if source.config.is_encoder_decoder else slice(2)] = 0
        texts = torch.randint(3, VOCABULARY, (size, length), generator=random)
        found.append({"input_ids": texts * mask, "attention_mask": mask})
    return found


def prompts(source: Any, size: int) -> dict[str, Any]:
    """A batch of texts or sounds that are not in the data; each text is padded in front, by two more than the last."""
    import torch

    random = torch.Generator().manual_seed(5)
    if source.main_input_name == "input_features":
        return {"input_features": torch.randn(size, _MELS, _FRAMES, generator=random)}
    mask = torch.ones(size, 10, dtype=torch.int64)
    for row in range(size):
        mask[row, : 2 * row] = 0
    texts = torch.randint(3, VOCABULARY, mask.shape, generator=random)
    return {"input_ids": texts * mask, "attention_mask": mask}
