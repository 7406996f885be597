"""Quantising and optimising what PyTorch's two exporters and tf2onnx write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .int8_quantising import Feeds, Quantise, quantise as quantise
from .test_cast_exported import exported as exported, steered as steered
from .test_cast_tensorflow import feeds_of, written as written
from .test_optimized import Optimize, operators, optimize as optimize

pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'nav-torch'")

BODIES = [("branches", "dynamo"), ("turns", "dynamo"), ("recurrence", "dynamo"), ("scripted", "torchscript")]
"""A convolution and its If, a Loop, a Scan; and If and Loop in one."""


def varied(feeds: Mapping[str, np.ndarray[Any, Any]], count: int = 4) -> list[Feeds]:
    """The same inputs by different factors, with both signs; what is no float stays."""
    factors = [(-1) ** number * (1 + number / 4) for number in range(count)]
    floats = {name for name, array in feeds.items() if array.dtype.kind == "f"}
    return [
        {name: (array * factor).astype(array.dtype) if name in floats else array for name, array in feeds.items()}
        for factor in factors
    ]


@pytest.mark.parametrize("exported", [("encoder", "dynamo"), ("pyramid", "torchscript")], indirect=True, ids="-".join)
def test_what_torch_exports_runs_in_integers_as_far_as_the_outputs_allow(exported: Any, quantise: Quantise) -> None:
    path, feeds = exported
    result = quantise(path, varied(feeds), max_error=0.1)
    assert result.precision == "int8"
    assert int(result.made.facts["int8"]) >= 2
    assert f"computes {result.made.facts['int8']} in integers here" in " ".join(result.notes)
    assert result.made.facts["method"] == ("static" if path.stem == "pyramid" else "dynamic")
    assert 0 < result.error <= 0.1


@pytest.mark.parametrize("steered", BODIES, indirect=True, ids="-".join)
def test_bodies_that_torch_exports_are_quantised_too(steered: Any, quantise: Quantise) -> None:
    path, feeds, _operators = steered
    result = quantise(path, varied(feeds), max_error=0.1)
    assert result.precision == "int8"
    assert 0 < result.error <= 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["transformer", "separable", "mixture", "branches", "turns"])
def test_what_tf2onnx_writes_runs_in_integers_as_far_as_the_outputs_allow(
    written: Path, name: str, quantise: Quantise
) -> None:
    path = written / f"{name}.onnx"
    result = quantise(path, varied(feeds_of(path)), max_error=0.1)
    assert result.precision == "int8"
    assert 0 < result.error <= 0.1


@pytest.mark.parametrize("exported", [("encoder", "torchscript")], indirect=True, ids="-".join)
def test_a_transformer_is_fused_by_the_transformer_optimiser(exported: Any, optimize: Optimize) -> None:
    path, feeds = exported
    made, output, gap = optimize(path, feeds)
    assert "LayerNormalization" in operators(output) | {name.removeprefix("Skip") for name in operators(output)}
    assert "by ONNX Runtime's transformer optimiser and its graph optimisations" in made.notes[0]
    assert gap < 1e-5


@pytest.mark.slow
def test_a_transformer_of_tensorflow_gives_what_it_gave(written: Path, optimize: Optimize) -> None:
    path = written / "transformer.onnx"
    made, _output, gap = optimize(path, feeds_of(path))
    assert int(made.facts["nodes_after"]) < int(made.facts["nodes_before"])
    assert gap < 1e-5
