"""Further models on which navcore's conformance kit tries plugins that start from TensorFlow's, and this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

Offered = tuple[Any, list[Any]]
_POSITIONS = 8


def conformance_models() -> Mapping[str, Callable[[], Offered]]:
    """By name, functions that build a model and its data; each has what many runtimes stumble over.

    ``bounded-axis`` takes at most 8 steps; ``two-inputs`` have different ranks, and are a list; ``integers`` go in and
    come out; a ``dictionary`` is nested, and returned as one. The first and the third are a ``tf.Module``, the others
    Keras models. Weights and data are the same every time, and TensorFlow's random numbers are not touched.
    """
    return {
        "bounded-axis": lambda: _seeded(_bounded),
        "two-inputs": lambda: _seeded(_two_inputs),
        "integers": lambda: _seeded(_integers),
        "dictionary": lambda: _seeded(_dictionary),
    }


def _seeded(build: Callable[[np.random.Generator], Offered]) -> Offered:
    from nav_tf.quiet import import_quietly

    import_quietly()
    import numpy as np

    return build(np.random.default_rng(11))


def _bounded(random: np.random.Generator) -> Offered:
    """Adds a learnt position to each step, and there are eight of them: float32 (batch, steps ≤ 8, 4)."""
    import tensorflow as tf

    class Positions(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
        def __init__(self) -> None:
            super().__init__()
            self.positions = tf.Variable(_floats(random, _POSITIONS, 4))
            self.out = tf.Variable(_floats(random, 4, 3))

        def __call__(self, steps: Any) -> Any:
            moved = tf.nn.relu(steps + self.positions[: tf.shape(steps)[1]])
            return tf.einsum("bsf,fo->bso", moved, self.out)

    return Positions(), [{"steps": _floats(random, 2, length, 4)} for length in (3, 5, _POSITIONS, 4, 6)]


def _two_inputs(random: np.random.Generator) -> Offered:
    """An image and a vector in a list: float32 (batch, 8, 8, 3) and (batch, 5)."""
    import keras

    image, vector = keras.Input((8, 8, 3), name="image"), keras.Input((5,), name="vector")
    seen = keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer="zeros")(image)
    both = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(seen), vector])
    model = keras.Model([image, vector], keras.layers.Dense(2, kernel_initializer="zeros")(both))
    return _weighed(model, random), [([_floats(random, 2, 8, 8, 3), _floats(random, 2, 5)],) for _ in range(5)]


def _integers(random: np.random.Generator) -> Offered:
    """Class numbers of tokens: int64 (batch, 6) in, int64 (batch, 6) out."""
    import tensorflow as tf

    class Tagger(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.words = tf.Variable(_floats(random, 20, 8))
            self.out = tf.Variable(_floats(random, 8, 5))

        def __call__(self, tokens: Any) -> Any:
            return tf.argmax(tf.einsum("btf,fo->bto", tf.gather(self.words, tokens), self.out), -1)

    return Tagger(), [{"tokens": random.integers(0, 20, (2, 6))} for _ in range(5)]


def _dictionary(random: np.random.Generator) -> Offered:
    """One argument that is a nested dictionary, of float32 (batch, 4) each; the result is a dictionary too."""
    import keras

    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    seen = keras.layers.Dense(4, kernel_initializer="zeros")(left)
    added = keras.layers.Add()([seen, right])
    model = keras.Model({"features": {"left": left, "right": right}}, {"sum": added, "left": seen})
    items = [{"features": {"left": _floats(random, 2, 4), "right": _floats(random, 2, 4)}} for _ in range(5)]
    return _weighed(model, random), items


def _weighed(model: Any, random: np.random.Generator) -> Any:
    model.set_weights([_floats(random, *weight.shape) * 0.3 for weight in model.get_weights()])
    return model


def _floats(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Standard normal numbers, float32."""
    return random.standard_normal(shape).astype("float32")
