"""TensorRT engines from ONNX files: one route per precision, each from the graph that has it."""

from __future__ import annotations

from nav_trt.availability import why_no_tensorrt
from nav_trt.building import build
from nav_trt.flavours import TENSORRT
from nav_trt.formats import TRT_BF16, TRT_FP8, TRT_FP16, TRT_FP32, TRT_INT8, TRT_TF32
from nav_trt.options import EngineOptions
from navcore import ConvertJob, Made, converter


@converter("onnx", TRT_FP32, options=EngineOptions, available=why_no_tensorrt)
def trt_fp32_from_onnx(job: ConvertJob[EngineOptions]) -> Made:
    """float32 throughout, TF32 switched off."""
    return build(job, TENSORRT, "fp32")


@converter("onnx", TRT_TF32, options=EngineOptions, default=False, available=why_no_tensorrt)
def trt_tf32_from_onnx(job: ConvertJob[EngineOptions]) -> Made:
    """float32, products with 10 bits."""
    return build(job, TENSORRT, "tf32")


@converter("onnx-fp16", TRT_FP16, options=EngineOptions, available=why_no_tensorrt)
def trt_fp16_from_onnx_fp16(job: ConvertJob[EngineOptions]) -> Made:
    """float16 where the graph has it."""
    return build(job, TENSORRT, "fp16")


@converter("onnx-bf16", TRT_BF16, options=EngineOptions, default=False, available=why_no_tensorrt)
def trt_bf16_from_onnx_bf16(job: ConvertJob[EngineOptions]) -> Made:
    """bfloat16 where the graph has it."""
    return build(job, TENSORRT, "bf16")


@converter("onnx", TRT_INT8, options=EngineOptions, default=False, available=why_no_tensorrt)
def trt_int8_from_onnx(job: ConvertJob[EngineOptions]) -> Made:
    """int8 where the graph is quantized to it."""
    return build(job, TENSORRT, "int8")


@converter("onnx", TRT_FP8, options=EngineOptions, default=False, available=why_no_tensorrt)
def trt_fp8_from_onnx(job: ConvertJob[EngineOptions]) -> Made:
    """fp8 where the graph is quantized to it."""
    return build(job, TENSORRT, "fp8")
