"""The data that is made: what the model's forward names, of varied sizes, the same each time, taken by the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers

import navcore as nav
from nav_huggingface.exporting import as_exported
from nav_huggingface.making import ITEMS, made_items
from nav_huggingface.sources import named_source

from .hub_models import PIECES, POSITIONS, model, tokenizer

TEXT = ["input_ids", "attention_mask"]
SEGMENTS = [*TEXT, "token_type_ids"]


def images() -> Any:
    return transformers.ViTImageProcessor(size={"height": 32, "width": 32})


def even_images() -> Any:
    return transformers.SegformerImageProcessor(size={"height": 64, "width": 64})


def sounds() -> Any:
    return transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True)


def spectrograms() -> Any:
    return transformers.WhisperFeatureExtractor(feature_size=8)


def pairs() -> Any:
    size = {"height": 32, "width": 32}
    return transformers.CLIPProcessor(transformers.CLIPImageProcessor(size=size, crop_size=size), tokenizer())


def without_padding() -> Any:
    plain = tokenizer()
    plain.pad_token, plain.eos_token = None, "[SEP]"
    return plain


SMALL = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0}
SOUND = {
    "conv_dim": [16] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "vocab_size": 40,
}  # fmt: skip
TEXTS = {
    "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64,
    "vocab_size": len(PIECES), "max_position_embeddings": 32,
}  # fmt: skip
PICTURES = {
    "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
STAGES = {
    "hidden_sizes": [8, 16, 16, 16], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 1, 2],
    "decoder_hidden_size": 16,
}  # fmt: skip
SPEECH = {"num_mel_bins": 8, "decoder_start_token_id": 3, "vocab_size": len(PIECES)}
CASES: dict[str, tuple[Callable[[], Any], list[str], dict[str, Any]]] = {
    "BertForSequenceClassification": (tokenizer, SEGMENTS, {}),
    "DistilBertForTokenClassification": (tokenizer, TEXT, {}),
    "RobertaForQuestionAnswering": (tokenizer, SEGMENTS, {"type_vocab_size": 2, "pad_token_id": 1}),
    "AlbertForMaskedLM": (tokenizer, SEGMENTS, {}),
    "GPT2ForSequenceClassification": (without_padding, SEGMENTS, {"pad_token_id": None}),
    "BartForSequenceClassification": (tokenizer, TEXT, {"eos_token_id": 3, "decoder_start_token_id": 3}),
    "T5ForConditionalGeneration": (tokenizer, [*TEXT, "decoder_input_ids"], SMALL),
    "BertModel": (tokenizer, SEGMENTS, {}),
    "GPT2LMHeadModel": (without_padding, SEGMENTS, {"pad_token_id": None}),
    "SegformerForSemanticSegmentation": (even_images, ["pixel_values"], STAGES),
    "YolosForObjectDetection": (images, ["pixel_values"], {"image_size": [32, 32], "num_detection_tokens": 4}),
    "GLPNForDepthEstimation": (even_images, ["pixel_values"], STAGES),
    "Wav2Vec2ForSequenceClassification": (sounds, ["input_values", "attention_mask"], SOUND),
    "WhisperForConditionalGeneration": (spectrograms, ["input_features", "decoder_input_ids"], SPEECH),
    "ViTForImageClassification": (images, ["pixel_values"], {}),
    "Wav2Vec2ForCTC": (sounds, ["input_values", "attention_mask"], SOUND),
    "CLIPModel": (
        pairs,
        ["input_ids", "pixel_values", "attention_mask"],
        {"text_config": TEXTS, "vision_config": PICTURES},
    ),
}


def items(kind: str, **asked: Any) -> tuple[Any, list[dict[str, torch.Tensor]]]:
    processor, _, changes = CASES[kind]
    named = named_source(model(kind, **changes), processor=processor())
    with as_exported(named):
        return named, made_items(named, **asked)


@pytest.mark.parametrize("kind", CASES)
def test_the_model_takes_what_is_made_for_it(kind: str) -> None:
    named, made = items(kind)
    assert len(made) == ITEMS
    with as_exported(named), torch.no_grad():
        for item in made:
            assert list(item) == CASES[kind][1]
            assert {len(tensor) for tensor in item.values()} == {2}
            named.model(**item)


def test_the_same_call_makes_the_same_items() -> None:
    (_, first), (_, second) = items("BertForSequenceClassification"), items("BertForSequenceClassification")
    for one, other in zip(first, second, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_texts_vary_in_length_and_keep_within_the_positions() -> None:
    _, made = items("BertForSequenceClassification")
    lengths = {item["input_ids"].shape[1] for item in made}
    assert len(lengths) > ITEMS // 2
    assert max(lengths) <= POSITIONS
    assert any(0 in item["attention_mask"] for item in made), "no text was padded, so no mask means anything"


def test_a_question_comes_with_its_context() -> None:
    _, made = items("RobertaForQuestionAnswering")
    assert all(1 in item["token_type_ids"] for item in made)


def test_the_arguments_of_0_3_shape_the_items() -> None:
    _, made = items("BertForSequenceClassification", batch=3, padding="max_length", longest_text=16)
    assert {tuple(item["input_ids"].shape) for item in made} == {(3, 16)}


def test_a_tokenizer_is_given_back_as_it_was() -> None:
    named, _ = items("GPT2ForSequenceClassification")
    assert named.processor.pad_token is None
    assert named.model.config.pad_token_id is None


def test_texts_of_one_item_are_padded_in_any_case() -> None:
    named = named_source(model("BertForSequenceClassification"), processor=tokenizer())
    assert all(item["input_ids"].shape[0] == 2 for item in made_items(named, padding=False))


def test_a_tokenizer_of_another_model_is_told_by_its_token() -> None:
    few = len(PIECES) // 2
    named = named_source(model("BertForSequenceClassification", vocab_size=few), processor=tokenizer())
    with pytest.raises(nav.InputError, match=rf"a token \d+, and BertForSequenceClassification embeds {few} tokens"):
        made_items(named)


@pytest.mark.parametrize(("processor", "why"), [(None, "came without"), (images, "takes nothing")])
def test_where_no_data_can_be_made_is_said(processor: Callable[[], Any] | None, why: str) -> None:
    named = named_source(model("BertForSequenceClassification"), processor=processor and processor())
    with pytest.raises(nav.InputError, match=why):
        made_items(named)
