"""A small Keras model and its data, on which navcore's conformance kit tries this plugin and those behind it."""

from __future__ import annotations

from typing import Any

_WORDS = 20
_WIDTH = 16
_LENGTHS = (4, 7, 5, 9, 6)


def conformance_model() -> tuple[Any, list[dict[str, Any]]]:
    """A classifier of word sequences and its data.

    It takes ``ids`` (int32) and ``weights`` (float32), both of shape (batch, length) with a length that varies, and
    returns ``scores``, shape (batch, 5), and ``states``, shape (batch, length, 16), both float32. Its weights and data
    are the same every time, and TensorFlow's random numbers are not touched.
    """
    from nav_tf.quiet import import_quietly

    import_quietly()
    import numpy as np

    random = np.random.default_rng(7)
    data = [
        {
            "ids": random.integers(0, _WORDS, (3, length)).astype(np.int32),
            "weights": (random.random((3, length)) + 0.5).astype(np.float32),
        }
        for length in _LENGTHS
    ]
    model = _classifier()
    model.set_weights([random.standard_normal(one.shape).astype(np.float32) * 0.3 for one in model.get_weights()])
    return model, data


def _classifier() -> Any:
    import keras

    ids = keras.Input((None,), dtype="int32", name="ids")
    weights = keras.Input((None,), name="weights")
    words = keras.layers.Embedding(_WORDS, _WIDTH, embeddings_initializer="zeros")(ids)
    words = words * keras.layers.Reshape((-1, 1))(weights)
    states = keras.layers.Dense(_WIDTH, activation="tanh", kernel_initializer="zeros")(words)
    scores = keras.layers.Dense(5, kernel_initializer="zeros")(keras.layers.GlobalAveragePooling1D()(states))
    return keras.Model({"ids": ids, "weights": weights}, {"scores": scores, "states": states})
