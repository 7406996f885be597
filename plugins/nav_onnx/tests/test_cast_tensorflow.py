"""Casting what tf2onnx writes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from nav_onnx.casting import Low

from .cast_checks import LOWS, assert_follows

KERAS = """
import sys, numpy, keras, tensorflow, tf2onnx
numpy.product = numpy.prod
inputs = keras.Input((12, 12, 3))
x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
x = keras.layers.BatchNormalization()(keras.layers.DepthwiseConv2D(3, strides=2)(x))
x = keras.layers.UpSampling2D(2, interpolation="bilinear")(x)
x = keras.layers.Reshape((-1, 4))(x)
x = x + keras.layers.MultiHeadAttention(2, 4)(x, x)
outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling1D()(x))
model = keras.Model(inputs, outputs)
call = tensorflow.function(lambda x: {"y": model(x)})
spec = tensorflow.TensorSpec((None, 12, 12, 3), tensorflow.float32, name="x")
tf2onnx.convert.from_function(call, [spec], opset=18, output_path=sys.argv[1])
"""


@pytest.fixture(scope="module")
def from_keras(tmp_path_factory: Any) -> Path:
    for needed in ("tensorflow", "keras", "tf2onnx"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed: pip install 'nav-tf[cpu]'")
    path: Path = tmp_path_factory.mktemp("keras") / "keras.onnx"
    done = subprocess.run([sys.executable, "-c", KERAS, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return path


@pytest.mark.parametrize("low", LOWS)
def test_what_tf2onnx_writes_computes_in_16_bits_and_follows_the_source(from_keras: Path, low: Low) -> None:
    images = np.random.default_rng(0).normal(size=(2, 12, 12, 3)).astype(np.float32)
    cast = assert_follows(from_keras, {"x": images}, low)
    operators = {node.op_type for node in onnx.load(from_keras).graph.node if node.name in cast.lowered}
    assert {"Conv", "MatMul"} <= operators
