"""The formats of this plugin: engines of two flavours, and PyTorch models with engines inside, per precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from navcore import Format, JitType

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8", "fp8")
"""What an engine can promise to compute in. TF32 multiplies float32 numbers with 10 bits: a choice of its own."""


def _engine(precision: str, *, rtx: bool = False) -> Format:
    family = "trt-rtx" if rtx else Format.TENSORRT.family
    return Format(
        f"{family}-{precision}",
        family=family,
        filename=Format.TENSORRT.filename,
        precision=precision,
        summary=f"TensorRT{'-RTX' if rtx else ''} engine, {precision}",
    )


TRT_FP32, TRT_TF32, TRT_FP16, TRT_BF16, TRT_INT8, TRT_FP8 = map(_engine, PRECISIONS)
# A plan for TensorRT-RTX is none for TensorRT: a family of its own, so that one is never taken for the other.
RTX_FP32, RTX_TF32, RTX_FP16, RTX_BF16, RTX_INT8, RTX_FP8 = (_engine(one, rtx=True) for one in PRECISIONS)
TRT_FORMATS = (TRT_FP32, TRT_TF32, TRT_FP16, TRT_BF16, TRT_INT8, TRT_FP8)
RTX_FORMATS = (RTX_FP32, RTX_TF32, RTX_FP16, RTX_BF16, RTX_INT8, RTX_FP8)


def load_torch_trt(path: Path) -> Any:
    """Open a file that Torch-TensorRT wrote, as the module that PyTorch users call. Needs a CUDA device."""
    from nav_trt.torch_install import load

    return load(path)


def _torch(kind: str, precision: str) -> Format:
    exported = kind == "exported"
    return Format(
        f"torch-trt-{kind}-{precision}",
        family="torch-trt-exported" if exported else Format.TORCH_TRT.family,
        filename="model.pt2" if exported else Format.TORCH_TRT.filename,
        jit_type=None if exported else JitType(kind),
        precision=precision,
        summary=f"{'ExportedProgram' if exported else 'TorchScript'} with TensorRT engines, {precision}",
        load=load_torch_trt,
    )


TORCH_TRT_SCRIPT_FP32, TORCH_TRT_SCRIPT_FP16 = _torch("script", "fp32"), _torch("script", "fp16")
TORCH_TRT_TRACE_FP32, TORCH_TRT_TRACE_FP16 = _torch("trace", "fp32"), _torch("trace", "fp16")
TORCH_TRT_EXPORTED_FP32, TORCH_TRT_EXPORTED_FP16, TORCH_TRT_EXPORTED_BF16 = (
    _torch("exported", one) for one in ("fp32", "fp16", "bf16")
)
TORCH_TRT_FORMATS = (
    TORCH_TRT_SCRIPT_FP32,
    TORCH_TRT_SCRIPT_FP16,
    TORCH_TRT_TRACE_FP32,
    TORCH_TRT_TRACE_FP16,
    TORCH_TRT_EXPORTED_FP32,
    TORCH_TRT_EXPORTED_FP16,
    TORCH_TRT_EXPORTED_BF16,
)
