"""Tiny models with random weights and a tokenizer of a few sentences, as a hub would give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SENTENCES = (
    "the bakery on the corner opens before sunrise",
    "bring an umbrella it will rain all afternoon",
    "whales sing songs that change from year to year",
    "in 1969 two people walked on the moon while a third one circled above them",
    "glass is made of sand soda and lime",
    "he lost his passport two days before the flight",
)
LABELS = {0: "calm", 1: "stormy", 2: "dry"}
POSITIONS = 64
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_TEXT = " ".join(SENTENCES)
_LETTERS = sorted(set(_TEXT) - {" "})
PIECES = tuple(
    dict.fromkeys((*SPECIAL, *_LETTERS, *(f"##{letter}" for letter in _LETTERS), *sorted(set(_TEXT.split()))))
)


def tokenizer() -> Any:
    """A WordPiece tokenizer as BERT's, of all letters and words of the sentences, some hundred pieces."""
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = models.WordPiece({piece: number for number, piece in enumerate(PIECES)}, unk_token="[UNK]")
    made = Tokenizer(words)
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast: Any = transformers.PreTrainedTokenizerFast
    return fast(
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=POSITIONS,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def model(kind: str, **changes: Any) -> Any:
    """A model of the class ``kind`` of transformers, with two layers of width 32 and weights from a fixed seed."""
    import torch
    import transformers

    torch.manual_seed(0)
    cls = getattr(transformers, kind)
    sizes: dict[str, Any] = {
        "vocab_size": len(PIECES), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": POSITIONS, "image_size": 32, "patch_size": 8,
        "dim": 32, "n_layers": 2, "n_heads": 2,
        "hidden_dim": 64, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": POSITIONS, "pad_token_id": 0,
        "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "embedding_size": 32,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "initializer_range": 0.5,
    }  # fmt: skip
    if "Classification" in kind:
        sizes |= {"id2label": LABELS, "label2id": {label: number for number, label in LABELS.items()}}
    template = cls.config_class()
    taken = {key: value for key, value in sizes.items() if hasattr(template, key)}
    return cls(cls.config_class(**{**taken, **changes})).eval()


def folder(path: Path, kind: str, processor: Any = None, **changes: Any) -> Path:
    """A folder as ``save_pretrained`` writes it, with the tokenizer unless there is another processor."""
    model(kind, **changes).save_pretrained(path)
    (tokenizer() if processor is None else processor).save_pretrained(path)
    return path
