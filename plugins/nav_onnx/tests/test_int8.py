"""onnx-int8: what is quantised, by which method, what stays in float32 and why; and what the runtime then computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import nav_onnx
from nav_onnx import ONNX_INT8, QuantiseRules, RuntimeOptions
from nav_onnx.int8_layers import walked
from navcore import (
    Artifact,
    OptionError,
    RunnerJob,
    RuntimeProvider,
    Signature,
    StepError,
)

from .cast_models import drawn, model, node, square, weight
from .int8_quantising import Quantise, quantise as quantise
from .onnx_models import Tensors, graph_model

Stored = Callable[[onnx.ModelProto], Path]
FLOAT = TensorProto.FLOAT
Feeds = dict[str, np.ndarray[Any, Any]]


SAMPLES = [{"x": drawn(1, 4, seed=seed)} for seed in range(12)]
PICTURES = [{"x": drawn(1, 3, 8, 8, seed=seed)} for seed in range(12)]
IMAGES: Tensors = [("x", FLOAT, ["n", 3, 8, 8])]


def convolutions(spread: float = 1.0) -> onnx.ModelProto:
    """Two convolutions, the first of which is normalised, and a sum around the second; then a matrix product.

    One channel of the second convolution gives numbers ``spread`` times as large as the others.
    """
    kernels = drawn(8, 8, 3, 3, seed=2) / 8
    kernels[0] *= spread
    nodes = [
        node("Conv", "x k1", "a", pads=[1, 1, 1, 1]),
        node("BatchNormalization", "a scale shift mean spread", "b"),
        node("Relu", "b", "c"),
        node("Conv", "c k2", "d", pads=[1, 1, 1, 1]),
        node("Add", "c d", "e"),
        node("GlobalAveragePool", "e", "f"),
        node("Flatten", "f", "g"),
        node("MatMul", "g w", "y"),
    ]
    last = drawn(8, 5, seed=3)
    last[0] /= spread
    weights = [
        weight("k1", drawn(8, 3, 3, 3, seed=1) / 3), weight("k2", kernels), weight("w", last),
        weight("scale", drawn(8, seed=4) + 2), weight("shift", drawn(8, seed=5)), weight("mean", drawn(8, seed=6)),
        weight("spread", drawn(8, seed=7) ** 2 + 1),
    ]  # fmt: skip
    return graph_model(nodes, IMAGES, [("y", FLOAT, ["n", 5])], weights)


def test_a_convolutional_model_is_calibrated_on_the_samples_and_runs_in_integers(
    stored: Stored, quantise: Quantise
) -> None:
    result = quantise(stored(convolutions()), PICTURES)

    assert result.made.facts["method"] == "static"
    assert (result.made.facts["int8"], result.made.facts["float"]) == ("3", "0")
    assert result.precision == "int8"
    assert "Of 3 layers ONNX Runtime computes 3 in integers here (2 QLinearConv, 1 QLinearMatMul)." in result.notes
    assert 0 < result.error <= 0.05
    assert f"{result.error:.3g}" == result.made.facts["error"]
    assert result.made.notes[0].startswith("3 of 3 layers with weights are in int8 (static, ranges from ")
    assert "12 samples" in result.made.notes[0]


def test_weights_have_a_scale_for_each_channel_and_seven_bits(stored: Stored, quantise: Quantise) -> None:
    """With eight, processors without VNNI add two products of them up to more than 16 bits can hold."""
    graph = onnx.load(quantise(stored(convolutions()), PICTURES).output).graph
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    kernels = [array for array in arrays.values() if array.dtype == np.int8 and array.ndim > 1]
    assert len(kernels) == 3
    assert all(np.abs(array.astype(int)).max() <= 64 for array in kernels)
    by_name = {one.output[0]: one for one in graph.node}
    convolution = next(one for one in graph.node if one.op_type == "Conv")
    assert arrays[by_name[convolution.input[1]].input[1]].shape == (8,)


def test_no_float_stands_between_two_layers(stored: Stored, quantise: Quantise) -> None:
    """Relu, Add and pooling stay in int8: only what comes in and goes out is converted."""
    result = quantise(stored(convolutions()), PICTURES)
    assert result.operators["QuantizeLinear"] >= 5
    assert result.operators["BatchNormalization"] == 0


def test_the_layers_that_hurt_stay_in_float32_and_are_named(stored: Stored, quantise: Quantise) -> None:
    path = stored(convolutions(spread=300.0))  # one range for all channels leaves nothing of the small ones
    whole = quantise(path, PICTURES, max_error=0.9)
    result = quantise(path, PICTURES)

    assert whole.error > 0.05 >= result.error
    assert int(result.made.facts["float"]) > 0 < int(result.made.facts["int8"])
    assert "In float32 stay the layers that move the outputs most" in result.made.notes[1]
    kept = int(result.made.facts["float"])
    floats = [one for one in onnx.load(result.output).graph.node if one.op_type in ("Conv", "MatMul")]
    makers = {name: one.op_type for one in onnx.load(result.output).graph.node for name in one.output}
    assert sum(makers.get(one.input[1]) != "DequantizeLinear" for one in floats) == kept
    assert f"computes {3 - kept} in integers here" in " ".join(result.notes)


def test_a_sample_that_the_search_did_not_see_counts_too(stored: Stored, quantise: Quantise) -> None:
    """Of many samples eight are tried first; the others have their say, and the worst are then tried as well."""
    nodes = [node("MatMul", "x w1", "y"), node("Add", "x ones", "h"), node("MatMul", "h w2", "z")]
    outputs: Tensors = [("y", FLOAT, ["n", 4]), ("z", FLOAT, ["n", 4])]
    two = model(nodes, square("w1"), square("w2"), weight("ones", np.ones(4)), outputs=outputs)
    many = [{"x": drawn(1, 4, seed=seed)} for seed in range(40)]
    many[13]["x"] *= 1e-4  # so small that the range of the others leaves it nothing, where nothing is added to it
    result = quantise(stored(two), many, method="static", max_error=0.5)
    assert result.made.facts["int8"] == "1"
    assert "make y" in result.made.notes[1]
    assert 0 < result.error <= 0.5


def test_where_nothing_useful_remains_the_step_says_so(stored: Stored, quantise: Quantise) -> None:
    with pytest.raises(StepError, match=r"Int8 moves the outputs by more than 0\.0001 on the samples: of 3 layers 0 "):
        quantise(stored(convolutions()), PICTURES, max_error=1e-4)


def test_a_model_without_layers_is_refused(stored: Stored, quantise: Quantise) -> None:
    with pytest.raises(StepError, match="Nothing in this model can compute in int8"):
        quantise(stored(model([node("Relu", "x", "y")])), SAMPLES)


def test_a_quantised_model_is_used_as_it_is(stored: Stored, quantise: Quantise, tmp_path: Path) -> None:
    first = quantise(stored(convolutions()), PICTURES)
    path = first.output.rename(tmp_path / "quantised.onnx")
    again = quantise(path, PICTURES)
    assert again.made.notes == ("The model is quantised already: it is used as it is.",)
    assert again.output.read_bytes() == path.read_bytes()
    assert again.precision == "int8"


def test_what_the_user_keeps_stays_in_float32(stored: Stored, quantise: Quantise) -> None:
    path = stored(convolutions())
    assert quantise(path, PICTURES, keep_nodes=("make d",)).made.facts["int8"] == "2"
    assert quantise(path, PICTURES, keep_ops=("MatMul",)).made.facts["int8"] == "2"
    with pytest.raises(OptionError, match=r"No node is called 'make q'.*make d|No node is called 'make q'"):
        quantise(path, PICTURES, keep_nodes=("make q",))


@pytest.mark.parametrize("bad", [{"max_error": 0.0}, {"max_error": float("nan")}, {"method": "entropy"}])
def test_rules_that_cannot_be_meant_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(bad))):
        QuantiseRules(**bad)


def test_a_lone_number_that_is_far_too_large_does_not_set_the_range(stored: Stored, quantise: Quantise) -> None:
    """It would leave all others no levels; it stands where no kernel looks."""
    pictures = [{"x": feeds["x"].repeat(20, 2).repeat(20, 3)} for feeds in PICTURES]
    for feeds in pictures:
        feeds["x"][0, 0, 3, 3] = 4000.0
    large = graph_model(
        [
            node("Conv", "x k1", "a", strides=[4, 4]),
            node("Conv", "a k2", "b"),
            node("GlobalAveragePool", "b", "c"),
            node("Flatten", "c", "y"),
        ],
        [("x", FLOAT, ["n", 3, 160, 160])],
        [("y", FLOAT, ["n", 8])],
        [weight("k1", drawn(8, 3, 3, 3, seed=1) / 3), weight("k2", drawn(8, 8, 1, 1, seed=2) / 3)],
    )
    result = quantise(stored(large), pictures, max_error=0.2)
    assert "ranges from all but 0.02% of the numbers in 12 samples" in result.made.notes[0]
    assert result.made.facts["int8"] == "2"


# Models without convolutions


def products() -> onnx.ModelProto:
    nodes = [
        node("MatMul", "x w1", "a"), node("Add", "a b", "c"), node("Relu", "c", "d"), node("Gemm", "d w2 b", "y"),
    ]  # fmt: skip
    return model(nodes, square("w1"), weight("w2", drawn(4, 4, seed=5)), weight("b", drawn(4, seed=6)))


def test_a_model_without_convolutions_is_quantised_dynamically(stored: Stored, quantise: Quantise) -> None:
    result = quantise(stored(products()), SAMPLES)
    assert result.made.facts["method"] == "dynamic"
    assert result.made.facts["int8"] == "2"
    assert result.operators["MatMulInteger"] == 2
    assert result.precision == "int8"
    assert 0 < result.error <= 0.05


def test_it_can_be_calibrated_all_the_same(stored: Stored, quantise: Quantise) -> None:
    result = quantise(stored(products()), SAMPLES, method="static")
    assert result.operators["MatMulInteger"] == 0 < result.operators["QuantizeLinear"]
    assert result.precision == "int8"


def test_an_lstm_runs_in_integers(stored: Stored, quantise: Quantise) -> None:
    nodes = [node("LSTM", "x w r b", "y _ _", hidden_size=8)]
    weights = [
        weight("w", drawn(1, 32, 4, seed=1) / 2), weight("r", drawn(1, 32, 8, seed=2) / 2), weight("b", drawn(1, 64)),
    ]  # fmt: skip
    recurrent = graph_model(nodes, [("x", FLOAT, [6, "n", 4])], [("y", FLOAT, [6, 1, "n", 8])], weights)
    result = quantise(stored(recurrent), [{"x": drawn(6, 1, 4, seed=seed)} for seed in range(4)])
    assert result.operators["DynamicQuantizeLSTM"] == 1
    assert result.precision == "int8"


# Bodies


def branching() -> onnx.ModelProto:
    """A product of each branch's own, one of them with a weight from outside, and one after them."""

    def branch(name: str, taken: str, *weights: TensorProto) -> onnx.GraphProto:
        out = helper.make_tensor_value_info(f"{name}_r", FLOAT, ["n", 4])
        nodes = [node("MatMul", f"x {taken}", f"{name}_m"), node("Relu", f"{name}_m", f"{name}_r")]
        return helper.make_graph(nodes, name, [], [out], list(weights))

    nodes = [
        node("ReduceSum", "x", "s", keepdims=0),
        node("Greater", "s zero", "c"),
        node("If", "c", "h", then_branch=branch("then", "w"), else_branch=branch("else", "v", square("v"))),
        node("MatMul", "h w", "y"),
    ]
    return model(nodes, square("w"), weight("zero", 0.0))


def turning() -> onnx.ModelProto:
    body = helper.make_graph(
        [node("MatMul", "before w", "m"), node("Tanh", "m", "after"), node("Identity", "go", "on")],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", FLOAT, ["n", 4]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", FLOAT, ["n", 4]),
        ],
    )
    three = numpy_helper.from_array(np.array(3), "three")
    return model([node("Loop", "three _ x", "y", body=body)], square("w"), three)


@pytest.mark.parametrize("method", ["dynamic", "static"])
@pytest.mark.parametrize(("built", "layers"), [(branching, 3), (turning, 1)], ids=["If", "Loop"])
def test_bodies_are_quantised_too(
    built: Callable[[], onnx.ModelProto], layers: int, method: str, stored: Stored, quantise: Quantise
) -> None:
    both = [{"x": sign * np.abs(feeds["x"])} for feeds in SAMPLES for sign in (1, -1)]
    result = quantise(stored(built()), both, method=method, max_error=0.5)
    assert result.made.facts["int8"] == str(layers)
    inner = [one for graph, one, _ in walked(onnx.load(result.output).graph) if graph.name != "test"]
    assert sum(one.op_type == "MatMulInteger" for one in inner) == (2 if layers == 3 else 1)
    assert f"computes {layers} in integers here" in " ".join(result.notes)
    assert 0 < result.error <= 0.5
    if method == "static":
        assert any("In bodies of If, Loop and Scan" in note for note in result.made.notes)


# What really runs


def test_a_row_in_which_nothing_runs_in_integers_says_float(stored: Stored, quantise: Quantise) -> None:
    """Without optimisation ONNX Runtime turns every number back into a float before it multiplies."""
    result = quantise(stored(convolutions()), PICTURES)
    artifact = Artifact(ONNX_INT8, Signature(()), result.output)
    runner: Any = nav_onnx.run_on_cpu(
        RunnerJob(artifact, str(RuntimeProvider.CPU), RuntimeOptions(graph_optimization="disabled"), threads=1)
    )
    with runner:
        assert runner.precision == "fp32"
        assert "ONNX Runtime computes all 3 layers of the quantised graph in float here." in runner.notes


def test_weights_beside_the_file_are_read_and_written(
    stored: Stored, quantise: Quantise, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "beside" / "model.onnx"
    path.parent.mkdir()
    onnx.save(convolutions(), path, save_as_external_data=True, size_threshold=0, location="w.bin")
    for limit in ("model_writing", "int8_writing"):
        monkeypatch.setattr(f"nav_onnx.{limit}.INLINE_LIMIT", 1000)
    result = quantise(path, PICTURES)
    assert result.precision == "int8"
    assert result.made.facts["int8"] == "3"
