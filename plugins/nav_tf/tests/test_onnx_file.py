"""Every trap of tf2onnx that is known, each with a model that falls into it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from navcore import ConversionError, Unavailable

BATCH = {"input__0": {0: "batch"}}


def dims(path: Path) -> list[list[Any]]:
    graph = onnx.load(str(path)).graph
    return [
        [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    ]


def opset_of(path: Path) -> int:
    return int(onnx.load(str(path)).opset_import[0].version)


def functional(body: Any, shape: tuple[int | None, ...] = (8,)) -> keras.Model:
    inputs = keras.Input(shape)
    return keras.Model(inputs, body(inputs))


def test_a_small_convolutional_network(case: Any, export: Any, convert: Any, assert_follows: Any) -> None:
    def body(x: Any) -> Any:
        x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
        x = keras.layers.DepthwiseConv2D(3, strides=2)(keras.layers.BatchNormalization()(x))
        x = keras.layers.UpSampling2D(2, interpolation="bilinear")(x)
        return keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x))

    subject = case(functional(body, (16, 16, 3)), np.ones((2, 16, 16, 3), np.float32), BATCH)
    made = convert(export(subject))
    assert made.made.facts == {"opset": "18", "exporter": "tf2onnx"}
    assert_follows(subject, made, {"batch": 1}, {"batch": 5})


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_exact_gelu(dtype: str, case: Any, export: Any, convert: Any, open_onnx: Any) -> None:
    gelu = tf.function(lambda x: tf.nn.gelu(x, approximate=False))
    subject = case(gelu, np.linspace(-4, 4, 16).reshape(2, 8).astype(dtype), BATCH)
    found = open_onnx(convert(export(subject)))(subject.example)["output__0"]
    assert found.dtype == np.dtype(dtype)
    expected = subject.eager(subject.example)["output__0"]
    np.testing.assert_allclose(found, expected, atol=2e-3 if dtype == "float16" else 1e-6)


def test_unsupported_operators_are_a_failure_that_lists_them(case: Any, export: Any, convert: Any) -> None:
    strange = tf.function(lambda x: tf.math.erfinv(x) + tf.math.lgamma(x))
    saved = export(case(strange, np.full((2, 8), 0.5, np.float32), BATCH))
    with pytest.raises(ConversionError, match=r"ONNX has no operator for .*Erfinv \(at .*Lgamma \(at "):
        convert(saved)


def test_an_unsupported_operator_in_a_branch_is_found(case: Any, export: Any, convert: Any) -> None:
    strange = tf.function(lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: tf.math.erfinv(x), lambda: x))
    with pytest.raises(ConversionError, match="Erfinv"):
        convert(export(case(strange, np.full((2, 8), 0.5, np.float32), BATCH)))


def test_captured_constants_stay_inside(case: Any, export: Any, convert: Any, assert_follows: Any) -> None:
    captured = tf.constant(np.arange(8, dtype=np.float32))
    subject = case(tf.function(lambda x: x + captured), np.ones((2, 8), np.float32), BATCH)
    made = convert(export(subject))
    assert [value.name for value in onnx.load(str(made.path)).graph.input] == ["input__0"]
    assert_follows(subject, made)


def test_open_axes_are_called_as_in_the_signature_every_time(case: Any, export: Any, convert: Any) -> None:
    inputs = {"ids": keras.Input((None,), dtype="int32", name="ids"), "x": keras.Input((None, 4), name="x")}
    embedded = keras.layers.Embedding(10, 4)(inputs["ids"]) + inputs["x"]
    model = keras.Model(inputs, {"states": keras.layers.LSTM(6, return_sequences=True)(embedded)})
    item = {"ids": np.ones((2, 5), np.int32), "x": np.ones((2, 5, 4), np.float32)}
    axes = {"ids": {0: "batch", 1: "time"}, "x": {0: "batch", 1: "time"}}
    saved = export(case(model, item, axes))
    for made in (convert(saved), convert(saved)):
        assert dims(made.path) == [["batch", "time"], ["batch", "time", 4], ["batch", "time", 6]]
        assert b"unk__" not in made.path.read_bytes()


@pytest.mark.parametrize("opset", [13, 18, 21, 23])
def test_the_opset_is_the_one_asked_for(opset: int, case: Any, export: Any, convert: Any, assert_follows: Any) -> None:
    def body(x: Any) -> Any:
        attended = keras.layers.MultiHeadAttention(2, 4)(x, x)
        return keras.layers.Dense(3, activation="gelu")(keras.layers.LayerNormalization()(attended))

    axes = {"input__0": {0: "batch", 1: "time"}}
    subject = case(functional(body, (None, 8)), np.ones((2, 5, 8), np.float32), axes)
    made = convert(export(subject), opset=opset)
    assert opset_of(made.path) == opset
    assert made.made.facts["opset"] == str(opset)
    assert_follows(subject, made, {"batch": 3, "time": 4}, {"time": 9})


def test_names_that_tensorflow_does_not_allow_are_in_the_file(
    case: Any, export: Any, convert: Any, open_onnx: Any
) -> None:
    @tf.function
    def function(b: Any, a: Any) -> Any:
        return b - a, a * 2

    item = (np.full((2, 3), 5, np.float32), np.ones((2, 3), np.float32))
    names = {"input__0": "z.left", "input__1": "2 right"}
    axes = {"z.left": {0: "batch"}, "2 right": {0: "batch"}}
    made = convert(export(case(function, item, axes, names, ("the result", "a double"))))
    found = open_onnx(made)({"z.left": item[0], "2 right": item[1]})
    np.testing.assert_array_equal(found["the result"], item[0] - item[1])
    np.testing.assert_array_equal(found["a double"], item[1] * 2)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_a_grouped_convolution_which_keras_marks_for_xla_is_inlined(
    dimensions: int, case: Any, export: Any, convert: Any, assert_follows: Any
) -> None:
    kind = getattr(keras.layers, f"Conv{dimensions}D")
    body = keras.Sequential([kind(8, 3, groups=4, padding="same"), kind(6, 3, groups=2), kind(4, 1)])
    sizes = (*dimensions * (8,), 8)
    subject = case(functional(body, sizes), np.ones((2, *sizes), np.float32), BATCH)
    assert_follows(subject, convert(export(subject)), {"batch": 1}, {"batch": 5})


def test_complex_outputs_are_refused_for_what_they_are(case: Any, export: Any, convert: Any) -> None:
    made = export(case(tf.function(tf.signal.rfft), np.ones((2, 16), np.float32), BATCH))
    with pytest.raises(ConversionError, match="ONNX has no complex outputs, and 'output__0' is complex64") as caught:
        convert(made)
    assert "tf.math.real" in caught.value.hint


def test_outputs_keep_the_order_of_the_model_beyond_ten(case: Any, export: Any, convert: Any) -> None:
    inputs = keras.Input((6,))
    model = keras.Model(inputs, [keras.layers.Dense(number + 1)(inputs) for number in range(12)])
    made = convert(export(case(model, np.ones((2, 6), np.float32), BATCH)))
    graph = onnx.load(str(made.path)).graph
    assert [value.name for value in graph.output] == [f"output__{number}" for number in range(12)]
    assert [value.type.tensor_type.shape.dim[1].dim_value for value in graph.output] == list(range(1, 13))


def test_an_output_may_have_the_name_of_an_inner_value(case: Any, export: Any, convert: Any, open_onnx: Any) -> None:
    subject = case(
        functional(lambda x: x), np.ones((2, 8), np.float32), {"x": {0: "batch"}}, {"input__0": "x"}, ("Identity",)
    )
    found = open_onnx(convert(export(subject)))({"x": subject.example["x"]})
    np.testing.assert_array_equal(found["Identity"], subject.example["x"])


def test_an_input_that_is_not_used_is_told(case: Any, export: Any, convert: Any, open_onnx: Any) -> None:
    @tf.function
    def function(a: Any, b: Any) -> Any:
        return a * 2

    subject = case(function, (np.ones((2, 3), np.float32), np.ones((2, 3), np.float32)), BATCH)
    made = convert(export(subject))
    graph_inputs = [value.name for value in onnx.load(str(made.path)).graph.input]
    assert graph_inputs == list(made.signature.input_names)
    if "input__1" not in graph_inputs:
        assert made.made.notes == ("The graph does not use input__1, so it has no such input.",)
    assert open_onnx(made)(subject.feeds())["output__0"].shape == (2, 3)


def test_bfloat16_is_refused_before_it_becomes_an_invalid_file(case: Any, export: Any, convert: Any) -> None:
    model = functional(keras.layers.Dense(3, dtype="bfloat16"))
    with pytest.raises(ConversionError, match="computes in bfloat16, which tf2onnx writes wrongly"):
        convert(export(case(model, np.ones((2, 8), np.float32), BATCH)))


def test_a_model_that_the_checker_refuses_is_a_failure(
    case: Any, export: Any, convert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nav_tf import onnx_file

    def spoiled(*arguments: Any, **named: Any) -> onnx.ModelProto:
        model = converted(*arguments, **named)
        model.graph.node[0].input[0] = "nowhere"
        return model

    converted = onnx_file.convert
    monkeypatch.setattr(onnx_file, "convert", spoiled)
    saved = export(case(functional(keras.layers.Dense(3)), np.ones((2, 8), np.float32), BATCH))
    with pytest.raises(ConversionError, match=r"ONNX's checker refuses: .*nowhere"):
        convert(saved)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("kind", ["dense", "lstm", "attention", "loop"])
def test_both_ways_of_conversion_compute_the_same(
    kind: str, large: bool, case: Any, export: Any, convert: Any, assert_follows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On numpy 2, where tf2onnx's own ``large_model`` fails."""

    def loop(x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 1.5), (0, x))[1]

    bodies = {
        "dense": keras.layers.Dense(400),
        "lstm": keras.layers.Bidirectional(keras.layers.LSTM(20)),
        "attention": lambda x: keras.layers.MultiHeadAttention(4, 16)(x, x),
        "loop": keras.layers.Lambda(loop),
    }
    monkeypatch.setattr("nav_tf.onnx_file.LARGE", 0 if large else 2**40)
    subject = case(
        functional(bodies[kind], (None, 32)), np.ones((2, 5, 32), np.float32), {"input__0": {0: "batch", 1: "time"}}
    )
    assert_follows(subject, convert(export(subject)), {"batch": 3, "time": 7})


def test_what_does_not_fit_is_refused_before_it_starts(
    case: Any, export: Any, convert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = export(case(functional(keras.layers.Dense(3)), np.ones((2, 8), np.float32), BATCH))
    monkeypatch.setattr("nav_tf.forecast.available_memory", lambda: 10**8)
    with pytest.raises(Unavailable, match=re.escape("takes about 0.6 GB of memory, and 0.1 GB are free")):
        convert(saved)
    monkeypatch.setattr("nav_tf.onnx_file.weight_bytes", lambda path: 2_300_000_000)
    with pytest.raises(ConversionError, match=re.escape("has 2.3 GB of weights, and tf2onnx writes ONNX files of up")):
        convert(saved)
