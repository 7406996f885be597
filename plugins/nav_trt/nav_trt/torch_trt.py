"""The routes of Torch-TensorRT: PyTorch models in which TensorRT takes the segments that it can."""

from __future__ import annotations

from nav_trt.formats import (
    TORCH_TRT_EXPORTED_BF16,
    TORCH_TRT_EXPORTED_FP16,
    TORCH_TRT_EXPORTED_FP32,
    TORCH_TRT_SCRIPT_FP16,
    TORCH_TRT_SCRIPT_FP32,
    TORCH_TRT_TRACE_FP16,
    TORCH_TRT_TRACE_FP32,
)
from nav_trt.options import TorchTrtOptions
from nav_trt.torch_compiling import write_exported, write_scripted, write_traced
from nav_trt.torch_install import release, torch_tensorrt_version, why_no_torch_trt
from navcore import ConvertJob, Made, Unavailable, converter

_EXPORTED = "torch-exportedprogram"
_SCRIPTED = "torchscript-script"
_FIRST_WITHOUT_PRECISION = (2, 13)


def why_no_script_fp16() -> str | None:
    """The reason why TorchScript cannot be compiled to fp16 here, or ``None``."""
    return why_no_torch_trt() or _why_no_precision(torch_tensorrt_version())


def _why_no_precision(version: str | None) -> str | None:
    if version is None or release(version) < _FIRST_WITHOUT_PRECISION:
        return None
    return (
        "the TorchScript frontend takes no precision since Torch-TensorRT 2.13 (TensorRT 11), and "
        f"{version} is installed; use torch-trt-exported-fp16"
    )


@converter(_EXPORTED, TORCH_TRT_EXPORTED_FP32, options=TorchTrtOptions, available=why_no_torch_trt)
def torch_trt_exported_fp32_from_torch_exportedprogram(job: ConvertJob[TorchTrtOptions]) -> Made:
    """Engines in float32, TF32 switched off."""
    return write_exported(job, "fp32")


@converter(_EXPORTED, TORCH_TRT_EXPORTED_FP16, options=TorchTrtOptions, available=why_no_torch_trt)
def torch_trt_exported_fp16_from_torch_exportedprogram(job: ConvertJob[TorchTrtOptions]) -> Made:
    """Engines in float16 where autocast holds it safe."""
    return write_exported(job, "fp16")


@converter(_EXPORTED, TORCH_TRT_EXPORTED_BF16, options=TorchTrtOptions, default=False, available=why_no_torch_trt)
def torch_trt_exported_bf16_from_torch_exportedprogram(job: ConvertJob[TorchTrtOptions]) -> Made:
    """Engines in bfloat16 where autocast holds it safe."""
    return write_exported(job, "bf16")


@converter(_EXPORTED, TORCH_TRT_TRACE_FP32, options=TorchTrtOptions, default=False, available=why_no_torch_trt)
def torch_trt_trace_fp32_from_torch_exportedprogram(job: ConvertJob[TorchTrtOptions]) -> Made:
    """Engines in float32 inside TorchScript of fixed sizes."""
    return write_traced(job, "fp32")


@converter(_EXPORTED, TORCH_TRT_TRACE_FP16, options=TorchTrtOptions, default=False, available=why_no_torch_trt)
def torch_trt_trace_fp16_from_torch_exportedprogram(job: ConvertJob[TorchTrtOptions]) -> Made:
    """Engines in float16, where autocast holds it safe, inside TorchScript of fixed sizes."""
    return write_traced(job, "fp16")


@converter(_SCRIPTED, TORCH_TRT_SCRIPT_FP32, options=TorchTrtOptions, default=False, available=why_no_torch_trt)
def torch_trt_script_fp32_from_torchscript_script(job: ConvertJob[TorchTrtOptions]) -> Made:
    """Engines in float32 by the TorchScript frontend, which Torch-TensorRT has deprecated."""
    return write_scripted(job, "fp32")


@converter(_SCRIPTED, TORCH_TRT_SCRIPT_FP16, options=TorchTrtOptions, default=False, available=why_no_script_fp16)
def torch_trt_script_fp16_from_torchscript_script(job: ConvertJob[TorchTrtOptions]) -> Made:
    """Engines in float16 by the TorchScript frontend of releases up to 2.12."""
    reason = _why_no_precision(torch_tensorrt_version())
    if reason is not None:
        raise Unavailable(f"{reason[0].upper()}{reason[1:]}.")
    return write_scripted(job, "fp16")
