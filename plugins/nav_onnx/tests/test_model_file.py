"""Reading and copying ONNX files, those of strangers included."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import nav_onnx
from nav_onnx.external_data import tensors_and_nodes
from nav_onnx.model_file import GraphTensor, refuse_dangerous
from navcore import Format, InputError

from .onnx_models import external, graph_model, identity, two_by_two

Stored = Callable[[onnx.ModelProto], Path]
WEIGHTS = np.array([1, 2, 3], np.float32)


@pytest.fixture
def split(stored: Stored) -> Path:
    """A sound model with its weights 8 bytes into ``data/w.bin``."""
    path = stored(external("data/w.bin", offset="8", length="12"))
    (path.parent / "data").mkdir()
    (path.parent / "data" / "w.bin").write_bytes(b"\0" * 8 + WEIGHTS.tobytes())
    return path


def test_the_format_is_the_cores_own_with_a_loader() -> None:
    assert nav_onnx.ONNX == Format.ONNX
    assert nav_onnx.ONNX.description() == Format.ONNX.description()
    assert nav_onnx.ONNX.load is nav_onnx.load_model


def test_a_graph_is_read_as_the_file_declares_it(stored: Stored) -> None:
    model = graph_model(
        [],
        [("ids", TensorProto.INT64, ["batch", 4]), ("half", TensorProto.BFLOAT16, []), ("w", TensorProto.FLOAT, [3])],
        [("y", TensorProto.DOUBLE, ["batch", "length"])],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    model.graph.input.append(helper.make_tensor_value_info("free", TensorProto.STRING, None))
    model.graph.output.append(helper.make_tensor_sequence_value_info("pieces", TensorProto.FLOAT, None))
    model.graph.input[0].type.tensor_type.shape.dim[0].Clear()

    graph = nav_onnx.read_graph(stored(model))

    assert graph.inputs == (
        GraphTensor("ids", "int64", (None, 4)),
        GraphTensor("half", "bfloat16", ()),
        GraphTensor("free", "object", None),
    )
    assert graph.outputs == (GraphTensor("y", "float64", ("batch", "length")), GraphTensor("pieces", "sequence", None))
    assert (graph.opset, graph.ir_version, graph.external) == (18, 10, ())


def test_the_types_of_a_file_are_those_that_it_holds_and_those_that_it_casts_to(stored: Stored) -> None:
    model = graph_model(
        [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.DOUBLE)],
        [("x", TensorProto.FLOAT16, [3])],
        [("y", TensorProto.DOUBLE, [3])],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    assert nav_onnx.element_types(stored(model)) == {"float32", "float64"}
    model.graph.node[0].attribute[0].i = 12345  # which is no type
    assert nav_onnx.element_types(stored(model)) == {"float32"}


def test_external_weights_are_read_into_the_model(split: Path) -> None:
    assert nav_onnx.read_graph(split).external == ("data/w.bin",)

    model = nav_onnx.load_model(split)

    (weight,) = model.graph.initializer
    np.testing.assert_array_equal(numpy_helper.to_array(weight), WEIGHTS)
    assert weight.data_location == TensorProto.DEFAULT
    onnx.checker.check_model(model)


def test_what_onnx_itself_splits_is_read_back_equal(tmp_path: Path) -> None:
    model = graph_model(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        [("x", TensorProto.FLOAT, [1024])],
        [("y", TensorProto.FLOAT, [1024])],
        [numpy_helper.from_array(np.arange(1024, dtype=np.float32), "w")],
    )
    whole = model.SerializeToString(deterministic=True)
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="model.onnx.data")

    assert nav_onnx.load_model(tmp_path / "model.onnx").SerializeToString(deterministic=True) == whole


def test_a_copy_is_byte_for_byte_and_keeps_the_places(split: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "folder" / "model.onnx"

    nav_onnx.copy_model(split, output)

    assert output.read_bytes() == split.read_bytes()
    assert (output.parent / "data" / "w.bin").read_bytes() == (split.parent / "data" / "w.bin").read_bytes()
    assert nav_onnx.model_files(output) == (output, output.parent / "data" / "w.bin")
    np.testing.assert_array_equal(numpy_helper.to_array(nav_onnx.load_model(output).graph.initializer[0]), WEIGHTS)


def test_a_copy_follows_a_link_to_the_model_but_writes_a_file(split: Path, tmp_path: Path) -> None:
    link = split.parent / "link.onnx"
    link.symlink_to("model.onnx")

    nav_onnx.copy_model(link, tmp_path / "copy" / "model.onnx")

    assert not (tmp_path / "copy" / "model.onnx").is_symlink()


def test_a_copy_never_overwrites(split: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "model.onnx").write_text("precious")
    with pytest.raises(FileExistsError):
        nav_onnx.copy_model(split, tmp_path / "copy" / "model.onnx")
    assert (tmp_path / "copy" / "model.onnx").read_text() == "precious"


def test_weights_that_would_land_on_the_model_are_refused(stored: Stored, tmp_path: Path) -> None:
    path = stored(external("model.plan"))
    (path.parent / "model.plan").write_bytes(WEIGHTS.tobytes())
    with pytest.raises(InputError, match=r"keeps weights in 'model\.plan', the name that the model itself gets"):
        nav_onnx.copy_model(path, tmp_path / "copy" / "model.plan")


HOSTILE = {
    "parent": ({"location": "../secret.bin"}, "leaves the model's folder"),
    "hidden parent": ({"location": "data/../../secret.bin"}, "leaves the model's folder"),
    "absolute": ({"location": "/etc/hostname"}, "leaves the model's folder"),
    "empty": ({"location": ""}, "is not a file name"),
    "folder itself": ({"location": "."}, "is not a file name"),
    "backslash": ({"location": "data\\w.bin"}, "is not a file name"),
    "zero byte": ({"location": "w.bin\0.txt"}, "is not a file name"),
    "address": ({"location": "*/_ORT_MEM_ADDR_/*"}, "is not a file name"),
    "absent": ({"location": "nowhere.bin"}, "which is not beside it"),
    "absent folder": ({"location": "nowhere/w.bin"}, "which is not beside it"),
    "link": ({"location": "link.bin"}, "symbolic link"),
    "link to a sound file": ({"location": "inner.bin"}, "symbolic link"),
    "linked folder": ({"location": "out/secret.bin"}, "symbolic link"),
    "folder": ({"location": "data"}, "no regular file"),
    "pipe": ({"location": "pipe"}, "no regular file"),
    "file as folder": ({"location": "w.bin/x"}, "no regular file"),
    "offset past the end": ({"location": "w.bin", "offset": "13"}, "end at byte 13 of 'w.bin', which has 12 bytes"),
    "length past the end": ({"location": "w.bin", "offset": "4", "length": "12"}, "end at byte 16"),
    "negative": ({"location": "w.bin", "offset": "-4"}, "'-4', not a byte count"),
    "no number": ({"location": "w.bin", "length": "1e3"}, "'1e3', not a byte count"),
    "foreign digits": ({"location": "w.bin", "length": "١٢"}, "not a byte count"),
    "endless number": ({"location": "w.bin", "length": "9" * 5000}, "not a byte count"),
}


@pytest.fixture
def hostile_folder(tmp_path: Path) -> Path:
    """Where a stranger's model is unpacked, with a file above it that is none of the model's business."""
    folder = tmp_path / "source"
    (folder / "data").mkdir(parents=True)
    (tmp_path / "secret.bin").write_bytes(b"secret data!")
    WEIGHTS.tofile(folder / "w.bin")
    (folder / "link.bin").symlink_to("../secret.bin")
    (folder / "inner.bin").symlink_to("w.bin")
    (folder / "out").symlink_to("..")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_references_are_refused_by_everything_that_reads(
    case: str, hostile_folder: Path, tmp_path: Path
) -> None:
    entries, reason = HOSTILE[case]
    entries = dict(entries)
    path = hostile_folder / "model.onnx"
    path.write_bytes(external(entries.pop("location"), **entries).SerializeToString())

    for reads in (nav_onnx.read_graph, nav_onnx.load_model, nav_onnx.model_files, refuse_dangerous):
        with pytest.raises(InputError, match=reason):
            reads(path)
    with pytest.raises(InputError, match=reason):
        nav_onnx.copy_model(path, tmp_path / "copy" / "model.onnx")
    assert not (tmp_path / "copy").exists()


def test_a_key_that_is_given_twice_is_refused(stored: Stored) -> None:
    model = external("w.bin")
    model.graph.initializer[0].external_data.add(key="location", value="../secret.bin")
    path = stored(model)
    WEIGHTS.tofile(path.parent / "w.bin")
    with pytest.raises(InputError, match="names its external location twice"):
        nav_onnx.read_graph(path)


def _everywhere() -> dict[str, onnx.ModelProto]:
    """A model per place in which a tensor can hide."""
    (hidden,) = external("../secret.bin").graph.initializer
    constant = helper.make_node("Constant", [], ["w"])
    constant.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(hidden)
    inner = helper.make_graph([constant], "inner", [], [helper.make_tensor_value_info("w", TensorProto.FLOAT, [3])])
    branch = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    sparse = onnx.SparseTensorProto(values=hidden, dims=[3])
    listed = helper.make_node("Custom", [], ["w"], domain="elsewhere")
    listed.attribute.add(name="many", type=onnx.AttributeProto.TENSORS).tensors.append(hidden)
    function = helper.make_function("own", "F", [], ["w"], [constant], [helper.make_opsetid("", 18)])

    models = {name: identity(TensorProto.FLOAT) for name in ("sparse", "training", "function", "default")}
    models["sparse"].graph.sparse_initializer.append(sparse)
    models["training"].training_info.add().algorithm.initializer.append(hidden)
    models["function"].functions.append(function)
    models["default"].functions.add(name="G", domain="own").attribute_proto.append(constant.attribute[0])
    for name, node in {"attribute": constant, "subgraph": branch, "list": listed}.items():
        models[name] = identity(TensorProto.FLOAT)
        models[name].graph.node.append(node)
    return models


@pytest.mark.parametrize(("place", "model"), _everywhere().items(), ids=_everywhere())
def test_a_tensor_is_found_wherever_it_hides(place: str, model: onnx.ModelProto, stored: Stored) -> None:
    with pytest.raises(InputError, match="leaves the model's folder"):
        refuse_dangerous(stored(model))


def test_every_node_is_visited_once() -> None:
    deep = identity(TensorProto.FLOAT)
    for _ in range(20):
        outer = two_by_two()
        outer.graph.node.append(helper.make_node("Nest", [], [], domain="own", body=deep.graph))
        deep = outer
    assert len(tensors_and_nodes(deep)[1]) == 20 * 3 + 1


def test_compiled_code_in_a_file_is_refused_unread(stored: Stored) -> None:
    model = identity(TensorProto.FLOAT)
    model.graph.node.append(helper.make_node("EPContext", ["x"], ["z"], name="engine", domain="com.microsoft"))
    with pytest.raises(InputError, match="'engine' \\(EPContext\\) holds code compiled for one device"):
        refuse_dangerous(stored(model))


def test_the_words_that_can_do_harm_are_found_across_chunks(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored(external("../secret.bin"))
    for size in range(1, 24):
        monkeypatch.setattr("nav_onnx.model_file._WINDOW", size)
        with pytest.raises(InputError, match="leaves the model's folder"):
            refuse_dangerous(path)


@pytest.mark.parametrize("content", [b"", b"this is no model", b"\x08\x0a", b"\x3a\xff\xff\xff\xff\x0f"])
def test_what_is_not_onnx_says_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.onnx: This is not an ONNX model, or the file is damaged\."):
        nav_onnx.read_graph(path)


def test_an_absent_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        nav_onnx.read_graph(tmp_path / "model.onnx")
