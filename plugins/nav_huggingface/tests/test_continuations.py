"""Data for a graph with a cache: prompts, steps, rests and starts, with what the source itself has cached."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nav_huggingface.continuations import Answers, Prompts, Sources, positions_of, texts_of
from nav_huggingface.graphs import CAUSAL_TOKENS, causal_graph, decoder_graph, encoder_graph
from navcore import DataloaderError

from .generating_models import items, model

PAST = "past_key_values.1.key"


@pytest.fixture(scope="module")
def source() -> Any:
    return model("gemma")


def test_of_each_text_there_are_four(source: Any) -> None:
    base = items(source)[:2]
    data = Prompts(base, source, causal_graph(source))
    found = list(data)
    assert len(found) == len(data) == 8
    lengths = [(one["input_ids"].shape[1], one[PAST].shape[2], one["attention_mask"].shape[1]) for one in found]
    assert lengths == [(7, 0, 7), (1, 6, 7), (5, 2, 7), (1, 0, 1), (12, 0, 12), (1, 11, 12), (8, 4, 12), (1, 0, 1)]
    assert [one["input_ids"].shape[0] for one in found] == [2] * 4 + [3] * 4
    assert all(torch.equal(one[PAST], again[PAST]) for one, again in zip(found, data, strict=True))


def test_what_is_cached_the_source_has_cached(source: Any) -> None:
    graph = causal_graph(source)
    (item,) = items(source)[:1]
    whole, step, rest, start = Prompts([item], source, graph)
    with torch.no_grad():
        expected = source(**item, position_ids=positions_of(item["attention_mask"])).logits
        torch.testing.assert_close(graph(**whole)["logits"], expected)
        torch.testing.assert_close(graph(**step)["logits"], expected[:, -1:])
        torch.testing.assert_close(graph(**rest)["logits"], expected[:, 2:])
        assert graph(**start)["present.0.key"].shape[2] == 1


def test_a_text_that_is_padded_in_front_starts_with_a_word(source: Any) -> None:
    padded = items(source)[0]
    start = list(Prompts([padded], source, causal_graph(source)))[-1]
    assert torch.equal(start["input_ids"], padded["input_ids"][:, -1:])
    assert start["attention_mask"].all()


def test_a_short_text_is_followed_by_itself(source: Any) -> None:
    found = texts_of(source, {"input_ids": torch.tensor([[4, 5]])}, CAUSAL_TOKENS)
    assert found["input_ids"].tolist() == [[4, 5, 4, 5, 4, 5]]
    assert found["attention_mask"].tolist() == [[1] * 6]
    assert found["position_ids"].tolist() == [[0, 1, 2, 3, 4, 5]]


def test_positions_count_what_is_real() -> None:
    assert positions_of(torch.tensor([[0, 0, 1, 1, 1]])).tolist() == [[0, 0, 0, 1, 2]]


@pytest.mark.parametrize("shape", ["t5", "bart", "whisper"])
def test_an_encoder_decoder_reads_the_same_from_the_two_graphs(shape: str) -> None:
    both = model(shape)
    encoder, decoder = encoder_graph(both), decoder_graph(both)
    base = items(both)[:1]
    base[0]["decoder_input_ids"] = torch.tensor([[1, 5, 6, 7, 8, 9], [1, 9, 8, 7, 6, 5]])
    assert len(list(Sources(base, both))) == 1
    whole, step, rest, start = Answers(base, both, encoder, decoder)
    with torch.no_grad():
        expected = both(**base[0]).logits
        for one, at in ((whole, slice(None)), (step, slice(-1, None)), (rest, slice(2, None)), (start, slice(0, 1))):
            torch.testing.assert_close(decoder(**one)["logits"], expected[:, at], rtol=1e-4, atol=1e-4)


def test_where_nothing_was_said_the_decoder_says_something_each_time_the_same() -> None:
    both = model("bart")
    answers = Answers(items(both)[:2], both, encoder_graph(both), decoder_graph(both))
    first, again = ([one["decoder_input_ids"].tolist() for one in answers] for _ in range(2))
    assert first == again
    assert first[0][0][0] == both.config.decoder_start_token_id


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ({"labels": torch.ones(1, 3)}, "no input_ids"),
        ((1, 2), "is a tuple"),
        ({"input_ids": torch.ones(3).long()}, r"the shape \(3,\)"),
        ({"input_ids": torch.ones(1, 0).long()}, r"the shape \(1, 0\)"),
    ],
)
def test_items_that_hold_no_text_are_refused(source: Any, item: Any, why: str) -> None:
    with pytest.raises(DataloaderError, match=why):
        list(Prompts([item], source, causal_graph(source)))


def test_a_mask_of_another_length_is_refused(source: Any) -> None:
    graph = causal_graph(source)
    prompt = next(iter(Prompts(items(source)[:1], source, graph)))
    with pytest.raises(RuntimeError, match="as long as the cache and input_ids together"):
        graph(**{**prompt, "attention_mask": prompt["attention_mask"][:, 1:]})
