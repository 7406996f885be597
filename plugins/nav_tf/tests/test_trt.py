"""What can be known of TF-TRT where no TensorFlow has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import navcore
from nav_tf import TF_SAVEDMODEL, TF_TRT_FP16, TrtOptions, tf_trt_fp16_from_tf_savedmodel
from nav_tf.trt import _profile_inputs
from navcore import Artifact, Axis, ConvertJob, Format, OptionError, Signature, TensorSpec


def job(folder: Path) -> ConvertJob[TrtOptions]:
    signature = Signature(
        (TensorSpec("b", "float32", ("batch", 3)), TensorSpec("a", "int32", ("batch",))),
        axes=(Axis("batch", 1, 2, 8),),
    )
    example = {"b": np.ones((2, 3), np.float32), "a": np.ones(2, np.int32)}
    artifact = Artifact(TF_SAVEDMODEL, signature, folder)
    return ConvertJob(artifact, TF_TRT_FP16, folder / "made", signature, example, TrtOptions())


def test_profiles_span_the_smallest_and_the_largest_sizes_in_the_order_of_the_keys(tmp_path: Path) -> None:
    smallest, largest = list(_profile_inputs(job(tmp_path)))
    assert [tuple(one.shape) for one in smallest] == [(1,), (1, 3)]
    assert [tuple(one.shape) for one in largest] == [(8,), (8, 3)]
    assert [one.dtype.name for one in largest] == ["int32", "float32"]


@pytest.mark.parametrize("name", ["minimum_segment_size", "max_workspace_size"])
def test_options_are_checked(name: str) -> None:
    with pytest.raises(OptionError, match=f"{name} is 0"):
        TrtOptions(**{name: 0})


def test_the_rows_are_planned_and_say_why_not() -> None:
    if tf_trt_fp16_from_tf_savedmodel.__navcore_routes__[0].available() is None:  # type: ignore[attr-defined]
        pytest.skip("this TensorFlow has TensorRT")
    later = {one.target.name: one.needs for one in navcore.plan("tensorflow", targets=Format.TF_TRT).later}
    assert set(later) == {"tf-trt-fp16", "tf-trt-fp32"}
    assert all("use SavedModel → ONNX → TensorRT" in needs for needs in later.values())


def test_tf_trt_alone_leaves_a_verified_savedmodel_for_the_machine_that_makes_it(tmp_path: Path) -> None:
    if tf_trt_fp16_from_tf_savedmodel.__navcore_routes__[0].available() is None:  # type: ignore[attr-defined]
        pytest.skip("this TensorFlow has TensorRT")
    keras = pytest.importorskip("keras")
    taken = keras.Input((4,))
    model = keras.Model(taken, keras.layers.Dense(3)(taken))
    data = [np.random.default_rng(number).normal(size=(2, 4)).astype(np.float32) for number in range(3)]
    told = str(navcore.plan(model, targets="tf-trt"))
    assert "later   tf-trt-fp16        from tf-savedmodel, elsewhere: TensorFlow" in told
    package = navcore.run(model, data, targets="tf-trt", workdir=tmp_path / "home", run_profiling=False, git_info=False)
    rows = {row.format.name: row for row in package.results}
    assert {name: str(row.status) for name, row in rows.items()} == {
        "tensorflow": "ok", "tf-savedmodel": "ok", "tf-trt-fp16": "unavailable", "tf-trt-fp32": "unavailable",
    }  # fmt: skip
    assert rows["tf-savedmodel"].requested is False
    assert rows["tf-trt-fp16"].made_from == "tf-savedmodel"
    package.save(tmp_path / "x.nav")
    there = navcore.load(tmp_path / "x.nav", workdir=tmp_path / "there", trust=True, run_profiling=False)
    assert there.get_status("tf-savedmodel")
    assert not there.get_status("tf-trt")
    again = next(row for row in there.results if row.format == "tf-trt-fp16")
    assert again.failure is not None
    assert "TensorRT" in again.failure.cause
