"""The cast pass on graphs written by hand: what the result looks like, and what cannot be cast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings, strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from nav_onnx.casting import CastRules, Low, cast_floats, write_cast
from nav_onnx.model_file import load_model
from navcore import InputError, StepError

from .cast_checks import LOWS, assert_computes_low, assert_follows, assert_same_interface
from .cast_models import ANY, FLOAT, SAMPLE, X, drawn, lowered, model, node, operators, square, weight
from .onnx_models import Tensors

Stored = Callable[[onnx.ModelProto], Path]

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
    assert cast.notes == ("local functions were inlined, 1 in all",)
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
    image = {"x": drawn(2, 3, 20, 18)}
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
    monkeypatch.setattr("nav_onnx.model_writing.INLINE_LIMIT", 1000)

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
