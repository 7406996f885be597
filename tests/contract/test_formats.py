"""Formats are open values that are found by name, by family and by trait."""

from __future__ import annotations

import pytest

from navcore.contract.formats import Format, JitType, Live, RuntimeProvider, TensorRTPrecision, matching, the_one
from navcore.errors import InputError, UnknownFormat

SCRIPT = Format("torchscript-script", family="torchscript", jit_type=JitType.SCRIPT)
TRACE = Format("torchscript-trace", family="torchscript", jit_type=JitType.TRACE)
FP32 = Format("trt-fp32", family="trt", precision="fp32")
FP16 = Format("trt-fp16", family="trt", precision="fp16")
OPENVINO = Format("openvino", filename="model.xml")
KNOWN = (Format.ONNX, SCRIPT, TRACE, FP32, FP16, OPENVINO)


def test_the_words_of_the_reference_page() -> None:
    assert str(Format.ONNX) == "onnx"
    assert str(Format.TENSORRT) == "trt"
    assert Format.TENSORRT.filename == "model.plan"
    assert str(JitType.TRACE) == "trace"
    assert TensorRTPrecision("fp16") is TensorRTPrecision.FP16
    assert str(RuntimeProvider.CPU) == "CPUExecutionProvider"


@pytest.mark.parametrize("name", ["", "Onnx", "a/b", "..", "../onnx", "-x", "a b", "x" * 64, "onnx\n"])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot name a format"):
        Format(name)


def test_a_format_is_its_name() -> None:
    assert Format("openvino", summary="another text") == OPENVINO
    assert len({OPENVINO, Format("openvino")}) == 1
    assert OPENVINO.family == "openvino"
    assert repr(OPENVINO) == "<Format openvino>"


def test_a_format_is_found_by_its_name() -> None:
    assert {Format.ONNX: True}["onnx"]  # type: ignore[index]
    assert Format.ONNX == "onnx"
    assert "onnx" in (Format.TORCHSCRIPT, Format.ONNX)
    assert Format.ONNX != "torchscript"
    assert Format.ONNX != 5


def test_the_formats_of_the_reference_page_can_be_gone_through() -> None:
    assert [one.value for one in Format] == ["onnx", "torchscript", "torch-trt", "trt", "tf-savedmodel", "tf-trt"]


def test_the_description_tells_two_plugins_apart_that_share_a_name() -> None:
    assert Format("openvino", filename="other.xml").description() != OPENVINO.description()
    assert Format("openvino", filename="model.xml", summary="words").description() == OPENVINO.description()


@pytest.mark.parametrize(
    ("wanted", "jit_type", "precision", "found"),
    [
        ("onnx", None, None, (Format.ONNX,)),
        (Format.TORCHSCRIPT, None, None, (SCRIPT, TRACE)),
        (Format.TORCHSCRIPT, JitType.TRACE, None, (TRACE,)),
        (Format.TORCHSCRIPT, "script", None, (SCRIPT,)),
        ("torchscript-trace", None, None, (TRACE,)),
        ("trt", None, TensorRTPrecision.FP16, (FP16,)),
        ("trt", None, "fp32", (FP32,)),
        ("openvino", None, None, (OPENVINO,)),
        ("torchscript-trace", "script", None, ()),
        ("nothing", None, None, ()),
    ],
)
def test_the_exact_name_comes_first_and_then_the_family(
    wanted: Format | str, jit_type: str | None, precision: str | None, found: tuple[Format, ...]
) -> None:
    assert matching(wanted, KNOWN, jit_type=jit_type, precision=precision) == found


def test_a_lookup_for_one_names_the_candidates() -> None:
    assert the_one(Format.TORCHSCRIPT, KNOWN, jit_type="trace") is TRACE
    with pytest.raises(UnknownFormat, match="fits several variants: torchscript-script, torchscript-trace"):
        the_one(Format.TORCHSCRIPT, KNOWN)
    with pytest.raises(UnknownFormat, match="Known: onnx, torchscript-script"):
        the_one("tflite", KNOWN)


def test_a_misspelt_trait_is_an_unknown_format() -> None:
    with pytest.raises(UnknownFormat, match="'torchscript traced'"):
        the_one("torchscript", KNOWN, jit_type="traced")


class Module:
    """Stands for a framework's model class."""


class Net(Module):
    """A user's model."""


def test_a_live_model_is_recognised_by_the_names_of_its_classes() -> None:
    live = Live(
        types=(f"{Module.__module__}.Module",),
        to_array=lambda value: None,
        from_array=lambda array, device: array,
        state=lambda model: (),
    )
    assert live.recognises(Net())
    assert not live.recognises(3)
