"""One folder as a hub would give it, and one export of it that several tests read."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch

import navcore as nav

from .hub_models import folder

_library: Any = torch.library.Library  # has no types
TORCHVISION = _library("torchvision", "FRAGMENT")
"""What timm and transformers import where it is installed. The compiled operators of its wheels are CUDA's and cannot
be loaded without; it still wants two of them declared, which nothing here calls."""

if importlib.util.find_spec("torchvision") and not hasattr(torch.ops.torchvision, "nms"):
    for operator in ("nms", "qnms"):
        TORCHVISION.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


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
