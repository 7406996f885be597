"""Engines that TensorRT-RTX really builds here, without a device; none is ever loaded in this process."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorrt_rtx as trt

from nav_onnx.casting import write_cast
from nav_trt import building
from nav_trt.building import build, make_logger
from nav_trt.flavours import RTX, TENSORRT
from navcore import Axis, ConversionError, InputError, OptionError, StepError, TensorSpec, Unavailable

from .conftest import Job
from .engine_graphs import (
    BOOL,
    DOUBLE,
    FLOAT,
    FP8,
    HALF,
    INT8,
    INT64,
    ROWS,
    graph,
    node,
    pictures,
    product,
    quantised,
    weight,
)

IMAGE_AXES = (Axis("batch", 1, 2, 4), Axis("height", 8, 9, 12), Axis("width", 8, 8, 10))


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The real configurations that the real builder gets to build by."""
    given: list[Any] = []

    real = trt.Builder.build_serialized_network

    def spy(builder: Any, network: Any, config: Any) -> Any:
        given.append(config)
        return real(builder, network, config)

    monkeypatch.setattr(trt.Builder, "build_serialized_network", spy)
    return given


def test_a_float32_engine_is_built_and_says_what_it_is(job: Job) -> None:
    asked = job(product())
    made = build(asked, RTX, "fp32")

    assert asked.output.stat().st_size > 1000
    assert made.facts == {
        "flavour": "tensorrt-rtx",
        "version": trt.__version__,
        "profile": "x 1x4..2x4..8x4",
        "layers": "1 fp32",
        "tf32": "off",
    }
    assert made.calling == "named"
    assert made.notes == ()


@pytest.mark.parametrize(("precision", "switched_on"), [("fp32", False), ("tf32", True)])
def test_tf32_is_a_flag_that_is_always_stated(
    precision: str, switched_on: bool, job: Job, configured: list[Any]
) -> None:
    made = build(job(product(), precision), RTX, precision)

    (config,) = configured
    assert config.get_flag(trt.BuilderFlag.TF32) is switched_on
    assert made.facts["tf32"] == ("on" if switched_on else "off")
    assert made.facts["layers"] == "1 fp32"


@pytest.mark.parametrize(("low", "precision"), [("float16", "fp16"), ("bfloat16", "bf16")])
def test_a_cast_graph_becomes_an_engine_of_its_type(low: Any, precision: str, job: Job, tmp_path: Path) -> None:
    source, cast = tmp_path / "source.onnx", tmp_path / "cast.onnx"
    source.write_bytes(pictures().SerializeToString())
    write_cast(source, cast, low)

    made = build(job(cast, precision, axes=IMAGE_AXES), RTX, precision)

    assert made.facts["layers"] == f"3 {precision}"


def test_every_moving_axis_gets_its_range(job: Job) -> None:
    made = build(job(pictures(), axes=IMAGE_AXES), RTX, "fp32")
    assert made.facts["profile"] == "image 1x3x8x8..2x3x9x8..4x3x12x10"


def test_fixed_shapes_need_no_profile(job: Job) -> None:
    model = graph([node("Relu", "x", "y")], inputs=[("x", FLOAT, [2, 4])], outputs=[("y", FLOAT, [2, 4])])
    assert "profile" not in build(job(model, axes=()), RTX, "fp32").facts


def test_the_workspace_limit_reaches_the_builder(job: Job, configured: list[Any]) -> None:
    build(job(product(), max_workspace_size=1 << 30), RTX, "fp32")

    (config,) = configured
    assert config.get_memory_pool_limit(trt.MemoryPoolType.WORKSPACE) == 1 << 30


def test_without_a_limit_the_builder_keeps_its_own(job: Job, configured: list[Any]) -> None:
    build(job(product()), RTX, "fp32")

    (config,) = configured
    untouched = trt.Builder(make_logger(trt)).create_builder_config()
    workspace = trt.MemoryPoolType.WORKSPACE
    assert config.get_memory_pool_limit(workspace) == untouched.get_memory_pool_limit(workspace)


def test_the_optimization_level_reaches_the_builder(job: Job, configured: list[Any]) -> None:
    build(job(product(), optimization_level=1), RTX, "fp32")

    (config,) = configured
    assert config.builder_optimization_level == 1


def test_a_limit_that_is_too_small_is_named_as_what_to_change(job: Job) -> None:
    with pytest.raises(ConversionError, match=r"could not build the engine: .*workspace limit") as caught:
        build(job(product(), max_workspace_size=1 << 20), RTX, "fp32")
    assert caught.value.hint == "max_workspace_size is 1048576 bytes: give more, or no limit."


def test_a_builder_that_gives_up_is_quoted_with_its_last_error(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "add_profile", lambda *_: None)  # dynamic inputs without a profile

    with pytest.raises(ConversionError) as caught:
        build(job(product()), RTX, "fp32")

    assert caught.value.what.startswith(f"TensorRT-RTX {trt.__version__} could not build the engine: ")
    assert "optimization profile" in caught.value.what
    assert caught.value.hint == "The step's log has the builder's own words."
    assert not job(product()).output.exists()


@pytest.mark.parametrize(("code", "precision"), [(INT8, "int8"), (FP8, "fp8")])
def test_a_quantized_graph_becomes_an_8_bit_engine(code: int, precision: str, job: Job) -> None:
    made = build(job(quantised(code), precision), RTX, precision)
    assert made.facts["layers"] == f"1 fp32, 3 {precision}"


@pytest.mark.parametrize("precision", ["int8", "fp8"])
def test_a_plain_graph_is_unavailable_in_8_bits(precision: str, job: Job) -> None:
    with pytest.raises(Unavailable, match=f"^{precision} needs a quantized ONNX, and this graph has no Quantize"):
        build(job(product(), precision), RTX, precision)


def test_a_graph_quantized_to_the_other_type_does_not_do(job: Job) -> None:
    with pytest.raises(Unavailable, match="fp8 needs a quantized ONNX"):
        build(job(quantised(INT8), "fp8"), RTX, "fp8")


@pytest.mark.parametrize(
    ("model", "precision", "told"),
    [
        (product(HALF), "fp32", "Asked for fp32, and none of the graph's layers computes in it: 1 in fp16."),
        (product(HALF), "tf32", "Asked for tf32, and none of the graph's layers computes in it: 1 in fp16."),
        (product(FLOAT), "fp16", "Asked for fp16, and none of the graph's layers computes in it: 1 in fp32."),
        (product(HALF), "bf16", "Asked for bf16, and none of the graph's layers computes in it: 1 in fp16."),
        (quantised(INT8), "fp32", "Asked for fp32, and the graph itself computes in less: 1 in fp32, 3 in int8."),
    ],
)
def test_an_engine_is_never_built_quietly_in_another_type(
    model: onnx.ModelProto, precision: str, told: str, job: Job
) -> None:
    asked = job(model, precision)
    with pytest.raises(ConversionError) as caught:
        build(asked, RTX, precision)

    assert caught.value.what == told
    assert "precision that it has" in caught.value.hint
    assert not asked.output.exists()


def test_a_float16_graph_becomes_a_float16_engine_as_it_is(job: Job) -> None:
    assert build(job(product(HALF), "fp16"), RTX, "fp16").facts["layers"] == "1 fp16"


def test_float64_inputs_are_refused_instead_of_made_float32(job: Job) -> None:
    with pytest.raises(ConversionError, match=r"Input 'x' is float64, of which TensorRT makes float32\."):
        build(job(product(DOUBLE)), RTX, "fp32")


def test_float64_inside_is_computed_in_float32_and_a_note_says_so(job: Job) -> None:
    model = graph(
        [
            node("Cast", "x", "wide", to=DOUBLE),
            node("MatMul", "wide w", "result"),
            node("Cast", "result", "y", to=FLOAT),
        ],
        weight("w", np.eye(4), DOUBLE),
    )
    made = build(job(model), RTX, "fp32")
    assert made.notes == ("TensorRT has no float64: what the graph computes in it is computed in float32.",)


def test_weights_beside_the_file_are_found(job: Job, tmp_path: Path) -> None:
    model = graph([node("MatMul", "x w", "y")], weight("w", np.eye(4) * 3))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    onnx.save_model(model, folder / "big.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    asked = job(folder / "big.onnx")

    assert build(asked, RTX, "fp32").facts["layers"] == "1 fp32"
    assert asked.output.exists()


@pytest.mark.parametrize("content", [b"", b"this is not a model"], ids=["empty", "text"])
def test_a_file_that_is_no_model_is_refused_though_the_parser_takes_it(
    content: bytes, job: Job, tmp_path: Path
) -> None:
    asked = job(product())
    asked.source.file.write_bytes(content)

    with pytest.raises(InputError, match="This is not an ONNX model, or the file is damaged"):
        build(asked, RTX, "fp32")
    assert not asked.output.exists()


def test_an_input_that_the_export_dropped_is_no_obstacle(job: Job) -> None:
    inputs = [TensorSpec("mask", "bool", ("n", 4)), TensorSpec("x", "float32", ("n", 4))]
    assert build(job(product(), inputs=inputs), RTX, "fp32").facts["profile"] == "x 1x4..2x4..8x4"


def test_positional_names_are_matched_by_their_place(job: Job) -> None:
    inputs = [TensorSpec("input__0", "float32", ("n", 4))]
    made = build(job(product(), inputs=inputs, calling="positional"), RTX, "fp32")

    assert made.calling == "positional"
    assert made.facts["profile"] == "x 1x4..2x4..8x4"


def test_names_that_match_nothing_are_refused(job: Job) -> None:
    with pytest.raises(StepError, match="The model takes x, and its recorded inputs are input__0"):
        build(job(product(), inputs=[TensorSpec("input__0", "float32", ("n", 4))]), RTX, "fp32")


def test_integers_booleans_and_recurrences_are_built(job: Job) -> None:
    random = np.random.default_rng(0)
    model = graph(
        [
            node("Gather", "table ids", "embedded"),
            node("Where", "mask embedded zero", "kept"),
            node("Transpose", "kept", "steps", perm=[1, 0, 2]),
            node("LSTM", "steps w r", "hidden", hidden_size=3),
            node("ReduceMean", "hidden axes", "y", keepdims=0),
        ],
        weight("table", random.normal(size=(10, 4))),
        weight("zero", 0.0),
        weight("w", random.normal(size=(1, 12, 4))),
        weight("r", random.normal(size=(1, 12, 3))),
        weight("axes", [0, 1], INT64),
        inputs=[("ids", INT64, ["n", 5]), ("mask", BOOL, ["n", 5, 1])],
        outputs=[("y", FLOAT, ["n", 3])],
    )
    made = build(job(model), RTX, "fp32")
    assert made.facts["profile"] == "ids 1x5..2x5..8x5, mask 1x5x1..2x5x1..8x5x1"


def test_a_shape_that_comes_in_as_an_input_is_refused(job: Job) -> None:
    model = graph(
        [node("Reshape", "x shape", "y")],
        inputs=[*ROWS, ("shape", INT64, [2])],
        outputs=[("y", FLOAT, ["a", "b"])],
    )
    with pytest.raises(ConversionError, match="The values of input 'shape' decide about shapes"):
        build(job(model), RTX, "fp32")


def test_ordinary_tensorrt_selects_its_device_before_anything_else(job: Job) -> None:
    asked = job(product())
    with pytest.raises(OptionError, match="TensorRT runs on a CUDA device, not on 'cpu'"):
        build(type(asked)(**{**_fields(asked), "device": "cpu"}), TENSORRT, "fp32")


def _fields(asked: Any) -> dict[str, Any]:
    return {field.name: getattr(asked, field.name) for field in type(asked).__attrs_attrs__}


def test_the_logger_passes_messages_on_and_keeps_errors_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    logger = make_logger(trt)
    assert logger.last_error() == ""
    with caplog.at_level("DEBUG", logger="nav_trt"):
        logger.log(trt.ILogger.Severity.ERROR, "first")
        logger.log(trt.ILogger.Severity.INTERNAL_ERROR, "second,\n  in two lines")
        logger.log(trt.ILogger.Severity.WARNING, "careful")
        logger.log(trt.ILogger.Severity.VERBOSE, "chatter")

    assert logger.last_error() == "second, in two lines"
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR", "WARNING", "DEBUG"]


def test_an_attention_operator_is_built_where_no_fused_kernel_fits(job: Job) -> None:
    shape: list[int | str | None] = ["n", 2, 6, 4]
    model = graph(
        [node("Attention", "q k v", "y")],
        inputs=[(name, FLOAT, shape) for name in "qkv"],
        outputs=[("y", FLOAT, shape)],
        opset=23,
    )
    assert "fp32" in build(job(model), RTX, "fp32").facts["layers"]


def test_no_garbage_is_collected_while_the_library_may_hold_its_lock(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[bool] = []
    monkeypatch.setattr(building, "add_profile", lambda *_: states.append(gc.isenabled()))
    gc.enable()
    with pytest.raises(ConversionError):
        build(job(product()), RTX, "fp32")

    assert states == [False]
    assert gc.isenabled()
