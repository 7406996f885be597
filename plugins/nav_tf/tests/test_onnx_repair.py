"""Names, axes and operators of a graph are put right, in its branches and loops too."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper

from nav_tf.onnx_repair import graphs, name_axes, refuse_unknown_operators, rename_tensors, settled
from navcore import Axis, ConversionError, Signature, TensorSpec

SIGNATURE = Signature(
    (TensorSpec("x", "float32", ("batch", 3)),),
    (TensorSpec("y", "float32", ("batch", 3)),),
    axes=(Axis("batch", 1, 2, 4),),
)


def model(inner: str = "Neg", first: str | int = "unk__1") -> onnx.ModelProto:
    """``y = If(c, inner(x), x)`` with one output besides, and axes as tf2onnx names them."""
    branches = [
        helper.make_graph(
            [helper.make_node(kind, ["x"], [f"out_{kind}"], name=f"the_{kind}")],
            kind,
            [],
            [helper.make_tensor_value_info(f"out_{kind}", TensorProto.FLOAT, ["unk__7", 3])],
        )
        for kind in (inner, "Identity")
    ]
    node = helper.make_node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])
    sizes = [first, 3]
    graph = helper.make_graph(
        [node],
        "whole",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["unk__2", 3])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def test_inner_graphs_are_found() -> None:
    assert [graph.name for graph in graphs(model().graph)] == ["whole", "Identity", "Neg"] or [
        graph.name for graph in graphs(model().graph)
    ] == ["whole", "Neg", "Identity"]


def test_known_operators_pass() -> None:
    refuse_unknown_operators(model())


def test_an_unknown_operator_is_found_in_a_branch() -> None:
    with pytest.raises(ConversionError, match=r"ONNX has no operator .*: Erfinv \(at 'the_Erfinv'\)"):
        refuse_unknown_operators(model("Erfinv"))


def test_renaming_reaches_into_branches_and_makes_room() -> None:
    made = model()
    rename_tensors(made, {"x": "image", "y": "out_Neg"})
    onnx.checker.check_model(made)
    assert [value.name for value in (*made.graph.input, *made.graph.output)] == ["image", "c", "out_Neg"]
    inner = [node for graph in graphs(made.graph) for node in graph.node if node.op_type == "Neg"]
    assert list(inner[0].input) == ["image"]
    assert list(inner[0].output) == ["out_Neg__inner"]


def test_axes_get_the_names_of_the_signature_and_no_number_stays() -> None:
    made = model()
    name_axes(made, SIGNATURE)
    assert made.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert made.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert b"unk__" not in made.SerializeToString()


def test_inputs_that_appeared_are_refused() -> None:
    with pytest.raises(ConversionError, match="made inputs that the SavedModel does not have: c"):
        settled(model(), SIGNATURE)


def test_an_axis_that_was_fixed_is_refused() -> None:
    made = model(first=2)
    del made.graph.input[1]
    with pytest.raises(ConversionError, match="axis 'batch' of 'x' is fixed at 2"):
        settled(made, SIGNATURE)


def test_an_output_that_is_gone_is_refused() -> None:
    made = model()
    del made.graph.input[1], made.graph.output[0]
    with pytest.raises(ConversionError, match="lost the outputs y"):
        settled(made, SIGNATURE)


def test_an_input_that_is_gone_is_told() -> None:
    made = model()
    del made.graph.input[:]
    kept = settled(made, SIGNATURE)
    assert kept.signature.inputs == ()
    assert kept.notes == ("The graph does not use x, so it has no such input.",)
