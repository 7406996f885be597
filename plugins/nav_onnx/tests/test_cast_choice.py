"""What the cast pass leaves in float32: by its own rules, and by the user's wish."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nav_onnx.casting import CastRules, Low, cast_floats, write_cast
from nav_onnx.model_file import load_model
from navcore import OptionError

from .cast_checks import LOWS, assert_follows, body_nodes
from .cast_models import ANY, FLOAT, SAMPLE, drawn, kept, lowered, model, node, square, weight
from .onnx_models import Tensors

Stored = Callable[[onnx.ModelProto], Path]


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
    assert body_nodes(cast) == {"make wide", "make next"}
    inner = next(attribute.g for one in cast.model.graph.node if one.op_type == "Loop" for attribute in one.attribute)
    assert not inner.initializer
    names = sorted(one.name for one in cast.model.graph.initializer)
    if low == "float16":  # of the weight, nothing is left in float32, and it is not cast at every turn
        assert [one.op_type for one in inner.node] == ["Identity", "Cast", "MatMul", "Tanh", "Cast"]
        assert names == ["go_on", "turns", "w_float16", "w_float16_2"]
    else:
        assert [one.op_type for one in inner.node].count("Cast") == 3
        assert names == ["go_on", "turns", "w", "w_bfloat16_2"]
    assert [one.type.tensor_type.elem_type for one in (inner.input[2], inner.output[1])] == [FLOAT, FLOAT]


def looping(body_nodes_: list[onnx.NodeProto], *weights: TensorProto) -> onnx.ModelProto:
    """Three turns of a body that hands ``state`` on as ``next`` and goes on while ``on``."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        body_nodes_,
        "body",
        [value("turn", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("state", FLOAT, ANY)],
        [value("on", TensorProto.BOOL, []), value("next", FLOAT, ANY)],
    )
    given = [numpy_helper.from_array(np.array(3), "turns"), numpy_helper.from_array(np.array(True), "go_on")]
    nodes = [node("MatMul", "x w", "h"), node("Loop", "turns go_on h", "l", body=body), node("MatMul", "l w", "y")]
    return model(nodes, square(), *given, *weights)


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        (["MatMul state w wide", "Tanh wide next", "ReduceSum wide s", "Less s limit on"], "decides by floats"),
        (["Identity go on", "Sin state angle", "MatMul angle w wide", "Add wide state next"], "carries an angle"),
        (["Identity go on", "Add state limit next"], "has nothing to gain"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_body_stays_as_it_is_where_it(inner: list[str], reason: str, stored: Stored) -> None:
    nodes = []
    for line in inner:
        operator, *taken, made = line.split()
        extra = {"keepdims": 0} if operator == "ReduceSum" else {}
        nodes.append(node(operator, " ".join(taken), made, **extra))
    cast = assert_follows(stored(looping(nodes, weight("limit", 100.0))), SAMPLE, "float16")
    assert body_nodes(cast) == set()
    assert kept(cast)["l"] == "holds subgraphs"


def test_counting_in_floats_is_left_alone_and_the_rest_of_the_body_is_not(stored: Stored) -> None:
    """float16 knows no 2049: where it counted, this loop would end a turn late."""
    inner = [node("Cast", "turn", "count", to=FLOAT), node("Add", "count start", "place")]
    inner += [node("Less", "place limit", "on"), node("MatMul", "state w", "next")]
    path = stored(looping(inner, weight("start", 2048.0), weight("limit", 2049.0)))
    cast = assert_follows(path, SAMPLE, "float16")
    assert body_nodes(cast) == {"make next"}
    assert kept(cast)["place"] == kept(cast)["on"] == "decides when Loop ends"


def test_a_body_that_the_user_names_stays_in_float32(stored: Stored) -> None:
    path = stored(looping([node("Identity", "go", "on"), node("MatMul", "state w", "next")]))
    assert body_nodes(assert_follows(path, SAMPLE, "float16")) == {"make next"}
    assert body_nodes(assert_follows(path, SAMPLE, "float16", CastRules(keep_ops=("Loop",)))) == set()
    assert body_nodes(assert_follows(path, SAMPLE, "float16", CastRules(keep_nodes=("make l",)))) == set()


def test_a_weight_that_is_too_large_keeps_its_node_in_a_body_too(stored: Stored) -> None:
    inner = [node("Identity", "go", "on"), node("MatMul", "state w", "a"), node("Mul", "a huge", "b")]
    inner += [node("Tanh", "b", "next")]
    cast = assert_follows(stored(looping(inner, weight("huge", 1e5))), SAMPLE, "float16")
    assert body_nodes(cast) == {"make a"}
    assert {"b", "next"} <= set(kept(cast))


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
    rows = drawn(3000, 4)
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
