"""Items of a dataloader are fitted to what each kind of model wants, or refused in one sentence."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from nav_tf.calls import call_model, fitted, refuse_unusable
from navcore import SourceError

A = np.zeros((2, 3), np.float32)
B = np.zeros((2, 4), np.float32)


def two_inputs(structure: str) -> keras.Model:
    first, second = keras.Input((3,), name="a"), keras.Input((4,), name="b")
    inputs = {"list": [first, second], "dict": {"b": second, "a": first}}[structure]
    return keras.Model(inputs, keras.layers.Concatenate()([first, second]))


class TwoArguments(keras.Model):
    def call(self, a: Any, b: Any, training: bool | None = None) -> Any:
        return keras.ops.concatenate([a, b], axis=1)


class OneStructure(keras.Model):
    def call(self, inputs: Any) -> Any:
        return keras.ops.concatenate([inputs["a"], inputs["b"]], axis=1)


class Module(tf.Module):
    @tf.function
    def __call__(self, a: Any, b: Any) -> Any:
        return tf.concat([a, b], 1)


@tf.function
def function(a: Any, b: Any) -> Any:
    return tf.concat([a, b], 1)


def built(model: keras.Model) -> keras.Model:
    model.built = True
    return model


@pytest.mark.parametrize(
    ("model", "args", "kwargs"),
    [
        (two_inputs("list"), [A, B], {}),
        (two_inputs("list"), [[A, B]], {}),
        (two_inputs("list"), [], {"b": B, "a": A}),
        (two_inputs("dict"), [], {"b": B, "a": A}),
        (two_inputs("dict"), [{"a": A, "b": B}], {}),
        (built(TwoArguments()), [A, B], {}),
        (built(TwoArguments()), [], {"b": B, "a": A}),
        (built(OneStructure()), [], {"b": B, "a": A}),
        (built(OneStructure()), [{"b": B, "a": A}], {}),
        (Module(), [A, B], {}),
        (Module(), [], {"b": B, "a": A}),
        (function, [A, B], {}),
        (function, [], {"b": B, "a": A}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.Model | tf.Module) else None,
)
def test_every_kind_of_model_takes_positions_and_names(model: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
    assert call_model(model, args, kwargs).shape == (2, 7)


def test_several_tensors_for_one_parameter_become_one_list() -> None:
    class Summed(keras.Model):
        def call(self, inputs: Any) -> Any:
            return inputs[0] + inputs[1]

    assert fitted(built(Summed()), [A, A], {}) == ([[A, A]], {})


def test_one_tensor_may_have_any_name() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Identity()])
    assert call_model(model, [], {"picture": A}).shape == (2, 3)


def test_models_are_called_in_inference_mode_unless_the_item_says_otherwise() -> None:
    seen = []

    class Moody(keras.Model):
        def call(self, x: Any, training: bool | None = None) -> Any:
            seen.append(training)
            return x

    call_model(built(Moody()), [A], {})
    call_model(built(Moody()), [], {"x": A, "training": True})
    assert seen == [False, True]


@pytest.mark.parametrize(
    ("model", "args", "kwargs", "sentence"),
    [
        (two_inputs("list"), [A], {}, "takes 2 inputs (a, b), and an item of the dataloader holds 1 tensors"),
        (two_inputs("list"), [], {"a": A, "c": B}, "takes 2 inputs (a, b), and an item of the dataloader holds a, c"),
        (two_inputs("dict"), [A, B], {}, "holds tensors without names. Yield a dict with those keys"),
        (built(TwoArguments()), [A], {}, "takes 2 inputs (a, b), and an item of the dataloader holds 1 tensors"),
        (built(TwoArguments()), [], {"a": A, "z": B}, "takes 2 inputs (a, b)"),
        (function, [A, B, B], {}, "takes 2 inputs (a, b), and an item of the dataloader holds 3 tensors"),
        (
            keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(1)]),
            [A, B],
            {},
            "takes 1 input (x), and an item of the dataloader holds 2 tensors. Yield the inputs only, without labels",
        ),
        (
            keras.Sequential([keras.Input((1, 3), name="x"), keras.layers.Dense(1)]),
            [A],
            {},
            "input 'x' has 3 axes, (None, 1, 3) with the batch, and an item of the dataloader has 2. Keras adds",
        ),
    ],
)
def test_items_that_do_not_fit_get_one_sentence(
    model: Any, args: list[Any], kwargs: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SourceError, match=re.escape(sentence)):
        call_model(model, args, kwargs)


def test_a_model_that_was_never_built_says_so() -> None:
    with pytest.raises(SourceError, match=r"was never built, so it has no weights yet. Call it once"):
        refuse_unusable(keras.Sequential([keras.layers.Dense(2)], name="raw"))


def test_a_module_without_a_call_says_so() -> None:
    with pytest.raises(SourceError, match="has no __call__"):
        refuse_unusable(tf.Module())


@pytest.mark.parametrize("kind", ["RaggedTensor", "SparseTensor"])
def test_results_that_no_file_can_hold_are_refused(kind: str) -> None:
    values = {
        "RaggedTensor": lambda x: tf.RaggedTensor.from_tensor(x),
        "SparseTensor": lambda x: tf.sparse.from_dense(x),
    }
    with pytest.raises(SourceError, match=f"returns a {kind}"):
        call_model(tf.function(values[kind]), [tf.ones((2, 3))], {})


def test_a_legacy_keras_model_is_called_the_same_way() -> None:
    legacy = pytest.importorskip("tf_keras", reason="the legacy Keras (tf_keras) is not installed")
    first, second = legacy.Input((3,), name="a"), legacy.Input((4,), name="b")
    model = legacy.Model([first, second], legacy.layers.Concatenate()([first, second]))
    assert call_model(model, [], {"b": B, "a": A}).shape == (2, 7)
    assert call_model(model, [A, B], {}).shape == (2, 7)
