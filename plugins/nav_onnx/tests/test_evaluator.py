"""The reference evaluator: names as recorded, numbers of bfloat16 graphs, and a plain word when it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nav_onnx import ONNX_BF16, run_by_reference
from nav_onnx.casting import write_cast
from nav_onnx.evaluator import EVALUATOR
from navcore import Artifact, Calling, InputError, Runner, RunnerJob, Signature, StepError, TensorSpec

from .onnx_models import external, graph_model, two_by_two

Stored = Callable[[onnx.ModelProto], Path]
ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)


def opened(path: Path, inputs: Sequence[str], outputs: Sequence[str], calling: Calling = "named") -> Runner:
    specs = [tuple(TensorSpec(name, "float32", ("n", 3)) for name in names) for names in (inputs, outputs)]
    job: Any = RunnerJob(
        Artifact(ONNX_BF16, Signature(specs[0], specs[1]), path=path, calling=calling), EVALUATOR, None
    )
    runner: Any = run_by_reference(job)
    assert isinstance(runner, Runner)
    return runner


def test_a_bfloat16_graph_is_computed_in_bfloat16(stored: Stored, tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    model = graph_model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("x", TensorProto.FLOAT, ["n", 3])],
        [("y", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    write_cast(stored(model), tmp_path / "low.onnx", "bfloat16")

    with opened(tmp_path / "low.onnx", ["x"], ["y"]) as runner:
        result = runner({"x": ROWS})["y"]

    assert result.dtype == np.float32
    exact = ROWS @ weights
    assert 0 < np.linalg.norm(result - exact) / np.linalg.norm(exact) < 1e-2
    assert (runner.provider, runner.inputs) == (EVALUATOR, ("x",))


@pytest.mark.parametrize("calling", ["named", "positional"])
def test_names_come_before_places(calling: Calling, stored: Stored) -> None:
    with opened(stored(two_by_two()), ["b", "a"], ["gap", "total"], calling) as runner:
        result = runner({"b": ROWS, "a": ROWS * 3})
    np.testing.assert_array_equal(result["gap"], ROWS * 2)
    np.testing.assert_array_equal(result["total"], ROWS * 4)


def test_places_count_where_no_name_is_known(stored: Stored) -> None:
    names = (["input__0", "input__1"], ["output__0", "output__1"])
    with opened(stored(two_by_two()), *names, "positional") as runner:
        result = runner({"input__0": ROWS * 3, "input__1": ROWS})
    np.testing.assert_array_equal(result["output__0"], ROWS * 4)
    np.testing.assert_array_equal(result["output__1"], ROWS * 2)


def test_an_input_that_the_graph_lost_is_not_fed(stored: Stored) -> None:
    with opened(stored(two_by_two()), ["mask", "a", "b"], ["total", "gap"]) as runner:
        assert set(runner({"mask": ROWS, "a": ROWS, "b": ROWS})) == {"total", "gap"}


def test_weights_beside_the_file_are_read(stored: Stored) -> None:
    path = stored(external("weights.bin"))
    (path.parent / "weights.bin").write_bytes(np.array([1, 2, 3], np.float32).tobytes())
    with opened(path, ["x"], ["y"]) as runner:
        np.testing.assert_array_equal(runner({"x": ROWS})["y"], ROWS + np.array([1, 2, 3]))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"text")
    with pytest.raises((InputError, StepError), match="not an ONNX model"):
        opened(tmp_path / "model.onnx", ["x"], ["y"])


def test_an_operator_without_an_implementation_is_a_plain_refusal(stored: Stored) -> None:
    model = graph_model(
        [helper.make_node("Foo", ["x"], ["y"], domain="somewhere")],
        [("x", TensorProto.FLOAT, ["n", 3])],
        [("y", TensorProto.FLOAT, ["n", 3])],
    )
    model.opset_import.append(helper.make_opsetid("somewhere", 1))
    with pytest.raises(StepError, match="onnx's reference evaluator does not take this model"):
        opened(stored(model), ["x"], ["y"])
