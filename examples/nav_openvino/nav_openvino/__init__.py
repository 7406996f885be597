"""nav-openvino: OpenVINO IR, made from ONNX files or from live PyTorch modules, and run on the CPU."""

from __future__ import annotations

from nav_openvino.formats import OPENVINO, Options, RuntimeOptions
from nav_openvino.from_onnx import openvino_from_onnx
from nav_openvino.from_torch import openvino_from_torch
from nav_openvino.runtime import run_in_bf16, run_in_f32

__version__ = "0.1.0"

__all__ = [
    "OPENVINO",
    "Options",
    "RuntimeOptions",
    "openvino_from_onnx",
    "openvino_from_torch",
    "run_in_bf16",
    "run_in_f32",
]
