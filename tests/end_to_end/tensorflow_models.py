"""TensorFlow models of many kinds, each with a small dataloader, on which whole runs are tried."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
keras: Any = pytest.importorskip("keras", reason="Keras is not installed: pip install 'nav-tf[cpu]'")

RANDOM = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def whole(high: int, *shape: int) -> np.ndarray:
    return RANDOM.integers(0, high, shape).astype(np.int32)


class Ranking(keras.Model):  # type: ignore[misc]
    """A subclassed model with a dict of inputs and a dict of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.words = keras.layers.Embedding(50, 16)
        self.drop = keras.layers.Dropout(0.5)
        self.score = keras.layers.Dense(1)

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> dict[str, Any]:
        query = keras.ops.mean(self.words(inputs["query"]), axis=1)
        document = keras.ops.mean(self.words(inputs["document"]), axis=1)
        both = self.drop(keras.ops.concatenate([query, document * inputs["weight"]], axis=1), training=training)
        return {"score": self.score(both)[:, 0], "query_vector": query}


def mobilenet() -> tuple[Any, list[Any]]:
    return keras.applications.MobileNetV2(weights=None), [floats(2, 224, 224, 3) for _ in range(3)]


def efficientnet() -> tuple[Any, list[Any]]:
    return keras.applications.EfficientNetB0(weights=None), [floats(2, 224, 224, 3) * 64 + 128 for _ in range(3)]


def text_classifier() -> tuple[Any, list[Any]]:
    inputs = keras.Input((None,), dtype="int32", name="tokens")
    states = keras.layers.LSTM(24, return_sequences=True)(keras.layers.Embedding(100, 16)(inputs))
    last = keras.layers.Bidirectional(keras.layers.LSTM(12))(states)
    model = keras.Model(inputs, keras.layers.Dense(4, activation="softmax")(last))
    return model, [{"tokens": whole(100, 2, length)} for length in (6, 11, 8)]


def transformer_block() -> tuple[Any, list[Any]]:
    inputs = keras.Input((None, 32), name="states")
    attended = keras.layers.MultiHeadAttention(4, 8)(inputs, inputs)
    normal = keras.layers.LayerNormalization()(inputs + attended)
    wide = keras.layers.Dense(64, activation=lambda x: keras.activations.gelu(x, approximate=False))(normal)
    model = keras.Model(inputs, keras.layers.LayerNormalization()(normal + keras.layers.Dense(32)(wide)))
    return model, [{"states": floats(2, length, 32)} for length in (5, 9, 7)]


def many_inputs_and_outputs() -> tuple[Any, list[Any]]:
    image, numbers = keras.Input((None, None, 3), name="image"), keras.Input((6,), name="numbers")
    seen = keras.layers.GlobalMaxPooling2D()(keras.layers.Conv2D(8, 3, activation="relu")(image))
    both = keras.layers.Concatenate()([seen, keras.layers.Dense(4)(numbers)])
    outputs = {"label": keras.layers.Dense(3, activation="softmax")(both), "vector": both}
    # The dataloader names them in another order than the model.
    data = [{"numbers": floats(2, 6), "image": floats(2, size, size + 4, 3)} for size in (12, 20, 16)]
    return keras.Model([image, numbers], outputs), data


def subclassed() -> tuple[Any, list[Any]]:
    model = Ranking()
    data = [
        {"query": whole(50, 2, length), "document": whole(50, 2, 3 * length), "weight": floats(2, 1)}
        for length in (3, 6, 4)
    ]
    model(data[0])
    return model, data
