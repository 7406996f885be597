"""The precision of a row is read from the layers that OpenVINO compiled, whatever was asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nav_openvino.precision import Computed, computed
from nav_openvino.runtime import refuse_emulated, refuse_other
from nav_openvino.silence import openvino
from navcore import Unavailable

ov = openvino()
from openvino import opset13 as op  # noqa: E402


def product() -> Any:
    """A matrix product of float32, shape ``(batch, 4)`` in and out."""
    x = op.parameter([-1, 4], np.float32, name="x")
    return ov.Model([op.matmul(x, op.constant(np.eye(4, dtype=np.float32)), False, False)], [x])


def quantised() -> Any:
    """The same with both factors rounded to 255 levels."""
    x = op.parameter([-1, 4], np.float32, name="x")
    low, high = op.constant(np.float32(-1.0)), op.constant(np.float32(1.0))
    weights = op.constant(np.eye(4, dtype=np.float32))
    rounded = [op.fake_quantize(one, low, high, low, high, 255) for one in (x, weights)]
    return ov.Model([op.matmul(*rounded, False, False)], [x])


def compiled(model: Any, hint: str) -> Any:
    return ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": hint})


def test_float32_is_read_from_the_layers() -> None:
    assert computed(compiled(product(), "f32")) == Computed("fp32", Counter(fp32=1), products=True)


def test_bfloat16_is_read_from_the_layers_also_where_it_is_emulated() -> None:
    """Told to, OpenVINO computes in bfloat16 on any processor with AVX-512, also on one without the instructions."""
    one = compiled(product(), "bf16")
    found = computed(one)
    if found.name == "fp32":
        pytest.skip("OpenVINO computes in float32 on this processor when it is asked for bfloat16")
    assert found == Computed("bf16", Counter(bf16=1), products=True)
    assert str(found) == "1 of 1 matrix products and convolutions are computed in bf16"


def test_a_quantised_graph_computes_in_8_bits_under_a_hint_of_float32() -> None:
    assert computed(compiled(quantised(), "f32")) == Computed("int8", Counter(int8=1), products=True)


def test_a_picture_of_bytes_is_not_taken_for_quantisation() -> None:
    x = op.parameter([-1, 4], np.uint8, name="x")
    pixels = op.convert(x, "f32")
    model = ov.Model([op.matmul(pixels, op.constant(np.eye(4, dtype=np.float32)), False, False)], [x])
    assert computed(compiled(model, "f32")) == Computed("fp32", Counter(fp32=1), products=True)


def test_weights_that_are_stored_in_float16_are_not_taken_for_computing_in_it(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    x = op.parameter([-1, 64], np.float32, name="x")
    model = ov.Model([op.matmul(x, op.constant(weights), False, False)], [x])
    ov.save_model(model, tmp_path / "model.xml", compress_to_fp16=True)
    one = compiled(ov.Core().read_model(tmp_path / "model.xml"), "f32")
    assert computed(one).name == "fp32"
    feeds = np.random.default_rng(1).standard_normal((8, 64)).astype(np.float32)
    np.testing.assert_allclose(
        one(feeds)[0], feeds @ weights.astype(np.float16).astype(np.float32), rtol=1e-5, atol=1e-5
    )


def test_what_computes_with_integers_only_has_no_precision() -> None:
    x = op.parameter([-1, 4], np.int32, name="x")
    assert computed(compiled(ov.Model([op.add(x, x)], [x]), "f32")).name == ""


def of(**layers: int) -> Computed:
    return Computed(next(iter(layers)), Counter(layers), products=True)


@pytest.mark.parametrize(
    ("asked", "hinted", "used", "promised"),
    [
        ("fp32", "fp32", of(fp32=3), None),
        ("fp32", "fp32", of(int8=3), "int8"),
        ("fp32", "fp32", of(int8=3), None),  # a graph that was quantised elsewhere: the row says so
        ("bf16", "bf16", of(bf16=2, fp32=1), None),
        ("fp16", "fp16", of(fp16=2), None),
    ],
)
def test_what_is_promised_is_let_through(asked: str, hinted: str, used: Computed, promised: str | None) -> None:
    refuse_other("openvino-cpu", asked, hinted, used, promised)


@pytest.mark.parametrize(
    ("asked", "hinted", "used", "promised", "says"),
    [
        ("fp16", "fp32", of(fp32=3), None, "a-runtime asks for fp16, and OpenVINO compiles for fp32"),
        ("fp32", "bf16", of(bf16=3), None, "a-runtime asks for fp32, and OpenVINO compiles for bf16"),
        ("bf16", "bf16", of(fp32=3), None, "no layer of the model is computed in it: 3 of 3 matrix products"),
        ("fp32", "fp32", of(fp32=3), "int8", "No layer of the quantised model is computed in 8 bits"),
        ("bf16", "bf16", Computed("", Counter(), products=False), None, "nothing is computed in a floating-point type"),
    ],
)
def test_what_is_not_as_promised_is_unavailable(
    asked: str, hinted: str, used: Computed, promised: str | None, says: str
) -> None:
    with pytest.raises(Unavailable, match=says):
        refuse_other("a-runtime", asked, hinted, used, promised)


def test_what_the_processor_would_emulate_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=r"lists no BF16 among what this processor can do \(FP32, INT8\)"):
        refuse_emulated("bf16", ["FP32", "INT8"])
    refuse_emulated("bf16", ["FP32", "BF16"])
