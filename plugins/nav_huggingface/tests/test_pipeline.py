"""A package answers texts and images as transformers' pipeline on the source does, without a hub, and runs no code."""

from __future__ import annotations

import gc
import json
import socket
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import navcore as nav
from nav_huggingface.belongings import refuse_code, refuse_giant

from .hub_models import SENTENCES, folder, model, tokenizer

TOKENIZER = '''
from transformers import PreTrainedTokenizerFast


class ShoutingTokenizer(PreTrainedTokenizerFast):
    """Has code of its own."""
'''


@pytest.fixture
def loaded(package: nav.PackageDescriptor, tmp_path: Path) -> nav.PackageDescriptor:
    """What whoever was sent the file has, and nothing else."""
    nav.save(package, tmp_path / "tiny.nav")
    return nav.load(tmp_path / "tiny.nav", workdir=tmp_path / "elsewhere", retest_conversions=False)


@pytest.mark.parametrize("format", [None, "onnx", "openvino"])
def test_a_loaded_package_answers_as_the_source_does(
    loaded: nav.PackageDescriptor, bert: Path, format: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise AssertionError("a hub was asked")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    answer = nav.huggingface.pipeline(loaded, format)
    expected = transformers.pipeline("text-classification", model=str(bert), device="cpu")(list(SENTENCES), top_k=None)
    found = answer(list(SENTENCES), top_k=None)
    assert [[one["label"] for one in row] for row in found] == [[one["label"] for one in row] for row in expected]
    scores = [[[one["score"] for one in row] for row in rows] for rows in (found, expected)]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)
    assert answer("whales sing", top_k=1)[0]["label"] in ("calm", "stormy", "dry")


def test_a_package_of_this_run_answers_too(package: nav.PackageDescriptor) -> None:
    answer = nav.huggingface.pipeline(package, "onnx", "CPUExecutionProvider")
    assert len(answer(["glass", "sand and lime"])) == 2


def test_padding_is_not_read_as_words_where_the_model_takes_no_mask(tmp_path: Path) -> None:
    data = [{"input_ids": torch.tensor([[2, 9, 11, 3]])}, {"input_ids": torch.tensor([[2, 9, 3]])}]
    package = nav.huggingface.export(
        model("BertForSequenceClassification"), data, processor=tokenizer(), target_formats="onnx",
        run_profiling=False, workdir=tmp_path,
    )  # fmt: skip
    answer = nav.huggingface.pipeline(package, "onnx")
    assert len([answer(text) for text in SENTENCES[:2]]) == 2
    with pytest.raises(nav.InputError, match="takes no attention_mask"):
        answer(["glass", "sand and lime"], batch_size=2)


def test_the_model_goes_with_the_pipeline(package: nav.PackageDescriptor) -> None:
    answer = nav.huggingface.pipeline(package, "onnx")
    gone = weakref.ref(answer.model)
    del answer
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("task", "why"),
    [("question-answering", "no pipeline for 'question-answering'"), ("text-generation", "generates")],
)
def test_a_task_without_a_pipeline_is_refused(package: nav.PackageDescriptor, task: str, why: str) -> None:
    with pytest.raises(nav.OptionError, match=why):
        nav.huggingface.pipeline(package, task=task)


def test_an_image_is_answered(tmp_path: Path) -> None:
    from PIL import Image

    processor = transformers.ViTImageProcessor(size={"height": 32, "width": 32})
    source = folder(tmp_path / "tiny-vit", "ViTForImageClassification", processor)
    package = nav.huggingface.export(
        source, target_formats="torchscript", jit_options="trace", workdir=tmp_path, run_profiling=False
    )
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 40, 3), dtype=np.uint8))
    expected = transformers.pipeline("image-classification", model=str(source), device="cpu")(picture)
    found = nav.huggingface.pipeline(package)(picture)
    assert [one["label"] for one in found] == [one["label"] for one in expected]
    np.testing.assert_allclose([one["score"] for one in found], [one["score"] for one in expected], atol=1e-4)


def test_a_tokenizer_with_code_of_its_own_needs_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    source = folder(tmp_path / "shouting", "DistilBertForMaskedLM")
    (source / "shouting.py").write_text(TOKENIZER)
    settings = json.loads((source / "tokenizer_config.json").read_text())
    settings |= {
        "tokenizer_class": "ShoutingTokenizer",
        "auto_map": {"AutoTokenizer": [None, "shouting.ShoutingTokenizer"]},
    }
    (source / "tokenizer_config.json").write_text(json.dumps(settings))
    package = nav.huggingface.export(
        source, trust_remote_code=True, target_formats="torchscript", jit_options="trace", workdir=tmp_path,
        run_profiling=False,
    )  # fmt: skip
    assert "huggingface/shouting.py" in package.get_assets("torchscript")
    with pytest.raises(nav.TrustRequired, match=r"shouting\.py"):
        nav.huggingface.pipeline(package)
    answer = nav.huggingface.pipeline(package, trust=True)
    assert type(answer.tokenizer).__name__ == "ShoutingTokenizer"
    plain = transformers.pipeline(
        "fill-mask", model=model("DistilBertForMaskedLM"), tokenizer=answer.tokenizer, device="cpu"
    )
    found, expected = answer("whales sing [MASK]"), plain("whales sing [MASK]")
    assert [one["token_str"] for one in found] == [one["token_str"] for one in expected]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": "stranger/code--tokens.Tokens"}}),
        ("processor_config.json", {"image_processor": {"auto_map": {"AutoImageProcessor": "code.Images"}}}),
        ("config.json", {"auto_map": {"AutoConfig": "code.Config"}}),
        ("tokenizer_config.json", {"tokenizer_file": "/home/somebody/tokenizer.json"}),
        ("tokenizer_config.json", {"vocab_file": "..\\vocab.txt"}),
    ],
)
def test_settings_that_name_code_or_other_files_need_trust(tmp_path: Path, name: str, content: Any) -> None:
    path = tmp_path / name
    path.write_text(json.dumps(content))
    with pytest.raises(nav.TrustRequired, match=name):
        refuse_code({f"huggingface/{name}": path})


def test_a_configuration_that_would_take_for_ever_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"text_config": {"num_hidden_layers": 10**9}}))
    with pytest.raises(nav.InputError, match="num_hidden_layers = 1000000000, more than any model has"):
        refuse_giant(path)
    model("BertModel").save_pretrained(tmp_path)
    refuse_giant(path)


def test_what_an_ordinary_tokenizer_saves_needs_none(tmp_path: Path) -> None:
    model("BertModel").save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    files = {path.name: path for path in tmp_path.iterdir()}
    assert "tokenizer_config.json" in files
    refuse_code(files)


def test_a_package_without_a_tokenizer_says_so(tmp_path: Path) -> None:
    import torch

    plain = nav.run(
        torch.nn.Linear(3, 2), [torch.randn(2, 3)] * 3, targets=["torchscript-trace"], workdir=tmp_path, effort="quick",
        run_profiling=False,
    )  # fmt: skip
    with pytest.raises(nav.PackageIncomplete, match="carries no tokenizer"):
        nav.huggingface.pipeline(plain)


def test_a_module_without_a_configuration_says_so(tmp_path: Path) -> None:
    import torch

    plain = nav.huggingface.export(
        torch.nn.Linear(3, 2), [torch.randn(2, 3)] * 3, target_formats="torchscript", jit_options="trace",
        workdir=tmp_path, run_profiling=False,
    )  # fmt: skip
    assert list(plain.get_assets("torchscript")) == ["huggingface/navcore.json"]
    with pytest.raises(nav.PackageIncomplete, match="carries no configuration"):
        nav.huggingface.pipeline(plain)
