"""Whole runs on TensorFlow models: SavedModel and ONNX, verified, packed, and loaded again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import navcore as nav

from .tensorflow_models import (
    efficientnet,
    floats,
    many_inputs_and_outputs,
    mobilenet,
    subclassed,
    text_classifier,
    transformer_block,
    whole,
)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed: pip install 'nav-tf[cpu]'")
keras: Any = pytest.importorskip("keras", reason="Keras is not installed")

STORED = ("onnx", "tf-savedmodel")


@pytest.fixture(autouse=True)
def only_our_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the plugin for TensorFlow takes part, and those for other frameworks do not."""
    monkeypatch.setenv("NAVCORE_DISABLE_PLUGINS", "openvino,torch,trt")


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(mobilenet, marks=pytest.mark.nightly),
        pytest.param(efficientnet, marks=pytest.mark.nightly),
        many_inputs_and_outputs,
        pytest.param(text_classifier, marks=pytest.mark.nightly),
        pytest.param(transformer_block, marks=pytest.mark.nightly),
        pytest.param(subclassed, marks=pytest.mark.nightly),
    ],
)
def test_a_model_reaches_savedmodel_and_onnx_and_travels_in_a_package(build: Any, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model, data = build()
    before = [array.copy() for array in model.get_weights()]

    package = nav.run(model, data, targets=STORED, workdir=tmp_path / "here", run_profiling=False)

    assert all(package.get_status(name) for name in STORED), str(package)
    row = next(row for row in package.results if row.format.name == "onnx")
    verification = next(one for one in row.runtimes if one.runtime == "CPUExecutionProvider").verification
    assert verification is not None
    assert verification.differences
    assert all((one.relative_l2 or 0) < 1e-4 for one in verification.differences), verification
    for array, kept in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(array, kept)

    nav.save(package, tmp_path / "model.nav")
    loaded = nav.load(tmp_path / "model.nav", workdir=tmp_path / "there", trust=True, run_profiling=False)
    assert all(loaded.get_status(name) for name in STORED), str(loaded)
    signature = package.record.samples.signature
    item = data[1] if isinstance(data[1], dict) else {signature.input_names[0]: data[1]}
    expected = model(next(iter(item.values())) if len(item) == 1 else item, training=False)
    named = expected if isinstance(expected, dict) else {signature.output_names[0]: expected}
    for name in STORED:
        with loaded.open_runner(name) as runner:
            found = runner(item)
        for output, tensor in named.items():
            error = np.linalg.norm(found[output] - tensor.numpy()) / np.linalg.norm(tensor.numpy())
            assert error < 1e-4, (name, output)


def test_the_axes_that_vary_in_the_data_are_open_and_those_that_go_together_are_one(tmp_path: Path) -> None:
    model, data = text_classifier()
    package = nav.run(model, data, targets=["onnx"], workdir=tmp_path, run_profiling=False)
    (spec,) = package.record.samples.signature.inputs
    assert all(isinstance(size, str) for size in spec.shape)
    with package.open_runner("onnx") as runner:
        for batch, length in ((1, 4), (5, 20)):
            tokens = whole(100, batch, length)
            np.testing.assert_allclose(
                next(iter(runner({"tokens": tokens}).values())), model(tokens).numpy(), rtol=1e-4, atol=1e-6
            )


def test_the_reference_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As printed, but for the import's name and one rank less in ``Input``, which Keras 3 insists on."""
    monkeypatch.chdir(tmp_path)
    dataloader = [
        tf.random.uniform(shape=[1, 224, 224, 3], minval=0, maxval=1, dtype=tf.dtypes.float32) for _ in range(10)
    ]

    inp = tf.keras.layers.Input((224, 224, 3))
    layer_output = tf.keras.layers.Lambda(lambda x: x)(inp)
    layer_output = tf.keras.layers.Lambda(lambda x: x)(layer_output)
    model_output = tf.keras.layers.Lambda(lambda x: x)(layer_output)
    model = tf.keras.Model(inp, model_output)

    package_desc = nav.tensorflow.export(
        model=model,
        model_name="example_tf2_model",
        dataloader=dataloader,
        override_workdir=True,
        input_names=("input",),
        profiler_config=nav.ProfilerConfig(measurement_interval=50, max_trials=3),
    )

    onnx_status = package_desc.get_status(format=nav.Format.ONNX)
    assert onnx_status
    onnx_runner = package_desc.get_runner(format=nav.Format.ONNX, runtime=nav.RuntimeProvider.CPU)
    with onnx_runner:
        assert next(iter(onnx_runner.infer({"input": dataloader[0].numpy()}).values())).shape == (1, 224, 224, 3)

    package_desc.set_verified(format=nav.Format.ONNX, runtime=nav.RuntimeProvider.CPU)
    package_desc.save("example_tf2.nav")
    loaded_package_desc = nav.load("example_tf2.nav", workdir="loaded", retest_conversions=False)
    assert loaded_package_desc.get_verified_status(nav.Format.ONNX, runtime=nav.RuntimeProvider.CPU)
    for precision in ("fp16", "fp32"):
        (row,) = (row for row in package_desc.results if row.format.name == f"tf-trt-{precision}")
        assert row.failure is not None
        assert "was built without TensorRT (removed in 2.18); use SavedModel → ONNX → TensorRT" in row.failure.cause


def test_the_reference_example_as_printed_gets_one_sentence(tmp_path: Path) -> None:
    inp = tf.keras.layers.Input((1, 224, 224, 3))
    model = tf.keras.Model(inp, tf.keras.layers.Lambda(lambda x: x)(inp))
    sentence = r"has 5 axes, .* and an item of the dataloader has 4. Keras adds the batch axis by itself"
    with pytest.raises(nav.InputError, match=sentence):
        nav.tensorflow.export(model, [tf.ones([1, 224, 224, 3])] * 3, workdir=tmp_path, input_names=("input",))


def test_a_savedmodel_on_disk_is_a_source(tmp_path: Path) -> None:
    model, data = many_inputs_and_outputs()
    model.export(tmp_path / "mine.savedmodel", verbose=False)

    package = nav.run(tmp_path / "mine.savedmodel", data, workdir=tmp_path, targets=["onnx"], run_profiling=False)

    assert package.get_status("onnx"), str(package)
    with package.open_runner("onnx") as runner:
        found = runner(data[0])
    for name, tensor in model([data[0]["image"], data[0]["numbers"]]).items():
        np.testing.assert_allclose(found[name], tensor.numpy(), rtol=1e-4, atol=1e-6)


def a_dense_model() -> Any:
    return keras.Sequential([keras.Input((5,), name="x"), keras.layers.Dense(3)])


@pytest.mark.parametrize(
    ("build", "data", "sentence"),
    [
        (lambda: keras.Sequential([keras.layers.Dense(2)]), [floats(2, 5)], "was never built"),
        (a_dense_model, [tf.constant([["a"], ["b"]])], "which is not numeric"),
        (a_dense_model, [(floats(2, 5), whole(3, 2))], r"takes 1 input \(x\), .* holds 2 tensors"),
        (a_dense_model, [{"x": floats(2, 5), "y": whole(3, 2)}], r"takes 1 input \(x\), .* holds x, y"),
        (a_dense_model, [floats(2, 6)], "expected axis -1 of input shape to have value 5|expected shape=.None, 5."),
        (lambda: tf.Module(), [floats(2, 5)], "has no __call__"),
    ],
)
def test_models_and_data_that_cannot_be_used_are_refused(
    build: Any, data: list[Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(nav.InputError, match=sentence):
        nav.run(build(), data, workdir=tmp_path, run_profiling=False)


def test_what_cannot_be_stored_is_a_row_with_one_sentence(tmp_path: Path) -> None:
    inputs = keras.Input((5,))
    through_numpy = keras.layers.Lambda(
        lambda x: tf.numpy_function(lambda array: array * 2, [x], tf.float32), output_shape=(5,)
    )
    package = nav.run(keras.Model(inputs, through_numpy(inputs)), [floats(2, 5)], workdir=tmp_path, run_profiling=False)
    rows = {row.format.name: row for row in package.results}
    assert rows["tf-savedmodel"].failure is not None
    assert "which cannot be serialised" in rows["tf-savedmodel"].failure.cause
    assert rows["onnx"].failure is not None
    assert rows["onnx"].failure.category == "skipped"


def test_an_unsupported_operator_leaves_the_savedmodel_and_names_itself(tmp_path: Path) -> None:
    package = nav.run(
        tf.function(lambda x: tf.math.erfinv(x)), [np.full((2, 5), 0.5, np.float32)], workdir=tmp_path,
        run_profiling=False,
    )  # fmt: skip
    assert package.get_status("tf-savedmodel")
    row = next(row for row in package.results if row.format.name == "onnx")
    assert row.failure is not None
    assert "ONNX has no operator for what the model computes: Erfinv" in row.failure.cause


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "tensorflow_mobilenet.py"
    ended = subprocess.run(
        [sys.executable, str(example)], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    said = dict(line.split(":", 1) for line in ended.stdout.splitlines() if line.startswith("Classes by"))
    assert said["Classes by the loaded package"].strip() == said["Classes by Keras"].strip()
