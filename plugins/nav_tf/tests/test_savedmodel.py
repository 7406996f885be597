"""Every kind of live model becomes a SavedModel that keeps names and open axes, and computes the same elsewhere."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from navcore import ExportError

BATCH = {"input__0": {0: "batch"}}


def dense() -> keras.Model:
    return keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, activation="tanh")])


class Scaled(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor = tf.Variable(3.0)

    def __call__(self, x: Any) -> Any:
        return x * self.factor


def scaled_function() -> Any:
    factor = tf.Variable(3.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 5], tf.float32)])
    def scale(x: tf.Tensor) -> tf.Tensor:
        return x * factor

    return scale


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.body = keras.layers.Dense(4)
        self.drop = keras.layers.Dropout(0.9)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        hidden = self.drop(self.body(inputs["x"]), training=training)
        return {"sum": hidden + inputs["y"], "first": hidden}


@pytest.mark.parametrize("build", [dense, Scaled, scaled_function])
def test_one_tensor_in_and_out(build: Any, case: Any, export: Any, assert_follows: Any) -> None:
    subject = case(build(), np.ones((2, 5), np.float32), BATCH)
    assert_follows(subject, export(subject), {"batch": 1}, {"batch": 7})


def test_a_subclassed_model_with_dicts(case: Any, export: Any, open_saved: Any, assert_follows: Any) -> None:
    model = Subclassed()
    item = {"y": np.ones((2, 4), np.float32), "x": np.ones((2, 6), np.float32)}
    model(item)
    subject = case(model, item, {"x": {0: "batch"}, "y": {0: "batch"}})
    saved = export(subject)
    assert_follows(subject, saved, {"batch": 5})
    assert list(open_saved(saved)(subject.feeds())) == ["sum", "first"]


def test_a_legacy_keras_model(case: Any, export: Any, assert_follows: Any) -> None:
    legacy = pytest.importorskip("tf_keras", reason="the legacy Keras (tf_keras) is not installed")
    model = legacy.Sequential([legacy.Input((5,)), legacy.layers.Dense(3), legacy.layers.BatchNormalization()])
    subject = case(model, np.ones((2, 5), np.float32), BATCH)
    assert_follows(subject, export(subject), {"batch": 7})


def test_names_that_tensorflow_does_not_allow_are_kept(case: Any, export: Any, open_saved: Any) -> None:
    @tf.function
    def function(a: Any, b: Any) -> Any:
        return a - b, a

    item = (np.full((2, 3), 5, np.float32), np.ones((2, 3), np.float32))
    names = {"input__0": "z.left", "input__1": "2 right"}
    subject = case(function, item, {"z.left": {0: "batch"}}, names, ("the result", "class"))
    found = open_saved(export(subject))(subject.example)
    assert list(found) == ["the result", "class"]
    np.testing.assert_array_equal(found["the result"], item[0] - item[1])


def test_a_branch_on_a_value_is_kept(case: Any, export: Any, open_saved: Any) -> None:
    class Branching(tf.Module):
        def __call__(self, x: Any) -> Any:
            if tf.reduce_sum(x) > 0:
                return x * 2
            return x - 1

    subject = case(Branching(), np.ones((2, 3), np.float32), BATCH)
    runner = open_saved(export(subject))
    for value in (1, -1):
        feeds = {"input__0": np.full((4, 3), value, np.float32)}
        np.testing.assert_array_equal(runner(feeds)["output__0"], subject.eager(feeds)["output__0"])


def test_a_lookup_table_of_the_model_is_saved_with_it(case: Any, export: Any, open_saved: Any) -> None:
    class Looking(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            pairs = tf.lookup.KeyValueTensorInitializer([1, 2], [10, 20], tf.int64, tf.int64)
            self.table = tf.lookup.StaticHashTable(pairs, default_value=-1)

        def __call__(self, x: Any) -> Any:
            return self.table.lookup(x)

    subject = case(Looking(), np.array([[1, 2, 3]]), BATCH)
    np.testing.assert_array_equal(open_saved(export(subject))(subject.example)["output__0"], [[10, 20, -1]])


def test_the_optimizer_stays_out_and_the_model_as_it_was(case: Any, export: Any) -> None:
    model = dense()
    model.compile("adam", "mse")
    model.fit(np.ones((4, 5), np.float32), np.ones((4, 3), np.float32), verbose=0)
    before = [array.copy() for array in model.get_weights()]
    saved = export(case(model, np.ones((2, 5), np.float32), BATCH))
    names = [name for name, _ in tf.train.list_variables(str(saved.path / "variables" / "variables"))]
    assert sum("kept" in name for name in names) == 2
    assert not [name for name in names if "optimizer" in name]
    for array, kept in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(array, kept)
    assert model.optimizer is not None


def test_it_runs_in_a_process_that_knows_nothing_of_navcore(case: Any, export: Any) -> None:
    saved = export(case(dense(), np.ones((2, 5), np.float32), BATCH))
    script = (
        "import sys, tensorflow as tf\n"
        f"function = tf.saved_model.load({str(saved.path)!r}).signatures['serving_default']\n"
        "assert 'navcore' not in sys.modules\n"
        "print(function(input__0=tf.ones((3, 5)))['output__0'].shape)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.stdout.strip() == "(3, 3)", ended.stderr


def through_numpy(x: Any) -> Any:
    return tf.numpy_function(lambda array: array * 2, [x], tf.float32)


def test_a_lambda_layer_that_calls_python_is_refused(case: Any, export: Any) -> None:
    inputs = keras.Input((5,))
    model = keras.Model(inputs, keras.layers.Lambda(through_numpy, output_shape=(5,))(inputs))
    with pytest.raises(ExportError, match=r"runs Python code at .* which cannot be serialised. Write that part with"):
        export(case(model, np.ones((2, 5), np.float32), BATCH))


def test_a_lambda_layer_that_needs_values_is_refused(case: Any, export: Any) -> None:
    inputs = keras.Input((5,))
    layer = keras.layers.Lambda(lambda x: tf.constant(x.numpy() * 2), output_shape=(5,))
    with pytest.raises(ExportError, match=r"Tracing the model failed: AttributeError: .* no attribute 'numpy'"):
        export(case(keras.Model(inputs, layer(inputs)), np.ones((2, 5), np.float32), BATCH))


def test_a_resource_that_the_model_does_not_own_is_refused(case: Any, export: Any) -> None:
    pairs = tf.lookup.KeyValueTensorInitializer([1, 2], [10, 20], tf.int64, tf.int64)
    table = tf.lookup.StaticHashTable(pairs, default_value=-1)
    inputs = keras.Input((3,), dtype="int64")
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: table.lookup(x), output_shape=(3,))(inputs))
    with pytest.raises(ExportError, match=r"a resource that it does not own.*StaticHashTable.*Assign the table"):
        export(case(model, np.array([[1, 2, 3]]), BATCH))


def test_code_that_reads_an_open_axis_as_a_number_is_told_what_to_use(case: Any, export: Any) -> None:
    class Shaped(tf.Module):
        def __call__(self, x: Any) -> Any:
            return tf.zeros([x.shape[0] * 2, 3]) + tf.reduce_sum(x)

    with pytest.raises(ExportError, match=r"Use tf.shape\(x\) where the code reads x.shape"):
        export(case(Shaped(), np.ones((2, 3), np.float32), BATCH))


def test_nothing_that_autograph_generated_is_left_in_the_temporary_folder(
    case: Any, export: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Branching(tf.Module):
        def __call__(self, x: Any) -> Any:
            if tf.reduce_sum(x) > 0:
                return x * 3
            return x - 2

    subject = case(Branching(), np.ones((2, 3), np.float32), BATCH)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    before = set(sys.modules)
    export(subject)
    assert any("autograph_generated" in name for name in set(sys.modules) - before)
    assert list(temporary.iterdir()) == []
