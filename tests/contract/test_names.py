"""Names are values that cannot be anything else."""

from __future__ import annotations

import pickle
from pathlib import PurePosixPath

import pytest
from hypothesis import given, strategies as st

from navcore.contract.formats import Format
from navcore.contract.names import InnerPath, Name, TensorName
from navcore.contract.signature import Axis, TensorSpec
from navcore.errors import InputError


@pytest.mark.parametrize("text", ["onnx", "TensorrtExecutionProvider", "cuda:0", "model.savedmodel", "größe", "a b"])
def test_a_name_is_the_text_that_it_is(text: str) -> None:
    name = Name(text)
    assert name == text
    assert Name(name) is name
    assert pickle.loads(pickle.dumps(name)) == name
    assert {name: 1}[text] == 1


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", ".hidden", "a/b", "/a", "a\\b", "a\0b", "a\nb", "\x1b[31m", "a\u202eb", " a", "a ",
     "x" * 129, "é" * 65],
)  # fmt: skip
def test_what_could_be_more_than_a_name_is_none(text: str) -> None:
    with pytest.raises(InputError, match="cannot be a name") as caught:
        Name(text)
    assert str(caught.value).isascii()


@pytest.mark.parametrize("value", [None, 7, b"onnx", ["onnx"], PurePosixPath("onnx")])
def test_what_is_no_text_is_no_name(value: object) -> None:
    with pytest.raises(InputError, match="it is not text"):
        Name(value)


@given(st.text())
def test_any_name_stays_inside_any_folder(text: str) -> None:
    try:
        name = Name(text)
    except InputError:
        return
    path = PurePosixPath("/folder") / name
    assert path.parent == PurePosixPath("/folder")
    assert path.name == name
    assert name.isprintable()


@given(st.text("ab./\\", max_size=8))
def test_an_inner_path_has_names_as_parts(text: str) -> None:
    try:
        place = InnerPath(text)
    except InputError:
        return
    assert [Name(part) for part in PurePosixPath(place).parts] == place.split("/")


@pytest.mark.parametrize("text", ["x", "/encoder/Gemm_output_0", "serving_default_x:0", "a/b", "past.0.key", "名"])
def test_frameworks_may_call_their_tensors_so(text: str) -> None:
    assert TensorName(text) == text
    assert TensorSpec(text, "float32", ("batch",)).name == text


@pytest.mark.parametrize("text", ["", "..", "../x", "a/../b", ".", "a\\..\\b", "a\nb", "\x1b", "x" * 513])
def test_a_tensor_cannot_be_called_so(text: str) -> None:
    with pytest.raises(InputError, match="cannot be the name of a tensor"):
        TensorSpec(text, "float32", (1,))
    with pytest.raises(InputError, match="cannot be the name of a tensor"):
        Axis(text, 1, 2, 3)


@pytest.mark.parametrize("dtype", ["f8,(1000,1000)f8", "O", "<f4", "", "float32\n", "x" * 40])
def test_a_dtype_is_a_plain_name(dtype: str) -> None:
    with pytest.raises(InputError, match="not the name of a dtype"):
        TensorSpec("x", dtype, (1,))


@pytest.mark.parametrize("size", [-1, 1.5, True, None, 1 << 64])
def test_the_size_of_an_axis_is_a_bounded_number(size: object) -> None:
    with pytest.raises(InputError, match="not the size of an axis"):
        TensorSpec("x", "float32", (size,))  # type: ignore[arg-type]


def test_what_a_format_is_called_are_names() -> None:
    format = Format("onnx", filename="model.onnx", precision="fp16")
    assert all(isinstance(text, Name) for text in (format.name, format.family, format.filename, format.precision))
    for field in ("family", "filename", "precision"):
        with pytest.raises(InputError):
            Format("onnx", **{field: "../x"})
