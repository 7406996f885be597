"""Calls leave no trace in a model's state."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nav_tf.restoring import untouched


class Counting(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = tf.Variable(0, trainable=False)
        self.weight = tf.Variable(2.0)

    def __call__(self, x: Any) -> Any:
        self.calls.assign_add(1)
        return x * self.weight


def test_counters_come_back() -> None:
    model = Counting()
    with untouched(model):
        model(tf.ones(2))
        assert int(model.calls) == 1
    assert int(model.calls) == 0


def test_states_of_recurrent_layers_come_back() -> None:
    model = keras.Sequential([keras.Input((3, 2), batch_size=1), keras.layers.GRU(4, stateful=True)])
    before = model(np.ones((1, 3, 2), np.float32)).numpy()
    held = [variable.numpy() for variable in model.layers[0].states]
    with untouched(model):
        assert not np.array_equal(model(np.ones((1, 3, 2), np.float32)).numpy(), before)
    for variable, array in zip(model.layers[0].states, held, strict=True):
        np.testing.assert_array_equal(variable.numpy(), array)


def test_what_training_moves_is_left_alone() -> None:
    model = Counting()
    with untouched(model):
        model.weight.assign(5.0)
    assert float(model.weight) == 5
