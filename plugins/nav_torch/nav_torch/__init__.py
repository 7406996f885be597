"""PyTorch for navcore: its formats, the routes between them, and nav.torch.export."""

from __future__ import annotations

from nav_torch.aotinductor import (
    TORCH_AOTINDUCTOR,
    TORCH_AOTINDUCTOR_BF16,
    TORCH_AOTINDUCTOR_CHANNELS_LAST,
    load_aotinductor,
    run_aotinductor,
    torch_aotinductor_bf16_from_exportedprogram,
    torch_aotinductor_channels_last_from_exportedprogram,
    torch_aotinductor_from_exportedprogram,
)
from nav_torch.axes import Reach, narrowed, settled
from nav_torch.blame import cause_line
from nav_torch.capture import reached
from nav_torch.conformance_model import conformance_model as conformance_model
from nav_torch.conformance_models import conformance_models as conformance_models
from nav_torch.drop_in import as_module
from nav_torch.eager import run_torch
from nav_torch.exportable import (
    CheckFailed,
    Exportable,
    ExportFormat,
    ExportResult,
    TensorType,
    as_tensor_type,
    assert_exportable,
    get_export_format,
    use_for_nemo,
)
from nav_torch.exported import exportedprogram_from_torch, run_exported
from nav_torch.formats import TORCH, TORCH_EXPORTED, TORCHSCRIPT_SCRIPT, TORCHSCRIPT_TRACE, load_torchscript
from nav_torch.live import from_array
from nav_torch.onnx_dynamo import onnx_from_torch_dynamo, onnx_from_torch_static
from nav_torch.onnx_torchscript import onnx_from_torch_torchscript
from nav_torch.opset import OnnxOptions
from nav_torch.reference_api import export
from nav_torch.replacing import replace_for_export, replace_modules, simple_replace, swap_modules, wrap_module
from nav_torch.restoring import hushed
from nav_torch.running import module_runner
from nav_torch.torch_compile import run_torch_compile, run_torch_compile_bf16, run_torch_compile_channels_last
from nav_torch.torchscript import run_torchscript, torchscript_script_from_torch, torchscript_trace_from_torch

__version__ = "0.1.0"

__all__ = [
    "TORCH",
    "TORCHSCRIPT_SCRIPT",
    "TORCHSCRIPT_TRACE",
    "TORCH_AOTINDUCTOR",
    "TORCH_AOTINDUCTOR_BF16",
    "TORCH_AOTINDUCTOR_CHANNELS_LAST",
    "TORCH_EXPORTED",
    "CheckFailed",
    "ExportFormat",
    "ExportResult",
    "Exportable",
    "OnnxOptions",
    "Reach",
    "TensorType",
    "as_module",
    "as_tensor_type",
    "assert_exportable",
    "cause_line",
    "export",
    "exportedprogram_from_torch",
    "from_array",
    "get_export_format",
    "hushed",
    "load_aotinductor",
    "load_torchscript",
    "module_runner",
    "narrowed",
    "onnx_from_torch_dynamo",
    "onnx_from_torch_static",
    "onnx_from_torch_torchscript",
    "reached",
    "replace_for_export",
    "replace_modules",
    "run_aotinductor",
    "run_exported",
    "run_torch",
    "run_torch_compile",
    "run_torch_compile_bf16",
    "run_torch_compile_channels_last",
    "run_torchscript",
    "settled",
    "simple_replace",
    "swap_modules",
    "torch_aotinductor_bf16_from_exportedprogram",
    "torch_aotinductor_channels_last_from_exportedprogram",
    "torch_aotinductor_from_exportedprogram",
    "torchscript_script_from_torch",
    "torchscript_trace_from_torch",
    "use_for_nemo",
    "wrap_module",
]
