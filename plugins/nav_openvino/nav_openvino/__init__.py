"""nav-openvino: OpenVINO IR from ONNX files, PyTorch modules and SavedModels, quantised on request, run on the CPU."""

from __future__ import annotations

from nav_openvino.formats import OPENVINO, OPENVINO_INT8
from nav_openvino.from_onnx import openvino_from_onnx
from nav_openvino.from_savedmodel import openvino_from_tf_savedmodel
from nav_openvino.from_torch import openvino_from_torch
from nav_openvino.options import Int8Options, Options, RuntimeOptions
from nav_openvino.quantising import openvino_int8_from_openvino
from nav_openvino.runtime import run_for_throughput, run_in_bf16, run_in_fp16, run_in_fp32

__version__ = "0.1.0"

__all__ = [
    "OPENVINO",
    "OPENVINO_INT8",
    "Int8Options",
    "Options",
    "RuntimeOptions",
    "openvino_from_onnx",
    "openvino_from_tf_savedmodel",
    "openvino_from_torch",
    "openvino_int8_from_openvino",
    "run_for_throughput",
    "run_in_bf16",
    "run_in_fp16",
    "run_in_fp32",
]
