"""One folder as a hub would give it, and one export of it that several tests read."""

from __future__ import annotations

from pathlib import Path

import pytest

import navcore as nav

from .hub_models import folder


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of texts with its tokenizer."""
    return folder(tmp_path_factory.mktemp("hub") / "tiny-bert", "BertForSequenceClassification")


@pytest.fixture(scope="session")
def package(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> nav.PackageDescriptor:
    """ONNX and what OpenVINO makes of it, by the page's name for the verb, from nothing but the folder."""
    made: nav.PackageDescriptor = nav.contrib.huggingface.torch.export(
        str(bert), target_formats=("onnx", "openvino"), workdir=tmp_path_factory.mktemp("work"), run_profiling=False
    )
    return made
