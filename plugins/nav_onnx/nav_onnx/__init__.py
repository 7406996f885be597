"""nav-onnx: ONNX files as sources and as targets, run by ONNX Runtime on CPU, CUDA and TensorRT."""

from __future__ import annotations

from nav_onnx.face import export
from nav_onnx.model_file import ONNX, copy_model, load_model, model_files, read_graph
from nav_onnx.runtime import run_on_cpu, run_on_cuda, run_on_tensorrt
from nav_onnx.session import RuntimeOptions

__all__ = [
    "ONNX",
    "RuntimeOptions",
    "copy_model",
    "export",
    "load_model",
    "model_files",
    "read_graph",
    "run_on_cpu",
    "run_on_cuda",
    "run_on_tensorrt",
]
