"""Adapters of peft are refused by name, with how they become a model; merged, they are one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import navcore as nav
from nav_huggingface.sources import named_source

from .hub_models import model

peft = pytest.importorskip(
    "peft", reason="peft is not installed; `nox --session hub` has it, in an environment of its own"
)

# peft 0.21 asks transformers 5.23 by a name that is about to go.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


@pytest.fixture
def adapted() -> Any:
    adapter = peft.LoraConfig(r=2, target_modules=["query", "value"], init_lora_weights=False)
    return peft.get_peft_model(model("BertForSequenceClassification"), adapter)


def test_a_live_model_with_an_adapter_says_how_it_is_merged(adapted: Any) -> None:
    with pytest.raises(nav.InputError, match=r"has an adapter of peft in it.*merge_and_unload"):
        named_source(adapted)


def test_a_folder_with_an_adapter_says_how_it_becomes_a_model(adapted: Any, tmp_path: Path) -> None:
    adapted.save_pretrained(tmp_path)
    with pytest.raises(nav.InputError, match="holds an adapter of peft, which is not merged here"):
        named_source(tmp_path)


def test_merged_it_is_a_model_like_any_other(adapted: Any) -> None:
    assert named_source(adapted.merge_and_unload()).task.name == "text-classification"
