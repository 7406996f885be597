"""TensorRT-RTX engines from ONNX files: one route per precision, each from the graph that has it."""

from __future__ import annotations

from nav_trt.availability import why_no_rtx_builder
from nav_trt.building import build
from nav_trt.flavours import RTX
from nav_trt.formats import RTX_BF16, RTX_FP8, RTX_FP16, RTX_FP32, RTX_INT8, RTX_TF32
from nav_trt.options import EngineOptions
from navcore import ConvertJob, Made, converter


@converter("onnx", RTX_FP32, options=EngineOptions, available=why_no_rtx_builder)
def trt_rtx_fp32_from_onnx(job: ConvertJob[EngineOptions]) -> Made:
    """float32 throughout, TF32 switched off."""
    return build(job, RTX, "fp32")


@converter("onnx", RTX_TF32, options=EngineOptions, default=False, available=why_no_rtx_builder)
def trt_rtx_tf32_from_onnx(job: ConvertJob[EngineOptions]) -> Made:
    """float32, products with 10 bits."""
    return build(job, RTX, "tf32")


@converter("onnx-fp16", RTX_FP16, options=EngineOptions, available=why_no_rtx_builder)
def trt_rtx_fp16_from_onnx_fp16(job: ConvertJob[EngineOptions]) -> Made:
    """float16 where the graph has it."""
    return build(job, RTX, "fp16")


@converter("onnx-bf16", RTX_BF16, options=EngineOptions, default=False, available=why_no_rtx_builder)
def trt_rtx_bf16_from_onnx_bf16(job: ConvertJob[EngineOptions]) -> Made:
    """bfloat16 where the graph has it."""
    return build(job, RTX, "bf16")


@converter("onnx", RTX_INT8, options=EngineOptions, default=False, available=why_no_rtx_builder)
def trt_rtx_int8_from_onnx(job: ConvertJob[EngineOptions]) -> Made:
    """int8 where the graph is quantized to it."""
    return build(job, RTX, "int8")


@converter("onnx", RTX_FP8, options=EngineOptions, default=False, available=why_no_rtx_builder)
def trt_rtx_fp8_from_onnx(job: ConvertJob[EngineOptions]) -> Made:
    """fp8 where the graph is quantized to it."""
    return build(job, RTX, "fp8")
