"""onnx-fp16 and onnx-bf16 as formats: what the step says, and how ONNX Runtime is asked to run them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import nav_onnx
from nav_onnx import ONNX, ONNX_BF16, ONNX_FP16, CastRules, RuntimeOptions
from nav_onnx.low_precision import computes_already
from navcore import Artifact, ConvertJob, Feeds, Format, Made, RunnerJob, Signature, StepError, TensorSpec
from navcore.contract.formats import matching

from .onnx_models import graph_model

Stored = Callable[[onnx.ModelProto], Path]
Cast = Callable[..., tuple[Made, Path]]
FLOAT, HALF, BF16, DOUBLE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE


def product(code: int = FLOAT) -> onnx.ModelProto:
    """``y = softmax(x w)`` in one element type."""
    dtype = helper.tensor_dtype_to_np_dtype(code)
    return graph_model(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Softmax", ["h"], ["y"])],
        [("x", code, ["n", 3])],
        [("y", code, ["n", 3])],
        [numpy_helper.from_array(np.eye(3).astype(dtype), "w")],
    )


@pytest.fixture
def cast(stored: Stored, tmp_path: Path) -> Cast:
    def go(
        model: onnx.ModelProto, target: Format = ONNX_FP16, samples: Sequence[Feeds] = (), **rules: Any
    ) -> tuple[Made, Path]:
        signature = Signature((TensorSpec("x", "float32", ("n", 3)),))
        source = Artifact(ONNX, signature, path=stored(model), calling="positional")
        job = ConvertJob(source, target, tmp_path / "out.onnx", signature, {}, CastRules(**rules), samples=samples)
        routes = {ONNX_FP16: nav_onnx.onnx_fp16_from_onnx, ONNX_BF16: nav_onnx.onnx_bf16_from_onnx}
        made: Any = routes[target](job)
        return made, job.output

    return go


@pytest.mark.parametrize(("target", "low"), [(ONNX_FP16, "float16"), (ONNX_BF16, "bfloat16")])
def test_the_step_counts_what_it_cast(target: Format, low: str, cast: Cast) -> None:
    made, output = cast(product(), target)

    assert made.facts == {"lowered": "2", "kept": "0"}
    assert made.notes == (f"2 of 2 floating-point nodes compute in {low}.",)
    assert made.calling == "positional"
    onnx.checker.check_model(output, full_check=True)


def test_what_stays_in_float32_is_told_with_its_reason(cast: Cast) -> None:
    made, _ = cast(product(), keep_ops=("Softmax",))
    assert made.facts == {"lowered": "1", "kept": "1"}
    assert made.notes == (
        "1 of 2 floating-point nodes compute in float16; in float32 stay 1 Softmax: kept by operator.",
    )


def squares() -> onnx.ModelProto:
    """``y = x · x · w`` and then a softmax, with weights that any type holds."""
    return graph_model(
        [
            helper.make_node("Mul", ["x", "x"], ["square"], name="squaring"),
            helper.make_node("MatMul", ["square", "w"], ["h"], name="product"),
            helper.make_node("Softmax", ["h"], ["soft"], name="softmax"),
            helper.make_node("MatMul", ["soft", "w"], ["y"], name="last"),
        ],
        [("x", FLOAT, ["n", 3])],
        [("y", FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.eye(3, dtype=np.float32) / 2, "w")],
    )


SMALL = [{"x": np.full((1, 3), number, np.float32)} for number in (1, -2, 3)]
LARGE = [*SMALL, {"x": np.array([[300, 1, 2]], np.float32)}]


def test_what_grows_beyond_float16_on_a_sample_stays_in_float32(cast: Cast) -> None:
    """300² is more than 65504, which no weight tells; half of it is not, but is made of it."""
    made, output = cast(squares(), samples=LARGE)
    assert made.facts == {"lowered": "2", "kept": "2"}
    assert "Mul: gives numbers up to 9e+04 on the samples" in made.notes[0]
    assert "MatMul: takes numbers up to 9e+04 on the samples" in made.notes[0]
    session = onnxruntime.InferenceSession(output, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, LARGE[-1])
    np.testing.assert_allclose(found, [[0.5, 0, 0]], atol=1e-3)
    assert not list(output.parent.glob(".scratch*"))


def test_samples_that_stay_small_and_bfloat16_keep_nothing(cast: Cast) -> None:
    assert cast(squares(), samples=SMALL)[0].facts["kept"] == "0"
    assert cast(squares(), ONNX_BF16, samples=LARGE)[0].facts["kept"] == "0"


@pytest.mark.parametrize("target", [ONNX_FP16, ONNX_BF16])
def test_a_limit_of_the_users_holds_for_what_is_computed_too(target: Format, cast: Cast) -> None:
    made, _ = cast(squares(), target, samples=SMALL, max_magnitude=5.0)
    assert made.facts["kept"] == "2"
    assert "gives numbers up to 9 on the samples" in made.notes[0]


def test_a_model_that_does_not_run_here_is_cast_by_its_weights_and_the_note_says_so(cast: Cast) -> None:
    made, _ = cast(squares(), samples=[{"x": np.zeros((1, 4), np.float32)}])
    assert made.facts["kept"] == "0"
    assert made.notes[-1].startswith("How large its numbers become on the samples is unknown, and only weights")


@pytest.mark.parametrize(("code", "target", "low"), [(HALF, ONNX_FP16, "float16"), (BF16, ONNX_BF16, "bfloat16")])
def test_a_model_that_computes_in_the_type_already_is_used_as_it_is(
    code: int, target: Format, low: str, cast: Cast, stored: Stored
) -> None:
    model = product(code)
    made, output = cast(model, target)

    assert output.read_bytes() == model.SerializeToString()
    assert made.notes == (f"The model computes in {low} already: it is used as it is.",)
    assert made.calling == "positional"


@pytest.mark.parametrize(("code", "target"), [(HALF, ONNX_BF16), (BF16, ONNX_FP16), (DOUBLE, ONNX_FP16)])
def test_a_model_in_another_type_is_refused(code: int, target: Format, cast: Cast) -> None:
    with pytest.raises(StepError, match="Only float32 models are cast to"):
        cast(product(code), target)


def test_only_computations_count(stored: Stored) -> None:
    moved = graph_model(
        [helper.make_node("Cast", ["x"], ["y"], to=HALF)], [("x", FLOAT, ["n", 3])], [("y", HALF, ["n", 3])]
    )
    assert not computes_already(stored(moved), "float16")
    assert computes_already(stored(product(HALF)), "float16")
    assert not computes_already(stored(product(HALF)), "bfloat16")


def test_who_asks_for_onnx_never_gets_a_cast() -> None:
    known = (ONNX, ONNX_FP16, ONNX_BF16)
    assert matching("onnx", known) == (ONNX,)
    assert all(one.data_only and not one.suffixes for one in (ONNX_FP16, ONNX_BF16))


Levels = list[Any]


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> Levels:
    """The optimization levels that real sessions are opened with."""
    seen: Levels = []
    real = onnxruntime.InferenceSession

    def spy(path: str, settings: Any, **given: Any) -> Any:
        seen.append(settings.graph_optimization_level)
        return real(path, settings, **given)

    monkeypatch.setattr(onnxruntime, "InferenceSession", spy)
    return seen


@pytest.mark.parametrize(
    ("format", "asked", "level"),
    [
        (ONNX_FP16, None, "ORT_ENABLE_EXTENDED"),
        (ONNX_FP16, "all", "ORT_ENABLE_ALL"),
        (ONNX_FP16, "basic", "ORT_ENABLE_BASIC"),
        (ONNX, None, "ORT_ENABLE_ALL"),
    ],
)
def test_float16_runs_at_the_extended_level_unless_the_user_says_otherwise(
    format: Format, asked: Any, level: str, levels: Levels, job: Callable[..., RunnerJob[RuntimeOptions]]
) -> None:
    opened: Any = job(product(), ["x"], ["y"], graph_optimization=asked)
    opened = attrs.evolve(opened, artifact=attrs.evolve(opened.artifact, format=format))
    runner: Any = nav_onnx.run_on_cpu(opened)
    with runner:
        assert runner({"x": np.eye(3, dtype=np.float32)})["y"].shape == (3, 3)

    assert levels == [getattr(onnxruntime.GraphOptimizationLevel, level)]
    assert runner.precision == format.precision
