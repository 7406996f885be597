"""Tensors cross over to arrays and back with their values and types, and a model's weights have names."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from nav_tf import TENSORFLOW
from nav_tf.live import device, from_array, is_tensor, state, to_array, variables
from navcore.contract import dtype_named


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64"]
)
def test_values_and_types_survive_the_way_to_a_tensor_and_back(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype_named(dtype))
    tensor = from_array(array)
    assert tensor.dtype.name == dtype
    back = to_array(tensor)
    assert back is not None
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_a_tensor_does_not_share_the_memory_of_its_array() -> None:
    array = np.ones((64, 64), np.float32)
    tensor = from_array(array)
    array[:] = 7
    assert float(tf.reduce_max(tensor)) == 1


def test_text_becomes_an_array_that_is_not_numeric() -> None:
    array = to_array(tf.constant(["a", "b"]))
    assert array is not None
    assert array.dtype.kind == "O"


@pytest.mark.parametrize("value", [3, "a", np.ones(2), tf.ragged.constant([[1], [2, 3]]), None])
def test_what_is_no_dense_tensor_is_none(value: object) -> None:
    assert not is_tensor(value)
    assert to_array(value) is None


def test_a_symbolic_tensor_has_no_value() -> None:
    seen = []

    @tf.function
    def look(x: tf.Tensor) -> tf.Tensor:
        seen.append((is_tensor(x), to_array(x)))
        return x

    look(tf.ones(2))
    assert seen == [(True, None)]


def dense() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


class Module(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = tf.Variable([1.0, 2.0], name="weight")
        self.second = tf.Variable([3.0], name="weight")


@tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
def double(x: tf.Tensor) -> tf.Tensor:
    return x * 2


def test_weights_of_keras_and_of_modules_have_distinct_names() -> None:
    model = dense()
    assert [array.shape for _, array in state(model)] == [(3, 2), (2,)]
    assert dict(state(Module())).keys() == {"0/weight:0", "1/weight:0"}
    assert list(state(double)) == []


def test_a_function_with_a_signature_owns_the_variables_that_it_uses() -> None:
    weight = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def scale(x: tf.Tensor) -> tf.Tensor:
        return x * weight

    assert [variable for _, variable in variables(scale)] == [weight]


def test_models_on_the_cpu_say_so() -> None:
    assert [device(one) for one in (dense(), Module(), double)] == ["cpu"] * 3


@pytest.mark.parametrize("model", [dense(), keras.layers.Dense(2), Module(), double], ids=lambda m: type(m).__name__)
def test_live_models_are_recognised_by_the_names_of_their_classes(model: object) -> None:
    assert TENSORFLOW.live is not None
    assert TENSORFLOW.live.recognises(model)


def test_other_objects_are_not() -> None:
    assert TENSORFLOW.live is not None
    assert not TENSORFLOW.live.recognises(lambda x: x)
    assert not TENSORFLOW.live.recognises(tf.constant(1))
