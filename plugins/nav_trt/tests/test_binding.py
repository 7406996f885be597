"""Names and element types of an engine against those of the signature."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import tensorrt_rtx as trt

from nav_trt.binding import inputs_by_name, numpy_name, outputs_by_position, require_same_types
from navcore import Artifact, Calling, ConversionError, Format, Signature, StepError, TensorSpec
from navcore.contract import dtype_named


def artifact(*names: str, calling: Calling = "named") -> Artifact:
    return Artifact(Format.ONNX, Signature(tuple(TensorSpec(name, "float32", (1,)) for name in names)), calling=calling)


@pytest.mark.parametrize("calling", ["named", "positional"])
def test_names_come_before_places(calling: Calling) -> None:
    assert inputs_by_name(["b", "a"], artifact("a", "b", calling=calling)) == {"b": "b", "a": "a"}


def test_an_input_that_the_graph_lost_is_not_fed() -> None:
    assert inputs_by_name(["a"], artifact("a", "unused", calling="positional")) == {"a": "a"}


def test_places_count_where_the_artifact_is_called_so() -> None:
    assert inputs_by_name(["x", "y"], artifact("a", "b", calling="positional")) == {"x": "a", "y": "b"}


@pytest.mark.parametrize(("names", "calling"), [(["x", "y"], "named"), (["x"], "positional")])
def test_an_input_that_nothing_feeds_is_an_error(names: list[str], calling: Calling) -> None:
    with pytest.raises(StepError, match="and its recorded inputs are a, b") as caught:
        inputs_by_name(names, artifact("a", "b", calling=calling))
    assert "input_names=" in caught.value.hint


@pytest.mark.parametrize(
    ("names", "known", "returned"),
    [
        (["y", "z"], ["out", "more"], ["out", "more"]),
        (["y", "out"], ["out", "more"], ["y", "out"]),
        (["y"], ["out", "more"], ["y"]),
        (["y"], [], ["y"]),
    ],
)
def test_outputs_take_the_known_names_unless_one_of_theirs_is_known(
    names: list[str], known: list[str], returned: list[str]
) -> None:
    assert outputs_by_position(names, known) == returned


@pytest.mark.parametrize("dtype", [trt.float32, trt.float16, trt.int8, trt.int32, trt.bool, trt.uint8, trt.int64])
def test_element_types_are_called_as_numpy_calls_them(dtype: Any) -> None:
    assert numpy_name(dtype) == dtype_named(trt.nptype(dtype).__name__.rstrip("_")).name


@pytest.mark.parametrize(("dtype", "name"), [(trt.bfloat16, "bfloat16"), (trt.fp8, "float8_e4m3fn")])
def test_types_that_numpy_lacks_are_those_of_ml_dtypes(dtype: Any, name: str) -> None:
    assert numpy_name(dtype) == dtype_named(name).name


def network(taken: Any, returned: Any) -> Any:
    x, y = SimpleNamespace(name="x", dtype=taken), SimpleNamespace(name="y", dtype=returned)
    return SimpleNamespace(num_inputs=1, num_outputs=1, get_input=[x].__getitem__, get_output=[y].__getitem__)


def signature(taken: str, returned: str, output: str = "y") -> Signature:
    return Signature((TensorSpec("x", taken, (1,)),), (TensorSpec(output, returned, (1,)),))


def test_the_same_types_pass() -> None:
    require_same_types(network(trt.int64, trt.float32), signature("int64", "float32"), {"x": "x"})


def test_outputs_that_are_not_known_yet_pass() -> None:
    require_same_types(network(trt.float32, trt.float32), Signature(signature("float32", "float32").inputs), {"x": "x"})


@pytest.mark.parametrize("output", ["y", "output__0"])
def test_another_type_is_an_error_that_names_both(output: str) -> None:
    with pytest.raises(ConversionError, match=f"Output '{output}' is float64, of which TensorRT makes float32"):
        require_same_types(network(trt.float32, trt.float32), signature("float32", "float64", output), {"x": "x"})
    with pytest.raises(ConversionError, match="Input 'x' is float64, of which TensorRT makes float32"):
        require_same_types(network(trt.float32, trt.float32), signature("float64", "float32"), {"x": "x"})
