"""Where the tensors of ONNX files lie: what is at each place is the tensor, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings, strategies as st
from onnx import TensorProto, helper, numpy_helper

from nav_onnx.tensor_places import tensor_regions
from navcore import InputError

RNG = np.random.default_rng(0)
FIRST, SECOND, THIRD = (RNG.standard_normal((40, 50), dtype=np.float32) for _ in range(3))


def model_of(*weights: onnx.TensorProto, nodes: tuple[onnx.NodeProto, ...] = ()) -> onnx.ModelProto:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 50])
    graph = helper.make_graph(
        [*nodes, helper.make_node("Identity", ["x"], ["y"])], "g", [value],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 50])], list(weights),
    )  # fmt: skip
    return helper.make_model(graph)


def bytes_at(path: Path) -> set[bytes]:
    return {
        file.read_bytes()[offset : offset + size]
        for file, places in tensor_regions(path).items()
        for offset, size in places
    }


def test_weights_constants_and_those_of_bodies_are_found(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(THIRD))], "body", [],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, [40, 50])],
    )  # fmt: skip
    nodes = (
        helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(SECOND)),
        helper.make_node("If", ["condition"], ["z"], then_branch=body, else_branch=body),
    )
    listed = helper.make_tensor("listed", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])  # as numbers, not as bytes
    onnx.save(model_of(numpy_helper.from_array(FIRST, "w"), listed, nodes=nodes), tmp_path / "model.onnx")
    found = bytes_at(tmp_path / "model.onnx")
    assert {FIRST.tobytes(), SECOND.tobytes(), THIRD.tobytes()} <= found
    assert np.array([1, 2, 3], np.float32).tobytes() in found


def test_weights_beside_the_file_are_found(tmp_path: Path) -> None:
    model = model_of(numpy_helper.from_array(FIRST, "w"), numpy_helper.from_array(SECOND, "v"))
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="model.data")
    places = tensor_regions(tmp_path / "model.onnx")
    assert set(places) == {tmp_path / "model.onnx", tmp_path / "model.data"}
    assert bytes_at(tmp_path / "model.onnx") >= {FIRST.tobytes(), SECOND.tobytes()}


def test_weights_that_are_not_beside_the_file_are_refused(tmp_path: Path) -> None:
    model = model_of(numpy_helper.from_array(FIRST, "w"))
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="model.data")
    model = onnx.load(tmp_path / "model.onnx", load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "../model.data"
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="leaves the model's folder"):
        tensor_regions(tmp_path / "model.onnx")


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, 2000), place=st.integers(0, 2000), byte=st.integers(0, 255))
def test_a_damaged_file_is_refused_or_read_within_its_bounds(
    cut: int, place: int, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = bytearray(model_of(numpy_helper.from_array(FIRST[:4], "w")).SerializeToString())
    data[place % len(data)] = byte
    path = tmp_path_factory.mktemp("damaged") / "model.onnx"
    path.write_bytes(data[: max(1, len(data) - cut % len(data))])
    try:
        places = tensor_regions(path)
    except (ValueError, InputError):
        return
    assert all(at >= 0 and at + size <= path.stat().st_size for at, size in places[path])
