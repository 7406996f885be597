"""The formats: engines of the two flavours are never taken for each other."""

from __future__ import annotations

import pytest

from nav_trt import RTX_FORMATS, TORCH_TRT_FORMATS, TRT_FORMATS
from nav_trt.formats import PRECISIONS
from navcore import Format, TensorRTPrecision, load_registry
from navcore.contract.formats import matching

ALL = (*TRT_FORMATS, *RTX_FORMATS, *TORCH_TRT_FORMATS)


def test_there_is_an_engine_of_each_flavour_for_each_precision() -> None:
    assert [one.name for one in TRT_FORMATS] == [f"trt-{precision}" for precision in PRECISIONS]
    assert [one.name for one in RTX_FORMATS] == [f"trt-rtx-{precision}" for precision in PRECISIONS]
    assert set(TensorRTPrecision) <= set(PRECISIONS)


def test_who_asks_for_tensorrt_never_gets_rtx() -> None:
    assert set(matching(Format.TENSORRT, ALL)) == set(TRT_FORMATS)
    assert set(matching("trt-rtx", ALL)) == set(RTX_FORMATS)


@pytest.mark.parametrize("one", ALL, ids=str)
def test_loading_an_engine_needs_trust(one: Format) -> None:
    assert not one.data_only
    assert one.precision in PRECISIONS


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_by_default_fp32_and_fp16_are_made(precision: str) -> None:
    routes = [route for route in load_registry().routes if route.owner == "trt" and route.hook == "convert"]
    usual = {route.goal.name for route in routes if route.default}
    assert {f"trt-{precision}", f"trt-rtx-{precision}"} <= usual
    assert not usual & {"trt-int8", "trt-tf32", "trt-bf16", "trt-fp8", "trt-rtx-int8", "trt-rtx-tf32"}
