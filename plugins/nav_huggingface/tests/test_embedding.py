"""Sentence embedding: the same vectors as sentence-transformers gives, for what it wrote itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import navcore as nav
from nav_huggingface.embedding import Recipe, embedding_model, recipe_at
from nav_huggingface.sources import named_source

from .hub_models import SENTENCES, folder, model, tokenizer

LOCAL = {"local_files_only": True}


def written(path: Path, *, normalise: bool = True, longest: int = 12, **pooling: Any) -> Path:
    """A folder that sentence-transformers itself wrote."""
    import sentence_transformers
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    encoder = Transformer(str(folder(path / "encoder", "BertModel")), max_seq_length=longest)
    pooled = Pooling(32, **pooling)
    modules = [encoder, pooled, *([Normalize()] if normalise else [])]
    sentence_transformers.SentenceTransformer(modules=modules, device="cpu").save(str(path / "tiny-sentences"))
    return path / "tiny-sentences"


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
@pytest.mark.parametrize("normalise", [True, False])
def test_a_folder_of_sentence_transformers_embeds_as_that_does(tmp_path: Path, pooling: str, normalise: bool) -> None:
    import sentence_transformers

    source = written(tmp_path, pooling_mode=pooling, normalise=normalise)
    named = named_source(source)
    assert named.task.name == "sentence-embedding"
    assert named.processor.model_max_length == 12
    tokens = named.processor(list(SENTENCES), padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        found = named.model(**tokens)["embedding"].numpy()
    expected = sentence_transformers.SentenceTransformer(str(source), device="cpu").encode(list(SENTENCES))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_package_embeds_texts(tmp_path: Path) -> None:
    import sentence_transformers

    source = written(tmp_path)
    package = nav.huggingface.export(
        source, target_formats="torchscript", jit_options="trace", workdir=tmp_path, run_profiling=False
    )
    answer = nav.huggingface.pipeline(package)
    expected = sentence_transformers.SentenceTransformer(str(source), device="cpu").encode(list(SENTENCES))
    np.testing.assert_allclose(answer(list(SENTENCES)), expected, atol=1e-5)
    assert answer(SENTENCES[0]).shape == (32,)


def test_the_encoder_alone_by_name(tmp_path: Path) -> None:
    named = named_source(written(tmp_path), task="feature-extraction")
    assert type(named.model).__name__ == "BertModel"


def test_an_encoder_without_a_recipe_is_averaged_and_scaled() -> None:
    named = named_source(model("BertModel"), task="sentence-embedding", processor=tokenizer())
    tokens = named.processor(["glass is made of sand"], return_tensors="pt")
    assert float(torch.linalg.norm(named.model(**tokens)["embedding"].detach())) == pytest.approx(1, abs=1e-5)


def test_the_first_real_token_is_taken_behind_padding_on_the_left() -> None:
    embed = embedding_model(model("BertModel"), Recipe("cls", normalise=False))
    tokens = tokenizer()(["sand"], return_tensors="pt")
    left = {name: torch.nn.functional.pad(one, (3, 0)) for name, one in tokens.items()}
    states = embed.encoder(**left).last_hidden_state
    torch.testing.assert_close(embed(**left)["embedding"], states[:, 3])


def test_what_an_older_release_wrote_is_read(tmp_path: Path) -> None:
    source = written(tmp_path)
    (source / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 32, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    )
    found = recipe_at(str(source), LOCAL)
    assert found is not None
    assert found.pooling == "cls"


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("modules.json", [{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}], "not known here: Dense"),
        ("modules.json", {"0": "Transformer"}, "no list of modules"),
        ("modules.json", ["Transformer"], "no list of modules"),
        ("1_Pooling/config.json", {"pooling_mode": "lasttoken"}, "pools tokens by lasttoken"),
        ("1_Pooling/config.json", {"pooling_mode": ["mean", "max"]}, "pools tokens by mean and max"),
    ],
)
def test_what_is_not_known_is_refused_by_name(tmp_path: Path, file: str, content: Any, why: str) -> None:
    source = written(tmp_path)
    (source / file).write_text(json.dumps(content))
    with pytest.raises(nav.InputError, match=why):
        named_source(source)


def test_an_adapter_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(nav.InputError, match="holds an adapter of peft"):
        named_source(tmp_path)
