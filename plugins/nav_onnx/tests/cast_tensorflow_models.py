"""Small TensorFlow models, written by tf2onnx into the folder that is the one argument. It runs as a program."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf2onnx

layers = keras.layers
Computation = Callable[..., dict[str, Any]]
HUGE = 1e7


def drawn(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(0, 0.3, shape).astype(np.float32)


# Arrays, not tensors: tf2onnx makes an input of every tensor that a function captures.
FIRST, AGAIN, LAST = drawn(8, 8), drawn(8, 8, seed=1), drawn(8, 4, seed=2)
KERNELS = drawn(3, 3, 3, 8), drawn(3, 3, 8, 8, seed=1)


def transformer() -> Any:
    inputs = keras.Input((6, 8))
    x = layers.Dense(16)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8)(x, x))
    wide = layers.Dense(32)(x)
    # tf2onnx has no Erfc, which the exact one is made of.
    wide = layers.Activation(lambda value: keras.activations.gelu(value, approximate=True))(wide)
    return keras.Model(inputs, layers.Dense(3)(layers.LayerNormalization()(x + layers.Dense(16)(wide))))


def separable() -> Any:
    inputs = keras.Input((12, 12, 3))
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(inputs))
    x = layers.BatchNormalization()(layers.DepthwiseConv2D(3, strides=2, padding="same")(layers.ReLU()(x)))
    x = layers.GlobalAveragePooling2D()(layers.SeparableConv2D(8, 3)(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def mixture() -> Any:
    inputs = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    x = layers.BatchNormalization()(layers.DepthwiseConv2D(3, strides=2)(x))
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.Reshape((-1, 4))(x)
    x = x + layers.MultiHeadAttention(2, 4)(x, x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


def pyramid(x: Any) -> dict[str, Any]:
    """Convolutions around a Resize, and the three best of four."""
    x = tf.image.resize(tf.nn.relu(tf.nn.conv2d(x, KERNELS[0], 2, "SAME")), (11, 11), method="bilinear")
    x = tf.reduce_mean(tf.nn.conv2d(x, KERNELS[1], 1, "SAME"), (1, 2))
    values, indices = tf.math.top_k(x @ LAST, 3)
    return {"values": values, "indices": indices}


def huge(x: Any, mask: Any) -> dict[str, Any]:
    """A factor that float16 cannot hold, taken back further on, and a mask of the kind that attention adds."""
    seen = tf.nn.relu(x @ FIRST * np.full(8, HUGE, np.float32)) / HUGE
    scores = tf.matmul(seen, seen, transpose_b=True) + (1.0 - mask[:, None, :]) * -1e9
    return {"y": tf.matmul(tf.nn.softmax(scores) @ seen, LAST)}


def branches(x: Any) -> dict[str, Any]:
    seen = tf.nn.relu(x @ FIRST)
    state = tf.cond(tf.reduce_sum(x) > 0, lambda: seen @ AGAIN + seen, lambda: tf.tanh(seen * 2 @ AGAIN) * seen)
    return {"y": state @ LAST}


def huge_branches(x: Any) -> dict[str, Any]:
    """Each branch has its own factor, which is taken back only after them."""
    seen = tf.nn.relu(x @ FIRST)
    scaled = tf.cond(tf.reduce_sum(x) > 0, lambda: seen * HUGE, lambda: tf.tanh(seen) * -HUGE)
    return {"y": tf.nn.relu(scaled + 1.0) / HUGE @ LAST}


def turns(x: Any) -> dict[str, Any]:
    """One layer three times over, each time with a look back at the first."""
    seen = tf.nn.relu(x @ FIRST)
    _, state = tf.while_loop(
        lambda count, _: count < 3, lambda count, state: (count + 1, tf.tanh(state @ AGAIN) + seen), (0, seen * 2.0)
    )
    return {"y": state @ LAST}


def growing_turns(x: Any) -> dict[str, Any]:
    """Each turn leaves what only the next one makes huge, so that nothing huge comes out of the first."""
    seen = tf.nn.relu(x @ FIRST)
    _, _, state = tf.while_loop(
        lambda count, _grown, _state: count < 2,
        lambda count, grown, _state: (count + 1, grown * HUGE, grown),
        (0, seen, seen),
    )
    return {"y": tf.nn.relu(state + 1.0) / HUGE @ LAST}


COMPUTATIONS: tuple[tuple[Computation, tuple[tuple[int, ...], ...]], ...] = (
    (pyramid, ((12, 12, 3),)),
    (huge, ((5, 8), (5,))),
    (branches, ((8,),)),
    (huge_branches, ((8,),)),
    (turns, ((8,),)),
    (growing_turns, ((8,),)),
)


def write(name: str, computation: Computation, shapes: tuple[tuple[int, ...], ...], folder: Path) -> None:
    specs = [tf.TensorSpec((None, *shape), name=one) for shape, one in zip(shapes, ("x", "mask"), strict=False)]
    path = str(folder / f"{name}.onnx")
    tf2onnx.convert.from_function(tf.function(computation), specs, opset=18, output_path=path)


def main(folder: Path) -> None:
    np.product = np.prod  # type: ignore[attr-defined]  # tf2onnx 1.17 still calls it as NumPy 1 did
    keras.utils.set_random_seed(0)
    for make in (transformer, separable, mixture):
        model = make()
        write(make.__name__, lambda x, model=model: {"y": model(x)}, (model.input_shape[1:],), folder)
    for computation, shapes in COMPUTATIONS:
        write(computation.__name__, computation, shapes, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
