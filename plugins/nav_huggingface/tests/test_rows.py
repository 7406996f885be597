"""Datasets: which columns are read, how their rows become batches, and what is said of those that cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers

import navcore as nav
from nav_huggingface.rows import Rows, first_split
from nav_huggingface.sources import Named, named_source

from .hub_models import SENTENCES, model, tokenizer


def dataset(**columns: Any) -> Any:
    """A real one, in memory."""
    import datasets

    return datasets.Dataset.from_dict(columns)


def named(kind: str, processor: Any = None, **changes: Any) -> Named:
    return named_source(model(kind, **changes), processor=tokenizer() if processor is None else processor)


BERT = "BertForSequenceClassification"


def test_texts_go_through_the_tokenizer_with_their_real_lengths() -> None:
    rows = Rows(named(BERT), dataset(text=list(SENTENCES), label=[0] * 6), batch=4)
    assert len(rows) == 2
    first, last = rows
    assert list(first) == ["input_ids", "attention_mask", "token_type_ids"]
    assert (len(first["input_ids"]), len(last["input_ids"])) == (4, 2)
    for row, text in zip(first["attention_mask"], SENTENCES, strict=False):
        assert row.sum() == len(tokenizer()(text)["input_ids"])
    again = list(rows)
    assert torch.equal(again[0]["input_ids"], first["input_ids"])


def test_a_dataset_is_read_no_further_than_asked() -> None:
    assert len(list(Rows(named(BERT), dataset(text=["a"] * 50), most=7))) == 7


def test_questions_go_with_their_contexts() -> None:
    rows = Rows(
        named("BertForQuestionAnswering"), dataset(context=["glass is sand"], question=["what"], id=["7"], title=["x"])
    )
    (item,) = rows
    assert item["token_type_ids"].sum() > 0
    assert torch.equal(item["input_ids"][0], torch.tensor(tokenizer()("what", "glass is sand")["input_ids"]))


def test_columns_that_are_named_like_the_inputs_are_the_inputs() -> None:
    ready = dataset(input_ids=[[2, 7, 3], [2, 3]], attention_mask=[[1, 1, 1], [1, 1]], labels=[0, 1])
    (item,) = Rows(named(BERT), ready, batch=2)
    assert item["input_ids"].tolist() == [[2, 7, 3], [2, 3, 0]]
    assert item["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert "labels" not in item


def test_preprocess_is_given_what_map_gives_it() -> None:
    words = dataset(words=["glass is", "sand"], other=["a", "b"])

    def preprocess(columns: Any) -> Any:
        return tokenizer()(columns["words"], truncation=True)

    (item,) = Rows(named(BERT), words, preprocess, batch=2)
    mapped = words.map(preprocess, batched=True)
    assert item["input_ids"][0].tolist() == mapped[0]["input_ids"]


def test_padding_to_a_length() -> None:
    rows = Rows(named(BERT), dataset(text=list(SENTENCES)), padding="max_length", longest_text=20)
    assert {item["input_ids"].shape[1] for item in rows} == {20}


def test_images_go_through_their_processor() -> None:
    processor = transformers.ViTImageProcessor(size={"height": 32, "width": 32})
    pictures = [np.full((40 + 9 * number, 50, 3), 30 * number, np.uint8) for number in range(3)]
    columns = {"image": pictures, "label": [0, 1, 2]}

    class Pictures:
        """What a dataset of images gives, without the files in which it keeps them."""

        def __len__(self) -> int:
            return 3

        def __getitem__(self, rows: slice) -> dict[str, Any]:
            return {name: values[rows] for name, values in columns.items()}

    items = list(Rows(named("ViTForImageClassification", processor), first_split(Pictures()), batch=2))
    assert [tuple(item["pixel_values"].shape) for item in items] == [(2, 3, 32, 32), (1, 3, 32, 32)]


def test_sounds_of_another_rate_are_refused() -> None:
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    kind = named("Wav2Vec2ForCTC", extractor, conv_dim=[16] * 7, num_conv_pos_embedding_groups=2, vocab_size=40)
    heard = [{"array": [0.1] * 800, "sampling_rate": 8000}]
    with pytest.raises(nav.InputError, match="8000 samples per second, and the model takes 16000"):
        list(Rows(kind, dataset(audio=heard)))
    (item,) = Rows(kind, dataset(audio=[{"array": [0.1] * 800, "sampling_rate": 16000}]))
    assert item["input_values"].shape == (1, 800)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"one": ["a"], "other": ["b"]}, "none of one, other is a usual name"),
        ({"label": [1]}, "none of them holds texts"),
    ],
)
def test_columns_that_say_nothing_are_listed(columns: Any, why: str) -> None:
    with pytest.raises(nav.InputError, match=why):
        list(Rows(named(BERT), dataset(**columns)))


def test_the_training_split_is_taken() -> None:
    splits = {"test": dataset(text=["a"]), "train": dataset(text=["b", "c"])}
    assert len(first_split(splits)) == 2
    assert len(first_split({"validation": splits["test"]})) == 1


@pytest.mark.parametrize("value", [iter([1]), 7, [1, 2]])
def test_what_is_no_dataset_is_refused(value: object) -> None:
    with pytest.raises(nav.InputError):
        first_split(value)


def test_a_preprocess_that_fails_is_named() -> None:
    def wrong(columns: Any) -> Any:
        return tokenizer()(columns["nothing"])

    with pytest.raises(nav.DataloaderError, match="preprocess failed on the columns text: KeyError: 'nothing'"):
        list(Rows(named(BERT), dataset(text=["a"]), wrong))
