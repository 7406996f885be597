"""Writes a graph in which the given layers compute in int8: between Q and DQ nodes, or by dynamic quantisation.

Activations are unsigned and weights signed with 7 bits. Processors without VNNI or its like add two products of 8 bits
in 16, which is too little for 8-bit weights (255 · 127 · 2 > 32767): they saturate and give other numbers. With 7 bits
(255 · 64 · 2 ≤ 32767) a file gives the same numbers on every machine it travels to
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html#when-and-why-do-i-need-to-try-u8u8).
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nav_onnx.cast_source import put_back, set_aside
from nav_onnx.int8_layers import Layer, as_products, between, named
from nav_onnx.int8_rules import QuantiseRules
from nav_onnx.model_file import load_model, model_files
from nav_onnx.model_writing import INLINE_LIMIT, store_model
from nav_onnx.sample_runs import Reach
from nav_onnx.scratch import quiet
from navcore import StepError
from navcore.errors import first_line

if TYPE_CHECKING:
    from onnx import ModelProto

_PER_CHANNEL_OPSET = 13  # from which QuantizeLinear has an axis


def prepared(source: Path, folder: Path) -> Path:
    """The model as a quantiser wants it, in ``folder``: batch normalisation folded, shapes inferred, nodes named.

    From 2 GiB on nothing is folded, since ONNX Runtime writes no such model. Raises :class:`StepError` when ONNX
    Runtime cannot load the model.
    """
    model = load_model(source)
    large = sum(file.stat().st_size for file in model_files(source)) >= INLINE_LIMIT
    model = (
        _with_shapes(model) if large else _folded(store_model(model, folder / "source.onnx"), folder / "folded.onnx")
    )
    model = _at_a_usable_opset(model)
    named(model)
    return store_model(model, folder / "ready.onnx")


def _with_shapes(model: ModelProto) -> ModelProto:
    from onnx import shape_inference

    light, heavy = set_aside(model)
    result: ModelProto = shape_inference.infer_shapes(light, data_prop=True)
    put_back(result, heavy)
    return result


def _folded(path: Path, output: Path) -> ModelProto:
    """Symbolic shapes need sympy, and not every model has any: without them fewer values have a known shape."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    symbolic = importlib.util.find_spec("sympy") is not None
    with quiet():
        try:
            quant_pre_process(
                os.fspath(path.absolute()), os.fspath(output.absolute()), skip_symbolic_shape=not symbolic
            )
        except Exception:
            try:
                quant_pre_process(os.fspath(path.absolute()), os.fspath(output.absolute()), skip_symbolic_shape=True)
            except Exception as error:
                raise StepError(f"ONNX Runtime could not prepare the model: {first_line(error)}") from error
    return load_model(output)


def write_int8(
    model: ModelProto,
    chosen: Collection[Layer],
    ranges: Mapping[str, Reach],
    rules: QuantiseRules,
    output: Path,
) -> Path:
    """Write ``model`` with the chosen layers in int8 to ``output``, in place of what is there.

    ``ranges`` say how far the values reach that a static layer takes and gives.
    """
    static = [layer.name for layer in chosen if layer.method == "static"]
    dynamic = [layer.name for layer in chosen if layer.method == "dynamic"]
    if static:
        model = _with_fixed_ranges(model, [*static, *between(model, static, rules)], ranges)
    if dynamic:
        model = _with_ranges_of_each_call(model, dynamic, output)
    return store_model(model, output)


def measured_values(model: ModelProto, chosen: Collection[Layer], rules: QuantiseRules) -> tuple[str, ...]:
    """The values of the main graph whose ranges the static layers among ``chosen``, and what is between them, need."""
    static = [layer.name for layer in chosen if layer.method == "static"]
    wanted = {*static, *between(model, static, rules)}
    constants = {weight.name for weight in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.name in wanted]
    values = [name for node in nodes for name in (*node.input, *node.output)]
    return tuple(dict.fromkeys(name for name in values if name and name not in constants))


def _with_fixed_ranges(model: ModelProto, names: Sequence[str], ranges: Mapping[str, Reach]) -> ModelProto:
    import numpy as np
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorData, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    copy = _copied(model)
    told = {
        name: TensorData(lowest=np.float32(reach.low), highest=np.float32(reach.high)) for name, reach in ranges.items()
    }
    # A value that no sample ever filled has no range; what takes or gives it stays in float32.
    constants = {weight.name for weight in model.graph.initializer}
    usable = [
        node
        for node in copy.graph.node
        if node.name in set(names)
        and all(not name or name in told or name in constants for name in (*node.input, *node.output))
    ]
    if not usable:
        return model
    with quiet():
        quantizer = QDQQuantizer(
            copy,
            True,
            True,
            QuantType.QInt8,
            QuantType.QUInt8,
            TensorsData(CalibrationMethod.MinMax, told),
            [node.name for node in usable],
            [],
            sorted({node.op_type for node in usable}),
            {"MatMulConstBOnly": True},
        )
        quantizer.quantize_model()
    result: ModelProto = quantizer.model.model
    return result


def _with_ranges_of_each_call(model: ModelProto, names: Sequence[str], output: Path) -> ModelProto:
    """Dynamic quantisation reaches into the bodies of If, Loop and Scan."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = _copied(model)
    as_products(model)
    before = store_model(model, output.with_name(f"before-{output.name}"))
    after = output.with_name(f"after-{output.name}")
    with quiet():
        quantize_dynamic(
            os.fspath(before.absolute()),
            os.fspath(after.absolute()),
            op_types_to_quantize=["LSTM", "MatMul"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=list(names),
            use_external_data_format=sum(file.stat().st_size for file in model_files(before)) >= INLINE_LIMIT,
            extra_options={"EnableSubgraph": True, "MatMulConstBOnly": True},
        )
    return load_model(after)


def _copied(model: ModelProto) -> ModelProto:
    copy = type(model)()
    copy.CopyFrom(model)
    return copy


def _at_a_usable_opset(model: ModelProto) -> ModelProto:
    from onnx import version_converter

    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if opset >= _PER_CHANNEL_OPSET:
        return model
    try:
        result: ModelProto = version_converter.convert_version(model, _PER_CHANNEL_OPSET)
    except (RuntimeError, ValueError) as error:
        raise StepError(
            f"Quantisation needs opset {_PER_CHANNEL_OPSET}, and the model's opset {opset} could not be raised: "
            f"{first_line(error)}",
            hint="Export it again with a newer opset.",
        ) from error
    return result
