"""The routes of Torch-TensorRT: PyTorch models in which TensorRT takes the segments that it can."""

from __future__ import annotations

import attrs

from nav_trt.formats import (
    TORCH_TRT_EXPORTED_BF16,
    TORCH_TRT_EXPORTED_FP16,
    TORCH_TRT_EXPORTED_FP32,
    TORCH_TRT_SCRIPT_FP16,
    TORCH_TRT_SCRIPT_FP32,
    TORCH_TRT_TRACE_FP16,
    TORCH_TRT_TRACE_FP32,
)
from nav_trt.torch_compiling import write_exported, write_scripted, write_traced
from nav_trt.torch_running import load, release, run_torch_trt, torch_tensorrt_version, why_no_torch_trt
from navcore import harmless
from navcore.contract.jobs import ConvertJob, Made
from navcore.contract.routes import converter
from navcore.errors import OptionError, Unavailable

__all__ = [
    "TorchTrtOptions",
    "load",
    "run_torch_trt",
    "torch_trt_exported_bf16_from_torch_exportedprogram",
    "torch_trt_exported_fp16_from_torch_exportedprogram",
    "torch_trt_exported_fp32_from_torch_exportedprogram",
    "torch_trt_script_fp16_from_torchscript_script",
    "torch_trt_script_fp32_from_torchscript_script",
    "torch_trt_trace_fp16_from_torch_exportedprogram",
    "torch_trt_trace_fp32_from_torch_exportedprogram",
    "why_no_torch_trt",
]

_EXPORTED = "torch-exportedprogram"
_SCRIPTED = "torchscript-script"
_FIRST_WITHOUT_PRECISION = (2, 13)


@attrs.frozen
class TorchTrtOptions:
    """``max_workspace_size`` is the memory in bytes that a layer may use, by default all of the device's;
    ``min_block_size`` the smallest number of connected operators worth an engine. ``precision_mode`` is ``"single"``
    (the format's type only) or ``"hierarchy"`` (wider ones too): only ``torch-trt-script-fp16`` can tell them apart."""

    max_workspace_size: int | None = attrs.field(default=None, metadata=harmless(1, 64 * 2**30))
    min_block_size: int = attrs.field(default=5, metadata=harmless(1, 1000))
    precision_mode: str = "single"

    def __attrs_post_init__(self) -> None:
        if self.max_workspace_size is not None and self.max_workspace_size < 1:
            raise OptionError(f"max_workspace_size is {self.max_workspace_size}.", hint="Give bytes, 1 or more.")
        if self.min_block_size < 1:
            raise OptionError(f"min_block_size is {self.min_block_size}.", hint="Give 1 or more.")
        if self.precision_mode == "mixed":
            raise OptionError("Torch-TensorRT has no precision_mode 'mixed'.", hint="Choose 'single' or 'hierarchy'.")
        if self.precision_mode not in ("single", "hierarchy"):
            raise OptionError(f"precision_mode is {self.precision_mode!r}.", hint="Choose 'single' or 'hierarchy'.")


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
