"""SavedModels from disk run by their signature, and those that cannot say why."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from nav_tf import TF_SAVEDMODEL, run_savedmodel
from nav_tf.formats import is_savedmodel, load_savedmodel, savedmodel_files
from nav_tf.serving import ServingOptions
from navcore import Artifact, InputError, OptionError, Runner, RunnerJob, Signature, StepError, TensorSpec


def opened(path: Path, *names: str, options: ServingOptions = ServingOptions(), **job: Any) -> Runner:  # noqa: B008
    signature = Signature(tuple(TensorSpec(name, "float32", ("batch", 3)) for name in names))
    artifact = Artifact(TF_SAVEDMODEL, signature, path)
    return run_savedmodel(RunnerJob(artifact, "TensorFlowExecutionProvider", options, **job))


@pytest.fixture
def of_keras(tmp_path: Path) -> Path:
    inputs = keras.Input((3,), name="x")
    model = keras.Model(inputs, {"y": keras.layers.Dense(2, name="y", kernel_initializer="ones")(inputs)})
    model.export(tmp_path / "keras", verbose=False)
    return tmp_path / "keras"


class Two(tf.Module):
    spec = tf.TensorSpec([None, 3], tf.float32)

    @tf.function(input_signature=[spec, spec])
    def subtract(self, b: Any, a: Any) -> Any:
        return {"difference": b - a}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def length(self, text: Any) -> Any:
        return {"length": tf.strings.length(text)}


def saved(path: Path, **signatures: Any) -> Path:
    module = Two()
    tf.saved_model.save(module, str(path), signatures={key: getattr(module, name) for key, name in signatures.items()})
    return path


def test_a_model_that_keras_exported_runs_under_its_own_names(of_keras: Path) -> None:
    with opened(of_keras) as runner:
        assert runner.inputs == ("x",)
        assert (runner.provider, runner.precision) == ("cpu", "fp32")
        np.testing.assert_array_equal(runner({"x": np.ones((4, 3), np.float32)})["y"], np.full((4, 2), 3))


def test_a_process_of_its_own_has_the_threads_that_were_asked_for(of_keras: Path) -> None:
    """TensorFlow takes the number once in a process: this one, where it has run, keeps all."""
    with opened(of_keras, "x", threads=1) as runner:
        assert runner.threads == len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        assert executor.submit(_threads_of, of_keras).result() == 1


def _threads_of(path: Path) -> int | None:
    with opened(path, "x", threads=1) as runner:
        runner({"x": np.ones((1, 3), np.float32)})
        return runner.threads


class Trained(tf.Module):
    """A model that was saved with the momenta of an optimizer whose class nobody knows any more."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(tf.ones((3, 2)))
        self.optimizer = tf.compat.v1.train.MomentumOptimizer(0.1, 0.9)
        self.optimizer.apply_gradients([(tf.ones((3, 2)), self.weights)])

    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, name="x")])
    def __call__(self, x: Any) -> Any:
        return {"y": x @ self.weights}


def test_a_savedmodel_with_slots_of_a_lost_optimizer_is_read_without_it(tmp_path: Path) -> None:
    module = Trained()
    tf.saved_model.save(module, str(tmp_path / "trained"), signatures=module.__call__)
    with pytest.raises(AttributeError, match="add_slot"):
        tf.saved_model.load(str(tmp_path / "trained"))
    with opened(tmp_path / "trained", "x") as runner:
        np.testing.assert_allclose(runner({"x": np.ones((1, 3), np.float32)})["y"], [[2.7, 2.7]], rtol=1e-6)


def test_inputs_go_by_name_and_several_have_no_order(tmp_path: Path) -> None:
    with opened(saved(tmp_path / "two", any_name="subtract"), "a", "b") as runner:
        assert runner.inputs == ()
        found = runner({"a": np.ones((1, 3), np.float32), "b": np.full((1, 3), 5, np.float32)})
    np.testing.assert_array_equal(found["difference"], np.full((1, 3), 4))


def test_variables_outlive_everything_but_the_runner(of_keras: Path) -> None:
    import gc

    runner = opened(of_keras)
    gc.collect()
    assert runner({"x": np.ones((1, 3), np.float32)})["y"].shape == (1, 2)


def test_other_names_are_refused_with_those_that_it_has(tmp_path: Path) -> None:
    with pytest.raises(
        StepError, match=r"inputs are a, b, and the recorded ones are input__0, input__1. Use the model"
    ):
        opened(saved(tmp_path / "two", serving_default="subtract"), "input__0", "input__1")


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    runner = opened(saved(tmp_path / "two", serving_default="subtract"))
    with pytest.raises(InputError, match="The input 'b' is missing; the SavedModel takes a, b"):
        runner({"a": np.ones((1, 3), np.float32)})


def test_a_wrong_dtype_is_one_sentence(of_keras: Path) -> None:
    with pytest.raises(StepError, match="TensorFlow could not run the SavedModel: "):
        opened(of_keras)({"x": np.ones((1, 3), np.int32)})


def test_of_several_signatures_one_has_to_be_the_default(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"several signatures \(first, second\), and none is called 'serving_default'"):
        opened(saved(tmp_path / "several", first="subtract", second="length"))


def test_a_signature_can_be_named(tmp_path: Path) -> None:
    several = saved(tmp_path / "several", first="subtract", second="length")
    runner = opened(several, options=ServingOptions("first"))
    assert list(runner({"a": np.ones((1, 3), np.float32), "b": np.ones((1, 3), np.float32)}))
    with pytest.raises(InputError, match=r"has no signature 'third'. It has: first, second"):
        opened(several, options=ServingOptions("third"))


def test_a_model_without_a_signature_says_so(tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path / "none"))
    with pytest.raises(InputError, match="has no signature"):
        opened(tmp_path / "none")


def test_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="takes text as text, and inputs have to be numbers or booleans"):
        opened(saved(tmp_path / "text", serving_default="length"))


def test_a_damaged_graph_is_refused(of_keras: Path) -> None:
    (of_keras / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(InputError, match="TensorFlow does not read this SavedModel"):
        opened(of_keras)


def test_a_device_that_tensorflow_does_not_have_is_refused(of_keras: Path) -> None:
    with pytest.raises(OptionError, match="TensorFlow has no device 'tpu-ish'"):
        opened(of_keras, device="tpu-ish")


def test_the_folder_is_known_by_its_content(of_keras: Path, tmp_path: Path) -> None:
    assert is_savedmodel(of_keras)
    assert not is_savedmodel(tmp_path)
    assert of_keras / "saved_model.pb" in savedmodel_files(of_keras)
    assert [file.name for file in savedmodel_files(of_keras) if file.parent.name == "variables"]
    with pytest.raises(InputError, match=r"is not a SavedModel: it has no saved_model.pb"):
        savedmodel_files(tmp_path)
    assert "serving_default" in load_savedmodel(of_keras).signatures
