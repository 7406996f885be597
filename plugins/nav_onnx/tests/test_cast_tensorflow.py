"""Casting what tf2onnx writes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from nav_onnx.casting import Cast, Low

from .cast_checks import LOWS, Feeds, assert_follows, assert_subgraphs_capture, body_nodes, nearly_balanced
from .cast_engines import assert_builds

pytestmark = pytest.mark.slow  # TensorFlow alone takes some seconds to start

SUBJECTS = {
    "transformer": {"MatMul", "Softmax", "Add"},
    "separable": {"Conv", "Relu", "MatMul"},
    "mixture": {"Conv", "MatMul"},
    "pyramid": {"Conv", "MatMul"},
    "huge": {"MatMul"},
    "branches": {"MatMul", "Relu"},
    "huge_branches": {"MatMul", "Relu"},
    "turns": {"MatMul", "Relu", "Mul"},
    "growing_turns": {"MatMul", "Relu"},
}
"""The models in ``cast_tensorflow_models.py``, and operators of each that compute in 16 bits."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: Any) -> Path:
    """The folder with all models: one start of TensorFlow."""
    for needed in ("tensorflow", "keras", "tf2onnx"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed: pip install 'nav-tf[cpu]'")
    folder: Path = tmp_path_factory.mktemp("tensorflow")
    program = Path(__file__).with_name("cast_tensorflow_models.py")
    done = subprocess.run([sys.executable, str(program), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def feeds_of(path: Path) -> Feeds:
    """Numbers for every input, two in a batch; the mask hides the last of the first and most of the second."""
    feeds: dict[str, np.ndarray[Any, Any]] = {}
    for value in onnx.load(path).graph.input:
        shape = [2, *(size.dim_value for size in value.type.tensor_type.shape.dim[1:])]
        feeds[value.name] = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    if "mask" in feeds:
        feeds["mask"] = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]], np.float32)
    return feeds


def lowered_operators(path: Path, cast: Cast) -> set[str]:
    return {node.op_type for node in onnx.load(path).graph.node if node.name in cast.lowered}


def reasons(cast: Cast) -> dict[str, str]:
    return {one.op_type: one.reason for one in cast.kept}


@pytest.mark.parametrize("low", LOWS)
@pytest.mark.parametrize("name", SUBJECTS)
def test_what_tf2onnx_writes_computes_in_16_bits_and_follows_the_source(written: Path, name: str, low: Low) -> None:
    path = written / f"{name}.onnx"
    cast = assert_follows(path, feeds_of(path), low)
    assert SUBJECTS[name] <= lowered_operators(path, cast)


@pytest.mark.parametrize("low", LOWS)
def test_resizing_stays_and_the_best_are_the_same(written: Path, low: Low) -> None:
    cast = assert_follows(written / "pyramid.onnx", feeds_of(written / "pyramid.onnx"), low)
    assert "Resize" in reasons(cast)
    assert ("TopK" in reasons(cast)) == (low == "bfloat16")  # which the operator does not know


def test_numbers_beyond_float16_stay_together_with_what_they_are_added_to(written: Path) -> None:
    cast = assert_follows(written / "huge.onnx", feeds_of(written / "huge.onnx"), "float16")
    assert {"Mul", "Add", "Softmax"} <= set(reasons(cast))


@pytest.mark.parametrize("low", LOWS)
@pytest.mark.parametrize(
    ("name", "operator"),
    [("branches", "If"), ("huge_branches", "If"), ("turns", "Loop"), ("growing_turns", "Loop")],
)
def test_control_flow_hands_on_float32_and_computes_in_16_bits_within(
    written: Path, name: str, operator: str, low: Low
) -> None:
    path = written / f"{name}.onnx"
    feeds = feeds_of(path)
    for sign in (1, -1):  # each takes another branch
        cast = assert_follows(path, {"x": sign * feeds["x"]}, low)
    assert reasons(cast)[operator] == "holds subgraphs"
    assert bool(body_nodes(cast)) == (name in ("branches", "turns"))  # elsewhere there is nothing but a factor
    if operator == "If":  # a loop is handed all that it takes
        assert_subgraphs_capture(cast, {operator})


@pytest.mark.parametrize("low", LOWS)
def test_a_sum_that_16_bits_cannot_tell_from_zero_still_takes_its_branch(written: Path, low: Low) -> None:
    path = written / "branches.onnx"
    for sign in (1, -1):
        cast = assert_follows(path, {"x": sign * nearly_balanced(feeds_of(path)["x"])}, low)
    assert reasons(cast)["Greater"] == "decides what If does"


@pytest.mark.parametrize("low", LOWS)
@pytest.mark.parametrize("name", SUBJECTS)
def test_tensorrt_rtx_builds_a_strongly_typed_engine(written: Path, name: str, low: Low) -> None:
    path = written / f"{name}.onnx"
    assert_builds(path, feeds_of(path), low)
