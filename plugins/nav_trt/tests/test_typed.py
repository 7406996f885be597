"""The types that a network computes in, read from its layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import tensorrt_rtx as trt
from hypothesis import given, strategies as st

from nav_trt.building import make_logger
from nav_trt.parsing import parse
from nav_trt.typed import computing_types, narrowed, require_quantised, require_type
from navcore import ConversionError, Unavailable

from .engine_graphs import BF16, DOUBLE, FLOAT, FP8, HALF, INT8, INT64, graph, node, product, quantised, weight

Network = Callable[[onnx.ModelProto], Any]


@pytest.fixture
def network(tmp_path: Path) -> Network:
    kept: list[Any] = []

    def parsed(model: onnx.ModelProto) -> Any:
        file = tmp_path / "model.onnx"
        file.write_bytes(model.SerializeToString())
        logger = make_logger(trt)
        builder = trt.Builder(logger)
        made = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        kept.extend([builder, logger])
        parse(trt, made, logger, file)
        return made

    return parsed


@pytest.mark.parametrize(
    ("model", "counts"),
    [
        (product(FLOAT), {"fp32": 1}),
        (product(HALF), {"fp16": 1}),
        (product(BF16), {"bf16": 1}),
        (quantised(INT8), {"fp32": 1, "int8": 3}),
        (quantised(FP8), {"fp32": 1, "fp8": 3}),
        (graph([node("Identity", "x", "y")]), {}),
        (graph([node("Add", "x x", "y")], inputs=[("x", INT64, ["n", 4])], outputs=[("y", INT64, ["n", 4])]), {}),
    ],
    ids=["fp32", "fp16", "bf16", "int8", "fp8", "moves only", "integers only"],
)
def test_layers_are_counted_by_the_type_they_compute_in(
    model: onnx.ModelProto, counts: dict[str, int], network: Network
) -> None:
    assert computing_types(trt, network(model)) == counts


def test_a_library_without_dynamic_quantisation_is_read_too(network: Network) -> None:
    names = ("CONSTANT", "CAST", "SHUFFLE", "IDENTITY", "CONCATENATION", "SLICE", "GATHER", "SHAPE", "SELECT",
             "QUANTIZE", "DEQUANTIZE")  # fmt: skip
    older: Any = SimpleNamespace(LayerType=SimpleNamespace(**{name: getattr(trt.LayerType, name) for name in names}))
    assert computing_types(older, network(quantised(INT8))) == {"fp32": 1, "int8": 3}


KINDS = ("fp32", "fp16", "bf16", "int8", "fp8")


@given(st.dictionaries(st.sampled_from(KINDS), st.integers(1, 9)), st.sampled_from(["fp32", "tf32", "fp16", "bf16"]))
def test_what_passes_really_holds_the_type(found: dict[str, int], precision: str) -> None:
    wanted = "fp32" if precision == "tf32" else precision
    if not found or (wanted in found and (wanted != "fp32" or set(found) == {"fp32"})):
        require_type(Counter(found), precision)
    else:
        with pytest.raises(ConversionError, match=f"^Asked for {precision}, and "):
            require_type(Counter(found), precision)


@given(st.dictionaries(st.sampled_from(KINDS), st.integers(1, 9)), st.sampled_from(["int8", "fp8"]))
def test_8_bits_come_with_the_graph_or_not_at_all(found: dict[str, int], precision: str) -> None:
    require_type(Counter(found), precision)
    if precision in found:
        require_quantised(Counter(found), precision)
    else:
        with pytest.raises(Unavailable, match="needs a quantized ONNX"):
            require_quantised(Counter(found), precision)


def test_other_precisions_need_no_quantisation() -> None:
    require_quantised(Counter(), "fp16")


@pytest.mark.parametrize(
    ("nodes", "weights", "told"),
    [
        ([node("Relu", "x", "y")], (), False),
        ([node("Cast", "x", "wide", to=DOUBLE), node("Cast", "wide", "y", to=FLOAT)], (), True),
        ([node("Relu", "x", "y")], (weight("unused", np.zeros(3), DOUBLE),), True),
    ],
    ids=["float32", "a cast", "a weight"],
)
def test_float64_is_found_in_casts_and_in_weights(
    nodes: list[onnx.NodeProto], weights: tuple[onnx.TensorProto, ...], told: bool, tmp_path: Path
) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(graph(nodes, *weights).SerializeToString())
    assert bool(narrowed(file)) is told
