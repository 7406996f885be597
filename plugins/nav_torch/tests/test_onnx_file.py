"""Reading back a written ONNX file: what the full check finds is told in one sentence."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from nav_torch.axes import Settled
from nav_torch.onnx_file import read_back
from navcore import ExportError, Signature, TensorSpec

SIGNATURE = Signature((TensorSpec("x", "float32", (2, 3)),), (TensorSpec("y", "float32", (2, 3)),))


def write(path: Path, output: int, shape: list[int], operator: str = "Relu") -> None:
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"])],
        "one operator",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor_value_info("y", output, shape)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def test_a_valid_file_is_reported_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "a.onnx", TensorProto.FLOAT, [2, 3])
    made = read_back(tmp_path / "a.onnx", Settled(SIGNATURE), opset=17, exporter="test")
    assert (made.signature, made.facts["opset"], made.notes) == (SIGNATURE, "17", ())


@pytest.mark.parametrize(
    ("output", "shape", "operator"),
    [(TensorProto.INT64, [2, 3], "Relu"), (TensorProto.FLOAT, [2, 4], "Relu"), (TensorProto.FLOAT, [2, 3], "Rellu")],
    ids=["type", "shape", "operator"],
)
def test_a_graph_that_contradicts_its_operators_is_refused(
    output: int, shape: list[int], operator: str, tmp_path: Path
) -> None:
    write(tmp_path / "a.onnx", output, shape, operator)
    with pytest.raises(ExportError, match=r"The check of the written ONNX file failed: \w+: ") as e:
        read_back(tmp_path / "a.onnx", Settled(SIGNATURE), opset=17, exporter="test")
    assert "\n" not in str(e.value)
    assert "opset" not in e.value.hint, "no other opset would help"
