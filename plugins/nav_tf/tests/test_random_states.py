"""Models that draw random numbers: held at a seed where their generators have a state, never taken for stateful."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import navcore as nav
from nav_tf.random_states import RandomStates, random_states, seeded

SIZE = 6


class Dither(keras.layers.Layer):
    """A little noise at inference, from a generator of its own or from Keras'; a branch on the input where asked."""

    def __init__(self, own: bool = True, branch: bool = False) -> None:
        super().__init__()
        self.generator = keras.random.SeedGenerator(7) if own else None
        self.branch = branch

    def call(self, x: Any) -> Any:
        y = x + 2e-3 * keras.random.normal(keras.ops.shape(x), seed=self.generator)
        return y * 1.04 if self.branch and tf.executing_eagerly() else y  # the trace does not see it


class DrawingOperation(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return x + 2e-3 * tf.random.normal(tf.shape(x))


class Drawing(tf.Module):
    """Draws from TensorFlow's own generator."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = tf.random.Generator.from_seed(3)
        self.weight = tf.Variable(np.random.default_rng(0).standard_normal((SIZE, 3)).astype(np.float32))

    def __call__(self, x: Any) -> Any:
        return x @ self.weight + 2e-3 * self.generator.normal((tf.shape(x)[0], 3))


def with_layer(layer: Any) -> Any:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIZE,))
    return keras.Model(inputs, layer(keras.layers.Dense(3)(inputs)))


def run(model: Any, place: Path) -> Any:
    random = np.random.default_rng(1)
    data = [random.standard_normal((2, SIZE)).astype(np.float32) for _ in range(4)]
    return nav.run(model, data, targets="tf-savedmodel", workdir=place, run_profiling=False)


def told(package: Any) -> list[str]:
    (row,) = [row for row in package.results if not row.live]
    compared = [note for one in row.runtimes for note in one.verification.notes]
    return [*package.record.samples.notes, *row.notes, *compared]


@pytest.mark.parametrize(
    "make",
    [lambda: with_layer(Dither()), lambda: with_layer(Dither(own=False)), Drawing],
    ids=("its SeedGenerator", "Keras' own", "tf.random.Generator"),
)
def test_source_and_savedmodel_draw_the_same_numbers_from_one_seed(make: Any, tmp_path: Path) -> None:
    model = make()
    model(np.ones((1, SIZE), np.float32))
    before = [list(state.numpy()) for state in random_states(model)]
    package = run(model, tmp_path)
    assert package.get_status("tf-savedmodel")
    assert any(note.startswith("Source and export draw the same random numbers") for note in told(package))
    assert not any("stateful" in note or note.startswith("The bound of") for note in told(package))
    assert before
    assert [list(state.numpy()) for state in random_states(model)] == before


def test_an_error_below_the_noise_is_seen_where_the_seed_is_held(tmp_path: Path) -> None:
    package = run(with_layer(Dither(branch=True)), tmp_path)
    (failure,) = [row.failure for row in package.results if row.failure is not None]
    assert "relative L2 difference" in failure.cause
    assert "stateful" not in failure.cause


def test_what_no_seed_reaches_is_compared_by_means_and_is_no_memory(tmp_path: Path) -> None:
    package = run(with_layer(DrawingOperation()), tmp_path)
    assert package.get_status("tf-savedmodel")
    assert any("means of 16 runs were compared" in note for note in told(package))
    assert not any("stateful" in note for note in told(package))


def test_states_are_moved_apart_by_the_seed_and_come_back() -> None:
    generators = [keras.random.SeedGenerator(1).state, keras.random.SeedGenerator(2).state]
    states = [*generators, tf.random.Generator.from_seed(3).state]
    opened = [state.numpy() for state in states]
    held = RandomStates([*states, tf.Variable(1.0)])
    found = []
    for seed in (0, 1, 2):
        generators[0].assign([9, 9])  # an earlier call went on from where it was
        with seeded(seed), held.held():
            found.append([tuple(state.numpy()) for state in states])
        assert list(generators[0].numpy()) == [9, 9]
    assert found[0] == [tuple(state) for state in opened]
    assert len({state for held_states in found for state in held_states}) == 9
    with held.held():  # nothing holds it
        assert list(generators[0].numpy()) == [9, 9]
