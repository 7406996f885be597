"""nav-trt: TensorRT and TensorRT-RTX engines from ONNX files, and PyTorch models with TensorRT engines inside."""

from __future__ import annotations

from nav_trt.formats import RTX_FORMATS, TORCH_TRT_FORMATS, TRT_FORMATS
from nav_trt.options import EngineOptions, TorchTrtOptions
from nav_trt.rtx_engines import (
    trt_rtx_bf16_from_onnx_bf16,
    trt_rtx_fp8_from_onnx,
    trt_rtx_fp16_from_onnx_fp16,
    trt_rtx_fp32_from_onnx,
    trt_rtx_int8_from_onnx,
    trt_rtx_tf32_from_onnx,
)
from nav_trt.running import run_tensorrt, run_tensorrt_rtx
from nav_trt.tensorrt_engines import (
    trt_bf16_from_onnx_bf16,
    trt_fp8_from_onnx,
    trt_fp16_from_onnx_fp16,
    trt_fp32_from_onnx,
    trt_int8_from_onnx,
    trt_tf32_from_onnx,
)
from nav_trt.torch_running import run_torch_trt
from nav_trt.torch_trt import (
    torch_trt_exported_bf16_from_torch_exportedprogram,
    torch_trt_exported_fp16_from_torch_exportedprogram,
    torch_trt_exported_fp32_from_torch_exportedprogram,
    torch_trt_script_fp16_from_torchscript_script,
    torch_trt_script_fp32_from_torchscript_script,
    torch_trt_trace_fp16_from_torch_exportedprogram,
    torch_trt_trace_fp32_from_torch_exportedprogram,
)

__version__ = "0.1.0"

__all__ = [
    "RTX_FORMATS",
    "TORCH_TRT_FORMATS",
    "TRT_FORMATS",
    "EngineOptions",
    "TorchTrtOptions",
    "run_tensorrt",
    "run_tensorrt_rtx",
    "run_torch_trt",
    "torch_trt_exported_bf16_from_torch_exportedprogram",
    "torch_trt_exported_fp16_from_torch_exportedprogram",
    "torch_trt_exported_fp32_from_torch_exportedprogram",
    "torch_trt_script_fp16_from_torchscript_script",
    "torch_trt_script_fp32_from_torchscript_script",
    "torch_trt_trace_fp16_from_torch_exportedprogram",
    "torch_trt_trace_fp32_from_torch_exportedprogram",
    "trt_bf16_from_onnx_bf16",
    "trt_fp8_from_onnx",
    "trt_fp16_from_onnx_fp16",
    "trt_fp32_from_onnx",
    "trt_int8_from_onnx",
    "trt_rtx_bf16_from_onnx_bf16",
    "trt_rtx_fp8_from_onnx",
    "trt_rtx_fp16_from_onnx_fp16",
    "trt_rtx_fp32_from_onnx",
    "trt_rtx_int8_from_onnx",
    "trt_rtx_tf32_from_onnx",
    "trt_tf32_from_onnx",
]
