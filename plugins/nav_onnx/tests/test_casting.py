"""The cast pass on graphs written by hand: what is lowered, what stays, and what never changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from nav_onnx.casting import Cast, CastRules, Low, cast_floats, write_cast
from nav_onnx.model_file import load_model
from navcore.errors import InputError, OptionError, StepError

from .cast_checks import LOWS, assert_computes_low, assert_follows, assert_same_interface
from .onnx_models import Tensors, graph_model

Stored = Callable[[onnx.ModelProto], Path]
FLOAT = TensorProto.FLOAT
X: Tensors = [("x", FLOAT, ["n", 4])]
ANY = ("rows", "columns")
Y: Tensors = [("y", FLOAT, ANY)]
RANDOM = np.random.default_rng(0)
SAMPLE = {"x": RANDOM.normal(size=(3, 4)).astype(np.float32)}


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """A node named for its first output; ``_`` is an input or output that is left out."""
    names = [[("" if name == "_" else name) for name in text.split()] for text in (inputs, outputs)]
    domain = attributes.pop("domain", "")
    return helper.make_node(op, *names, name=f"make {names[1][0]}", domain=domain, **attributes)


def weight(name: str, values: Any) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, np.float32), name)


def square(name: str = "w") -> TensorProto:
    return weight(name, RANDOM.normal(size=(4, 4)) / 2)


def model(nodes: Sequence[onnx.NodeProto], *weights: TensorProto, opset: int = 18, **given: Any) -> onnx.ModelProto:
    return graph_model(nodes, given.get("inputs", X), given.get("outputs", Y), weights, opset=opset)


def kept(cast: Cast) -> dict[str, str]:
    return {one.name.removeprefix("make "): one.reason for one in cast.kept}


def operators(cast: Cast) -> list[str]:
    return [one.op_type for one in cast.model.graph.node]


def lowered(cast: Cast) -> list[str]:
    return [name.removeprefix("make ") for name in cast.lowered]


# What the result looks like


@pytest.mark.parametrize("low", LOWS)
def test_neighbors_pass_16_bits_on_and_the_ends_stay_float32(low: Low, stored: Stored) -> None:
    source = model([node("MatMul", "x w", "h"), node("Relu", "h", "r"), node("MatMul", "r w", "y")], square())
    source.metadata_props.add(key="author", value="somebody")

    cast = assert_follows(stored(source), SAMPLE, low)

    assert operators(cast) == ["Cast", "MatMul", "Relu", "MatMul", "Cast"]
    assert lowered(cast) == ["h", "r", "y"]
    assert cast.kept == cast.notes == ()
    (weights,) = cast.model.graph.initializer
    assert len(weights.raw_data) == 4 * 4 * 2


def test_the_model_that_is_cast_stays_as_it_is() -> None:
    source = model([node("MatMul", "x w", "y")], square())
    before = source.SerializeToString(deterministic=True)
    cast_floats(source, "float16")
    assert source.SerializeToString(deterministic=True) == before


def test_a_weight_that_both_types_take_is_there_twice_and_an_unused_one_not_at_all(stored: Stored) -> None:
    source = model([node("MatMul", "x w", "h"), node("MatMul", "h w", "y")], square(), square("unused"))
    cast = assert_follows(stored(source), SAMPLE, "float16", CastRules(keep_nodes=("make y",)))
    assert sorted(one.name for one in cast.model.graph.initializer) == ["w", "w_float16"]


def test_a_value_is_cast_once_however_many_take_it(stored: Stored) -> None:
    source = model([node("Relu", "x", "a"), node("Neg", "x", "b"), node("Add", "a b", "c"), node("Abs", "c", "y")])
    cast = assert_follows(stored(source), SAMPLE, "float16")
    assert operators(cast).count("Cast") == 2


@pytest.mark.parametrize("as_value", [True, False])
def test_constants_are_converted_like_weights(as_value: bool, stored: Stored) -> None:
    given = {"value": weight("", [1, 2, 3, 4])} if as_value else {"value_floats": [1.0, 2.0, 3.0, 4.0]}
    source = model([node("Constant", "", "c", **given), node("Mul", "x c", "y")])
    cast = assert_follows(stored(source), SAMPLE, "float16")
    assert operators(cast) == ["Constant", "Cast", "Mul", "Cast"]


def test_integers_and_inputs_that_are_left_out_are_not_touched(stored: Stored) -> None:
    outputs: Tensors = [("y", FLOAT, ["n", 2]), ("i", TensorProto.INT64, ["n", 2])]
    nodes = [node("Clip", "x _ top", "c"), node("TopK", "c k", "y i")]
    source = model(nodes, weight("top", 0.5), numpy_helper.from_array(np.array([2]), "k"), outputs=outputs)
    assert lowered(assert_follows(stored(source), SAMPLE, "float16")) == ["c", "y"]


def test_names_that_are_taken_are_left_alone(stored: Stored) -> None:
    nodes = [
        node("MatMul", "x w", "x_float16"),
        node("Relu", "x_float16", "x_to_float16"),
        node("Neg", "x_to_float16", "y"),
    ]
    assert_follows(stored(model(nodes, square())), SAMPLE, "float16")


def test_an_output_may_be_an_input_a_weight_or_an_inner_value(stored: Stored) -> None:
    outputs: Tensors = [("x", FLOAT, ["n", 4]), ("w", FLOAT, [4, 4]), ("h", FLOAT, ["n", 4]), ("y", FLOAT, ["n", 4])]
    source = model([node("MatMul", "x w", "h"), node("Relu", "h", "y")], square(), outputs=outputs)
    assert_follows(stored(source), SAMPLE, "float16")


def test_a_weight_among_the_inputs_stays_replaceable(stored: Stored) -> None:
    inputs: Tensors = [*X, ("w", FLOAT, [4, 4])]
    path = stored(model([node("MatMul", "x w", "y")], square(), inputs=inputs))
    cast = assert_follows(path, SAMPLE, "float16")
    assert [one.name for one in cast.model.graph.initializer] == ["w"]
    assert_follows(path, {**SAMPLE, "w": np.eye(4, dtype=np.float32)}, "float16")


def test_declared_shapes_are_carried_over_to_the_16_bit_values() -> None:
    source = model([node("MatMul", "x w", "h"), node("Relu", "h", "y")], square())
    source.graph.value_info.append(helper.make_tensor_value_info("h", FLOAT, ["n", 4]))
    (declared,) = cast_floats(source, "float16").model.graph.value_info
    assert declared == helper.make_tensor_value_info("h_float16", TensorProto.FLOAT16, ["n", 4])


# What stays in float32


def test_subgraphs_stay_and_find_what_they_capture(stored: Stored) -> None:
    then = helper.make_graph([node("Add", "h x", "t")], "then", [], [helper.make_tensor_value_info("t", FLOAT, ANY)])
    other = helper.make_graph([node("Mul", "h w", "e")], "else", [], [helper.make_tensor_value_info("e", FLOAT, ANY)])
    nodes = [
        node("MatMul", "x w", "h"),
        node("ReduceSum", "h", "s", keepdims=0),
        node("Greater", "s zero", "c"),
        node("If", "c", "b", then_branch=then, else_branch=other),
        node("Relu", "b", "y"),
    ]
    path = stored(model(nodes, weight("w", np.eye(4)), weight("zero", 0)))
    for sign in (1, -1):
        rows = np.full((4, 4), sign * 0.5, np.float32)
        cast = assert_follows(path, {"x": rows}, "float16")
    assert kept(cast) == {"b": "holds subgraphs"}
    assert {"h", "y"} <= set(lowered(cast))


@pytest.mark.parametrize("low", LOWS)
def test_a_loop_carries_float32(low: Low, stored: Stored) -> None:
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [node("Identity", "go", "on"), node("MatMul", "state w", "wide"), node("Tanh", "wide", "next")],
        "body",
        [value("turn", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("state", FLOAT, ANY)],
        [value("on", TensorProto.BOOL, []), value("next", FLOAT, ANY)],
    )
    # ONNX's reference evaluator does not turn at all when the condition is left out.
    given = [numpy_helper.from_array(np.array(3), "turns"), numpy_helper.from_array(np.array(True), "go_on")]
    nodes = [node("MatMul", "x w", "h"), node("Loop", "turns go_on h", "l", body=body), node("MatMul", "l w", "y")]
    cast = assert_follows(stored(model(nodes, square(), *given)), SAMPLE, low)
    assert sorted(one.name for one in cast.model.graph.initializer) == ["go_on", "turns", "w", f"w_{low}"]


def test_large_weights_keep_what_may_become_as_large(stored: Stored) -> None:
    nodes = [
        node("MatMul", "x w", "a"),
        node("Mul", "a huge", "b"),
        node("Transpose", "b", "c"),
        node("Transpose", "c", "d"),
        node("Softmax", "d", "e"),
        node("MatMul", "e w", "y"),
    ]
    cast = assert_follows(stored(model(nodes, square(), weight("huge", 1e5))), SAMPLE, "float16")
    assert lowered(cast) == ["a", "y"]
    assert kept(cast) == {
        "b": "the weight 'huge' reaches 1e+05, beyond float16's range",
        **dict.fromkeys("cde", "may take numbers as large as the weight 'huge'"),
    }
    assert kept(cast_floats(model(nodes, square(), weight("huge", 1e5)), "bfloat16")) == {}


def test_a_row_that_is_masked_completely_does_not_become_nan(stored: Stored) -> None:
    lowest = float(np.finfo(np.float32).min)
    shape = numpy_helper.from_array(np.array([4]), "shape")
    nodes = [
        node("ConstantOfShape", "shape", "mask", value=weight("", [lowest])),
        node("MatMul", "x w", "h"),
        node("Add", "h mask", "m"),
        node("Softmax", "m", "s"),
        node("MatMul", "s w", "y"),
    ]
    cast = assert_follows(stored(model(nodes, square(), shape)), SAMPLE, "float16")
    assert lowered(cast) == ["h", "y"]


def test_an_epsilon_that_would_become_zero_is_kept(stored: Stored) -> None:
    nodes = [node("MatMul", "x w", "h"), node("Abs", "h", "a"), node("Add", "a eps", "y")]
    cast = assert_follows(stored(model(nodes, square(), weight("eps", 1e-12))), SAMPLE, "float16")
    assert kept(cast) == {"y": "1e-12 in the weight 'eps' would become zero in float16"}


def test_a_few_vanishing_numbers_among_many_are_tolerated_and_many_are_not() -> None:
    values = np.ones((4, 100), np.float32)
    values.flat[:4] = 1e-9
    assert kept(cast_floats(model([node("MatMul", "x w", "y")], weight("w", values)), "float16")) == {}
    values.flat[:5] = 1e-9
    source = model([node("MatMul", "x w", "h"), node("Relu", "h", "y")], weight("w", values))
    assert kept(cast_floats(source, "float16")) == {
        "h": "5 of 400 numbers in the weight 'w' would become zero in float16"
    }


def test_angles_and_sizes_are_computed_in_float32(stored: Stored) -> None:
    """A rotary embedding: in float16 the position 2049 does not exist, and an angle of 1000 is off by half a radian."""
    shape = [numpy_helper.from_array(np.array(value), name) for name, value in (("zero", 0), ("one", 1), ("axes", [1]))]
    nodes = [
        node("Shape", "x", "sizes"),
        node("Gather", "sizes zero", "length"),
        node("Range", "zero length one", "places"),
        node("Cast", "places", "positions", to=FLOAT),
        node("Unsqueeze", "positions axes", "column"),
        node("MatMul", "column frequencies", "angles"),
        node("Cos", "angles", "cosines"),
        node("MatMul", "x w", "h"),
        node("Mul", "h cosines", "y"),
    ]
    rows = RANDOM.normal(size=(3000, 4)).astype(np.float32)
    source = model(nodes, square(), weight("frequencies", [[1, 0.3, 0.1, 0.03]]), *shape)
    cast = assert_follows(stored(source), {"x": rows}, "float16")
    assert lowered(cast) == ["h", "y"]
    assert kept(cast)["angles"] == "computes what Cos needs exactly"


def test_what_becomes_an_index_is_computed_in_float32(stored: Stored) -> None:
    outputs: Tensors = [("y", FLOAT, ["n", 4]), ("i", TensorProto.INT64, ["n", 4])]
    nodes = [
        node("Mul", "x scale", "s"),
        node("Floor", "s", "f"),
        node("Cast", "f", "i", to=TensorProto.INT64),
        node("MatMul", "x w", "y"),
    ]
    cast = assert_follows(stored(model(nodes, square(), weight("scale", 3000), outputs=outputs)), SAMPLE, "float16")
    assert lowered(cast) == ["y"]


def test_what_only_moves_values_joins_its_neighbors(stored: Stored) -> None:
    outputs: Tensors = [("y", FLOAT, ANY), ("moved", FLOAT, ANY)]
    nodes = [
        node("Transpose", "x", "moved"),
        node("Transpose", "x", "turned"),
        node("Identity", "turned", "again"),
        node("MatMul", "w again", "h"),
        node("Transpose", "h", "y"),
    ]
    cast = assert_follows(stored(model(nodes, square(), outputs=outputs)), SAMPLE, "float16")
    assert lowered(cast) == ["turned", "again", "h", "y"]
    assert kept(cast) == {"moved": "only moves float32 values"}


def test_casts_of_the_author_stay_what_they_are(stored: Stored) -> None:
    nodes = [
        node("Cast", "x", "wide", to=TensorProto.DOUBLE),
        node("Exp", "wide", "e"),
        node("Cast", "e", "narrow", to=FLOAT),
        node("CastLike", "narrow x", "like"),
        node("MatMul", "like w", "h"),
        node("Cast", "h", "half", to=TensorProto.FLOAT16),
        node("Relu", "half", "r"),
        node("Cast", "r", "back", to=FLOAT),
        node("Add", "back h", "y"),
    ]
    path = stored(model(nodes, square()))
    cast = cast_floats(load_model(path), "float16")
    assert lowered(cast) == ["h", "y"]
    assert kept(cast) == {}
    write_cast(path, path.with_name("cast.onnx"), "float16")


def test_a_quantized_island_stays_whole(stored: Stored) -> None:
    scales = [weight("scale", 0.05), numpy_helper.from_array(np.array(0, np.int8), "zero")]
    nodes = [
        node("QuantizeLinear", "x scale zero", "q"),
        node("DequantizeLinear", "q scale zero", "d"),
        node("MatMul", "d w", "h"),
        node("Relu", "h", "r"),
        node("QuantizeLinear", "r scale zero", "q2"),
        node("DequantizeLinear", "q2 scale zero", "d2"),
        node("Identity", "d2", "out"),
        node("MatMul", "out w", "y"),
    ]
    cast = assert_follows(stored(model(nodes, square(), *scales)), {"x": SAMPLE["x"] / 4}, "float16")
    assert lowered(cast) == ["y"]
    assert set(kept(cast).values()) == {"belongs to the model's quantization"}


def test_custom_operators_and_what_takes_their_untyped_values_stay() -> None:
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    nodes = [
        node("MatMul", "x w", "h"),
        node("Own", "h", "o", domain="own"),
        node("Relu", "o", "r"),
        node("MatMul", "h w", "y"),
    ]
    source = model(nodes, square())
    del source.opset_import[:]
    source.opset_import.extend(imports)
    cast = cast_floats(source, "float16")
    assert lowered(cast) == ["h", "y"]
    assert kept(cast) == {"o": "own does not define Own for type inference"}
    assert [one.input[0] for one in cast.model.graph.node if one.op_type == "Relu"] == ["o"]


def test_an_output_whose_type_follows_from_no_input_keeps_the_node(stored: Stored) -> None:
    outputs: Tensors = [("y", FLOAT, ANY), ("mean", FLOAT, ANY)]
    nodes = [node("MatMul", "x w", "h"), node("LayerNormalization", "h g", "y mean")]
    cast = assert_follows(stored(model(nodes, square(), weight("g", np.ones(4)), outputs=outputs)), SAMPLE, "float16")
    assert kept(cast) == {"y": "LayerNormalization of opset 17 has no float16 for 'mean'"}


def test_sequences_keep_their_float32(stored: Stored) -> None:
    nodes = [
        node("MatMul", "x w", "h"),
        node("SplitToSequence", "h", "parts", axis=1),
        node("ConcatFromSequence", "parts", "c", axis=1),
        node("Relu", "c", "y"),
    ]
    cast = assert_follows(stored(model(nodes, square())), SAMPLE, "float16")
    assert lowered(cast) == ["h", "y"]


# The user's wishes


def test_nodes_and_operators_are_kept_by_name() -> None:
    source = model([node("MatMul", "x w", "h"), node("Relu", "h", "r"), node("MatMul", "r w", "y")], square())
    cast = cast_floats(source, "float16", CastRules(keep_nodes=["make y"], keep_ops=["Relu"]))
    assert lowered(cast) == ["h"]
    assert kept(cast) == {"r": "kept by operator", "y": "kept by name"}


def test_a_node_without_a_name_goes_by_its_output() -> None:
    source = model([helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])], square())
    assert cast_floats(source, "float16", CastRules(keep_nodes=("y",))).lowered == ("h",)


def test_weights_above_the_limit_keep_their_node() -> None:
    source = model([node("MatMul", "x w", "h"), node("Mul", "h big", "y")], square(), weight("big", 300))
    cast = cast_floats(source, "float16", CastRules(max_magnitude=256))
    assert kept(cast) == {"y": "the weight 'big' reaches 300, beyond the limit of 256"}


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"keep_nodes": ("make z",)}, "No node is called 'make z'.*The nearest name is 'make [hy]'"),
        ({"keep_ops": ("Softmaks",)}, "No operator is called 'Softmaks'.*The nearest name is 'Softmax'"),
        ({"keep_ops": ("?",)}, "No operator is called '\\?'.*Netron shows"),
        ({"keep_nodes": "make y"}, "A list of names is needed, not the text 'make y'"),
        ({"keep_nodes": ("",)}, "'' is no name"),
        ({"max_magnitude": -1.0}, "max_magnitude is -1.0"),
        ({"max_magnitude": float("nan")}, "max_magnitude is nan"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(rules: Any, message: str) -> None:
    source = model([node("MatMul", "x w", "h"), node("Relu", "h", "y")], square())
    with pytest.raises(OptionError, match=message):
        cast_floats(source, "float16", CastRules(**rules))


def test_another_type_is_refused() -> None:
    with pytest.raises(OptionError, match="not to 'int8'"):
        cast_floats(model([node("Relu", "x", "y")]), "int8")  # type: ignore[arg-type]


# Functions and opsets


def with_function() -> onnx.ModelProto:
    inner = [helper.make_node("MatMul", ["a", "b"], ["t"], name="inner"), helper.make_node("Relu", ["t"], ["c"])]
    function = helper.make_function("own", "Layer", ["a", "b"], ["c"], inner, [helper.make_opsetid("", 18)])
    nodes = [node("Layer", "x w", "h", domain="own"), node("MatMul", "h w", "y")]
    source = model(nodes, square())
    source.opset_import.append(helper.make_opsetid("own", 1))
    source.functions.append(function)
    return source


def test_local_functions_are_inlined(stored: Stored) -> None:
    cast = assert_follows(stored(with_function()), SAMPLE, "float16")
    assert cast.notes == ("1 local functions were inlined",)
    assert operators(cast) == ["Cast", "MatMul", "Relu", "MatMul", "Cast"]


@pytest.mark.parametrize("rules", [CastRules(keep_ops=("Layer",)), CastRules(keep_nodes=("make h",))])
def test_a_function_that_is_kept_stays_whole(rules: CastRules, stored: Stored) -> None:
    cast = assert_follows(stored(with_function()), SAMPLE, "float16", rules)
    assert operators(cast) == ["Layer", "Cast", "MatMul", "Cast"]
    assert len(cast.model.functions) == 1


def convolution(opset: int) -> onnx.ModelProto:
    image: Tensors = [("x", FLOAT, ("n", 3, "high", "wide"))]
    made: Tensors = [("y", FLOAT, ("n", 40, "rows", "columns"))]
    kernel = weight("w", np.random.default_rng(0).normal(size=(40, 3, 16, 16)) / 30)  # heavy enough to be set aside
    return model([node("Conv", "x w", "h"), node("Relu", "h", "y")], kernel, opset=opset, inputs=image, outputs=made)


def test_bfloat16_raises_the_opset_where_that_gains_a_node(stored: Stored) -> None:
    image = {"x": RANDOM.normal(size=(2, 3, 20, 18)).astype(np.float32)}
    cast = assert_follows(stored(convolution(18)), image, "bfloat16")
    assert lowered(cast) == ["h", "y"]
    assert cast.notes == ("the opset was raised from 18 to 22, where more operators know bfloat16",)
    assert cast.model.opset_import[0].version == 22
    assert cast_floats(convolution(18), "float16").notes == ()
    assert cast_floats(convolution(22), "bfloat16").notes == ()


def test_an_opset_that_cannot_be_raised_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: Any) -> None:
        raise RuntimeError("no adapter")

    monkeypatch.setattr("onnx.version_converter.convert_version", refuse)
    cast = cast_floats(convolution(18), "bfloat16")
    assert lowered(cast) == ["y"]
    assert cast.notes == ("more could compute in bfloat16 from opset 22 on; opset 18 could not be raised",)
    with pytest.raises(
        StepError, match=r"Conv 'make h' \(Conv of opset 1 has no bfloat16 for 'x'\).*opset 10 could not be raised"
    ):
        cast_floats(convolution(10), "bfloat16")


# What cannot be cast


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (TensorProto.FLOAT16, "it is a float16 model already"),
        (TensorProto.BFLOAT16, "it is a bfloat16 model already"),
        (TensorProto.DOUBLE, "it is a float64 model already"),
        (TensorProto.INT64, "it has no floating-point computation"),
    ],
)
def test_a_model_of_another_type_says_so(code: int, said: str, stored: Stored) -> None:
    source = model([node("Neg", "x", "y")], inputs=[("x", code, [2])], outputs=[("y", code, [2])])
    path = stored(source)
    with pytest.raises(StepError, match=f"^model.onnx: Only float32 models are cast to float16, and {said}"):
        write_cast(path, path.with_name("cast.onnx"), "float16")
    assert list(path.parent.iterdir()) == [path]


def test_when_nothing_is_left_to_lower_the_reasons_are_given() -> None:
    source = model([node("CumSum", "x axis", "c"), node("Sin", "c", "y")], numpy_helper.from_array(np.array(0), "axis"))
    with pytest.raises(StepError, match=r"compute in float16: CumSum 'make c' \(adds up without end\), Sin 'make y'"):
        cast_floats(source, "float16")


def test_weights_that_were_not_loaded_are_asked_for() -> None:
    source = model([node("MatMul", "x w", "y")], square())
    source.graph.initializer[0].data_location = TensorProto.EXTERNAL
    with pytest.raises(InputError, match=r"Load the file with nav_onnx\.load_model"):
        cast_floats(source, "float16")


# Files


def test_a_large_model_keeps_its_weights_beside_it(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored(convolution(18))
    output = path.parent / "made" / "cast.onnx"
    monkeypatch.setattr("nav_onnx.cast_source._HEAVY", 64)
    monkeypatch.setattr("nav_onnx.casting._INLINE_LIMIT", 1000)

    cast = write_cast(path, output, "float16")

    assert sorted(file.name for file in output.parent.iterdir()) == ["cast.onnx", "cast.onnx.data"]
    assert output.stat().st_size < 1000
    assert load_model(output) == cast.model


def test_a_model_that_was_split_becomes_one_file_again(tmp_path: Path) -> None:
    onnx.save(
        convolution(18), tmp_path / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=64
    )
    assert_follows(tmp_path / "model.onnx", {"x": np.ones((1, 3, 16, 16), np.float32)}, "float16")
    assert not (tmp_path / "model-float16.onnx.data").exists()


def test_an_invalid_source_is_refused_as_such(stored: Stored) -> None:
    source = model([node("MatMul", "x w", "h"), node("Relu", "h", "y")], square())
    source.graph.output.add().CopyFrom(helper.make_tensor_value_info("nowhere", FLOAT, [1]))
    path = stored(source)
    with pytest.raises(StepError, match=r"^model\.onnx: The model is not valid ONNX, even before it is cast: "):
        write_cast(path, path.with_name("cast.onnx"), "float16")
    assert list(path.parent.iterdir()) == [path]


def test_an_invalid_result_is_refused_and_removed(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored(model([node("MatMul", "x w", "h"), node("Relu", "h", "y")], square()))
    monkeypatch.setattr("nav_onnx.casting.names_in_use", lambda _graph: frozenset())  # so that no output is cast back
    with pytest.raises(StepError, match=r"^model\.onnx: The model cast to float16 is not valid ONNX: .*keep_nodes"):
        write_cast(path, path.with_name("cast.onnx"), "float16")
    assert list(path.parent.iterdir()) == [path]


def test_a_model_is_not_cast_into_its_own_file(stored: Stored) -> None:
    path = stored(model([node("Relu", "x", "y")]))
    with pytest.raises(InputError, match="its own file"):
        write_cast(path, path, "float16")
    assert load_model(path)


# Any graph

UNARY = ("Relu", "Tanh", "Sigmoid", "Neg", "Abs", "Softmax", "Identity", "Erf", "Sin")
BINARY = ("Add", "Sub", "Min", "Max")
STEP = st.tuples(
    st.sampled_from((*UNARY, *BINARY, "MatMul", "Weighted", "Gated")), st.integers(0, 9), st.integers(0, 9)
)


def random_model(steps: Sequence[tuple[str, int, int]], ends: Sequence[int]) -> onnx.ModelProto:
    """Nodes that each take earlier values; no step more than doubles the largest number."""
    values = ["x", "w"]
    nodes = []
    for number, (op, first, second) in enumerate(steps):
        left, right, made = values[first % len(values)], values[second % len(values)], f"v{number}"
        if op in UNARY:
            nodes.append(node(op, left, made))
        elif op in BINARY:
            nodes.append(node(op, f"{left} {right}", made))
        elif op == "Gated":
            nodes += [node("Sigmoid", right, f"g{number}"), node("Mul", f"{left} g{number}", made)]
        else:
            nodes.append(node("MatMul" if op == "MatMul" else "Add", f"{left} w", made))
        values.append(made)
    outputs: Tensors = [(name, FLOAT, ANY) for name in dict.fromkeys(values[end % len(values)] for end in ends)]
    return model(
        nodes,
        weight("w", np.random.default_rng(1).uniform(-0.25, 0.25, (4, 4))),
        outputs=outputs,
        inputs=[("x", FLOAT, [4, 4])],
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(STEP, min_size=1, max_size=7),
    st.lists(st.integers(0, 9), min_size=1, max_size=3),
    st.sampled_from(LOWS),
    st.sets(st.sampled_from(BINARY + UNARY), max_size=3),
)
def test_whatever_the_graph_it_stays_valid_and_near(steps: Any, ends: Any, low: Low, keep: set[str]) -> None:
    source = random_model(steps, ends)
    feeds = {"x": np.random.default_rng(2).uniform(-1, 1, (4, 4)).astype(np.float32)}
    try:
        cast = cast_floats(source, low, CastRules(keep_ops=sorted(keep)))
    except StepError:
        assume(False)
    onnx.checker.check_model(cast.model, full_check=True)
    assert_same_interface(source, cast.model)
    assert_computes_low(cast.model, cast)
    largest = 2.0 ** len(steps)
    for expected, found in zip(
        ReferenceEvaluator(source).run(None, feeds), ReferenceEvaluator(cast.model).run(None, feeds), strict=True
    ):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(found, expected, rtol=0, atol=largest * {"float16": 2e-3, "bfloat16": 2e-2}[low])
