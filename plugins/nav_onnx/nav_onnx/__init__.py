"""nav-onnx: ONNX files as sources and as targets, run by ONNX Runtime on CPU, CUDA and TensorRT."""

from __future__ import annotations

from nav_onnx.availability import why_no_device
from nav_onnx.cast_rules import CastRules
from nav_onnx.divergence import diverges
from nav_onnx.evaluator import run_by_reference
from nav_onnx.int8 import ONNX_INT8, onnx_int8_from_onnx
from nav_onnx.int8_rules import QuantiseRules
from nav_onnx.layer_errors import Divergence, LayerError
from nav_onnx.low_precision import ONNX_BF16, ONNX_FP16, onnx_bf16_from_onnx, onnx_fp16_from_onnx
from nav_onnx.model_file import ONNX, copy_model, element_types, load_model, model_files, read_graph
from nav_onnx.optimized import ONNX_OPTIMIZED, OptimizeRules, onnx_optimized_from_onnx
from nav_onnx.reference_api import export
from nav_onnx.runtime import run_on_cpu, run_on_cuda, run_on_tensorrt
from nav_onnx.session import RuntimeOptions

__version__ = "0.1.0"

__all__ = [
    "ONNX",
    "ONNX_BF16",
    "ONNX_FP16",
    "ONNX_INT8",
    "ONNX_OPTIMIZED",
    "CastRules",
    "Divergence",
    "LayerError",
    "OptimizeRules",
    "QuantiseRules",
    "RuntimeOptions",
    "copy_model",
    "diverges",
    "element_types",
    "export",
    "load_model",
    "model_files",
    "onnx_bf16_from_onnx",
    "onnx_fp16_from_onnx",
    "onnx_int8_from_onnx",
    "onnx_optimized_from_onnx",
    "read_graph",
    "run_by_reference",
    "run_on_cpu",
    "run_on_cuda",
    "run_on_tensorrt",
    "why_no_device",
]
