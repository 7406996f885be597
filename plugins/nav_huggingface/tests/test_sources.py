"""A folder, a hub's id or a live model: what each gives, whom it asks, and what is said when there is none."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, strategies as st

import navcore as nav
from nav_huggingface.sources import named_source, workspace_name

from .hub_models import folder, model, tokenizer


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that somebody wanted to reach; none can be."""
    hosts: list[str] = []

    def nobody(host: str, *_: object, **__: object) -> None:
        hosts.append(host)
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)  # the hub's client tries again, later and later
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return hosts


def test_a_folder_asks_nobody(bert: Path, asked: list[str]) -> None:
    named = named_source(bert)
    assert type(named.model).__name__ == "BertForSequenceClassification"
    assert not named.model.training
    assert named.processor.mask_token == "[MASK]"
    assert (named.task.name, named.name) == ("text-classification", "tiny-bert")
    assert asked == []


def test_a_folder_goes_before_a_model_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    folder(tmp_path / "org" / "model", "ElectraModel")
    monkeypatch.chdir(tmp_path)
    assert type(named_source("org/model").model).__name__ == "ElectraModel"
    assert asked == []


def test_no_network_is_one_sentence(asked: list[str]) -> None:
    with pytest.raises(nav.InputError) as caught:
        named_source("org/no-such-model")
    sentence = "'org/no-such-model' is no folder here and not in the hub's cache, and the hub cannot be reached."
    assert str(caught.value).startswith(sentence)
    assert asked, "the hub was not asked, so this says nothing about a network"


def test_offline_asks_nobody_and_says_so(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(nav.InputError, match="HF_HUB_OFFLINE forbids asking the hub"):
        named_source("org/no-such-model")
    assert asked == []


@pytest.mark.parametrize("path", ["./nothing", "/no/such/folder", "~/nothing-there", "a/b/c", ""])
def test_what_can_only_be_a_path_is_not_asked_for(path: str, asked: list[str]) -> None:
    with pytest.raises(nav.InputError, match="is no folder"):
        named_source(path)
    assert asked == []


def test_an_empty_folder_is_told_by_its_name(tmp_path: Path, asked: list[str]) -> None:
    with pytest.raises(nav.InputError, match="cannot be loaded"):
        named_source(tmp_path)
    assert asked == []


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("model.safetensors", b"\x00"),
        ("config.json", b'{"model_type": "bert", "hidden_size": "many"}'),
        ("config.json", b'{"model_type": "bert", "architectures": ["BertConfig"]}'),
        ("config.json", b'{"model_type": "bert", "hidden_act": "nosuchact"}'),
    ],
)
def test_a_folder_that_is_broken_is_one_sentence(tmp_path: Path, file: str, content: bytes) -> None:
    source = folder(tmp_path / "broken", "BertModel")
    (source / file).write_bytes(content)
    with pytest.raises(nav.InputError, match=r"broken cannot be loaded: \w+"):
        named_source(source)


def test_of_a_broken_tokenizer_its_own_words_are_told(tmp_path: Path) -> None:
    source = folder(tmp_path / "broken", "BertModel")
    (source / "tokenizer.json").write_text("{}")
    named = named_source(source)
    assert named.processor is None
    assert "Unrecognized processing class" not in named.problem


def test_a_live_model_is_itself(bert: Path) -> None:
    live = model("DistilBertForTokenClassification")
    named = named_source(live, processor=tokenizer())
    assert named.model is live
    assert (named.task.name, named.name) == ("token-classification", "DistilBertForTokenClassification")
    loaded = type(model("BertForSequenceClassification")).from_pretrained(bert)
    assert named_source(loaded).processor is not None, "the tokenizer lies where the model was loaded from"


def test_a_stranger_is_no_model() -> None:
    with pytest.raises(nav.InputError, match="a dict is no model"):
        named_source({})


def test_a_task_by_name_loads_another_head(bert: Path) -> None:
    assert type(named_source(bert, task="masked-lm").model).__name__ == "BertForMaskedLM"
    with pytest.raises(nav.OptionError, match="'juggling' is not a task"):
        named_source(bert, task="juggling")


def test_a_module_of_ones_own_has_the_plainest_task() -> None:
    assert named_source(torch.nn.Linear(2, 2)).task.name == "feature-extraction"


def test_a_slash_becomes_a_dash() -> None:
    assert workspace_name("org/model") == "org-model"


@given(st.text(max_size=200))
def test_every_name_becomes_one_of_a_folder(name: str) -> None:
    from navcore.workspace import Settings

    assert Settings(model_name=workspace_name(name)).model_name
