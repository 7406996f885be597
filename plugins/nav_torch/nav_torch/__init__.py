"""PyTorch for navcore: its formats, the routes between them, and ``nav.torch.export``."""

from __future__ import annotations

from nav_torch.eager import run_torch
from nav_torch.exported import exported_from_torch, run_exported
from nav_torch.face import export
from nav_torch.formats import TORCH, TORCH_EXPORTED, TORCHSCRIPT_SCRIPT, TORCHSCRIPT_TRACE
from nav_torch.onnx_dynamo import onnx_from_torch_dynamo, onnx_from_torch_static
from nav_torch.onnx_torchscript import onnx_from_torch_torchscript
from nav_torch.opset import OnnxOptions
from nav_torch.torchscript import run_torchscript, torchscript_script_from_torch, torchscript_trace_from_torch

__all__ = [
    "TORCH",
    "TORCHSCRIPT_SCRIPT",
    "TORCHSCRIPT_TRACE",
    "TORCH_EXPORTED",
    "OnnxOptions",
    "export",
    "exported_from_torch",
    "onnx_from_torch_dynamo",
    "onnx_from_torch_static",
    "onnx_from_torch_torchscript",
    "run_exported",
    "run_torch",
    "run_torchscript",
    "torchscript_script_from_torch",
    "torchscript_trace_from_torch",
]
