"""TensorFlow models to engines of TensorRT-RTX, by way of SavedModel and ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import navcore as nav

pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed: pip install 'nav-trt[rtx]'")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed: pip install 'nav-tf[cpu]'")

from .engine_checks import assert_built_and_unproven
from .tensorflow_models import keras, many_inputs_and_outputs, mobilenet, subclassed, text_classifier, transformer_block


@pytest.fixture(autouse=True)
def only_our_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the plugins for TensorFlow and TensorRT take part."""
    monkeypatch.setenv("NAVCORE_DISABLE_PLUGINS", "openvino,torch")


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(mobilenet, marks=pytest.mark.nightly),
        pytest.param(text_classifier, marks=pytest.mark.nightly),
        transformer_block,
        many_inputs_and_outputs,
        pytest.param(subclassed, marks=pytest.mark.nightly),
    ],
)
def test_a_model_becomes_engines_of_both_precisions(build: Any, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model, data = build()
    package = nav.run(model, data, targets=["onnx", "trt-rtx", "trt"], workdir=tmp_path, run_profiling=False)
    assert_built_and_unproven(package)


def test_the_reference_apis_defaults_are_fp32_and_fp16(tmp_path: Path) -> None:
    model, data = transformer_block()
    package = nav.tensorflow.export(
        model, data, target_formats=("trt-rtx",), max_workspace_size=2**28, workdir=tmp_path, run_profiling=False
    )
    requested = {row.format.name for row in package.results if row.requested and not row.live}
    assert requested == {"trt-rtx-fp32", "trt-rtx-fp16"}
    assert package.record.settings.options["trt-rtx-fp16"] == {"max_workspace_size": 2**28}
