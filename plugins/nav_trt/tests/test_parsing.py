"""What the parser refuses, told as a list of nodes that a person can act on."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, create_autospec

import onnx
import pytest
import tensorrt_rtx as trt
from onnx import TensorProto

from nav_trt.building import make_logger
from nav_trt.parsing import SHOWN, parse, refused
from navcore import ConversionError

from .engine_graphs import FLOAT, graph, node

BYTES: Any = {"inputs": [("x", TensorProto.UINT8, ["n", 4])], "outputs": [("y", TensorProto.UINT8, ["n", 4])]}


def refusal(path: Path, model: onnx.ModelProto | bytes) -> ConversionError:
    file = path / "model.onnx"
    file.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    logger = make_logger(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    with pytest.raises(ConversionError) as caught:
        parse(trt, network, logger, file)
    return caught.value.with_traceback(None)


def test_an_operator_that_nobody_has_is_named(tmp_path: Path) -> None:
    error = refusal(tmp_path, graph([node("Foo", "x", "y", "the first")]))
    assert error.what == (
        "The parser refuses 1 node: node the first (Foo): TensorRT has no such operator, and no plugin of that name is "
        "loaded."
    )
    assert error.hint == "Replace Foo in the model, export at another opset, or use the ONNX file itself."


def test_two_nodes_are_listed_with_their_own_reasons(tmp_path: Path) -> None:
    nodes = [node("Foo", "x", "h", "first"), node("BitShift", "x h", "y", "second", direction="LEFT")]
    error = refusal(tmp_path, graph(nodes, **BYTES))

    assert error.what.startswith("The parser refuses 2 nodes: node first (Foo): TensorRT has no such operator")
    assert "; node second (BitShift): TensorRT does not support it." in error.what
    assert error.hint.startswith("Replace BitShift, Foo in the model")


def test_of_many_the_first_are_listed_and_the_rest_counted(tmp_path: Path) -> None:
    names = ["x", *(f"h{index}" for index in range(SHOWN + 1)), "y"]
    error = refusal(tmp_path, graph([node("Foo", a, b, f"node {b}") for a, b in itertools.pairwise(names)]))

    assert error.what.startswith(f"The parser refuses {SHOWN + 2} nodes: ")
    assert error.what.count("(Foo)") == SHOWN
    assert error.what.endswith("; and 2 more, in the step's log.")


def test_a_node_without_a_name_goes_by_its_number(tmp_path: Path) -> None:
    nodes = [node("Relu", "x", "h"), node("Foo", "h", "y")]
    assert "node number 1 (Foo): " in refusal(tmp_path, graph(nodes)).what


def test_a_file_that_cannot_be_read_names_no_node(tmp_path: Path) -> None:
    error = refusal(tmp_path, b"garbage")
    assert error.what.startswith("The parser refuses the graph: the file cannot be read")
    assert error.hint == "Check the ONNX file with onnx.checker."


def test_an_input_type_that_does_not_exist_there_is_told_in_the_parsers_words(tmp_path: Path) -> None:
    model = graph([node("Cast", "x", "y", to=FLOAT)], inputs=[("x", TensorProto.INT16, ["n", 4])])
    error = refusal(tmp_path, model)
    assert error.what == (
        "The parser refuses the graph: TensorRT does not support it "
        "(Failed to convert ONNX date type to TensorRT data type)."
    )


def test_a_good_graph_fills_the_network(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(graph([node("Relu", "x", "y")]).SerializeToString())
    logger = make_logger(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(0)

    parse(trt, network, logger, file)

    assert network.num_inputs == network.num_outputs == 1


def complaint(description: str, *, code: Any = None, name: str = "n", operator: str = "Op") -> MagicMock:
    error: MagicMock = create_autospec(trt.ParserError, instance=True)
    error.desc.return_value = description
    error.code.return_value = trt.ErrorCode.UNSUPPORTED_NODE if code is None else code
    error.node_name.return_value, error.node_operator.return_value, error.node.return_value = name, operator, 0
    return error


def test_the_same_complaint_is_told_once() -> None:
    assert refused(trt, [complaint("false"), complaint("false")]).what == (
        "The parser refuses 1 node: node n (Op): TensorRT does not support it."
    )


@pytest.mark.parametrize(
    ("description", "told"),
    [
        ("false", ""),
        ("a > 0 && b > 0", ""),
        ('ready && "It is not ready."', " (It is not ready)"),
        ("two\n   lines", " (two lines)"),
        ("word " * 100, f" ({('word ' * 60)}…)"),
    ],
)
def test_of_conditions_in_code_only_the_text_is_shown(description: str, told: str) -> None:
    assert refused(trt, [complaint(description)]).what == (
        f"The parser refuses 1 node: node n (Op): TensorRT does not support it{told}."
    )


def test_no_reason_at_all_is_told_as_that() -> None:
    assert refused(trt, []).what == "The parser refuses the graph: it gives no reason."


def test_a_version_without_some_of_the_codes_is_read_all_the_same() -> None:
    older = SimpleNamespace(ErrorCode=SimpleNamespace(UNSUPPORTED_NODE=trt.ErrorCode.UNSUPPORTED_NODE))
    assert "TensorRT does not support it" in refused(older, [complaint("false")]).what  # type: ignore[arg-type]
    unknown = complaint("false", code=trt.ErrorCode.REFIT_FAILED)
    assert "error " in refused(older, [unknown]).what  # type: ignore[arg-type]
