"""PyTorch models to engines of TensorRT-RTX, which builds without a GPU: really built, no more than that claimed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import navcore as nav
from navcore.workspace.results import Status

from .engine_checks import assert_built_and_unproven
from .torch_models import Convolutions, Keywords, bert

pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed: pip install 'nav-trt[rtx]'")


@pytest.fixture(autouse=True)
def only_our_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the plugin for TensorRT takes part."""
    monkeypatch.setenv("NAVCORE_DISABLE_PLUGINS", "openvino,tensorflow")


def images() -> tuple[torch.nn.Module, list[Any]]:
    torch.manual_seed(0)
    return Convolutions(), [torch.randn(2, 3, size, size + 2) for size in (16, 20, 18)]


def keywords() -> tuple[torch.nn.Module, list[Any]]:
    numbers = np.random.RandomState(0)
    data = [
        {"mask": numbers.rand(2, size).astype(np.float32), "scale": 3.0, "x": numbers.randn(2, size).astype(np.float32)}
        for size in (4, 6)
    ]
    return Keywords(), data


@pytest.mark.parametrize("build", [images, keywords, bert])
def test_a_model_becomes_engines_of_both_precisions(build: Any, tmp_path: Path) -> None:
    model, data = build()
    package = nav.run(model, data, targets=["onnx", "trt-rtx", "trt"], workdir=tmp_path, run_profiling=False)
    assert_built_and_unproven(package)


def test_the_profile_spans_the_data_and_what_the_user_says(tmp_path: Path) -> None:
    model, data = images()

    def profile(**arguments: Any) -> str:
        package = nav.torch.export(
            model, data, workdir=tmp_path, target_formats="trt-rtx", target_precisions="fp32", run_profiling=False,
            input_names=("image",), override_workdir=True, **arguments,
        )  # fmt: skip
        (row,) = (row for row in package.results if row.format.name == "trt-rtx-fp32")
        assert row.status == Status.UNVERIFIED, str(package)
        return row.facts["profile"]

    assert profile() == "image 1x3x16x18..2x3x18x20..2x3x20x22"
    ranges = {"image": {0: (1, 4, 8), 2: (16, 24, 32), 3: (18, 20, 40)}}
    assert profile(trt_dynamic_axes=ranges) == "image 1x3x16x18..4x3x24x20..8x3x32x40"


def test_precisions_and_workspace_of_the_reference_api_arrive(tmp_path: Path) -> None:
    model, data = images()
    package = nav.torch.export(
        model,
        data,
        workdir=tmp_path,
        target_formats=("trt-rtx", "trt"),
        target_precisions=("fp16", nav.TensorRTPrecision.TF32),
        max_workspace_size=2**28,
        run_profiling=False,
    )
    assert {row.format.name for row in package.results if row.requested and not row.live} == {
        "trt-rtx-fp16",
        "trt-rtx-tf32",
        "trt-fp16",
        "trt-tf32",
    }
    tf32 = next(row for row in package.results if row.format.name == "trt-rtx-tf32")
    assert (tf32.status, tf32.facts["tf32"]) == (Status.UNVERIFIED, "on")
    assert package.record.settings.options["trt-rtx-fp16"] == {"max_workspace_size": 2**28}


def test_without_a_quantized_graph_there_is_no_int8_engine(tmp_path: Path) -> None:
    model, data = images()
    package = nav.run(model, data, targets="trt-rtx-int8", workdir=tmp_path, run_profiling=False)
    (row,) = (row for row in package.results if row.format.name == "trt-rtx-int8")
    assert row.status == Status.UNAVAILABLE
    assert row.failure is not None
    assert "int8 needs a quantized ONNX" in row.failure.cause
