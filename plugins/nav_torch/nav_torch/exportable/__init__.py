"""``Exportable``: a mix-in that exports a PyTorch module to one file as its class says."""

from __future__ import annotations

from nav_torch.exportable.assertion import assert_exportable
from nav_torch.exportable.extensions import ExportFormat, get_export_format
from nav_torch.exportable.for_nemo import use_for_nemo
from nav_torch.exportable.mixin import Exportable
from nav_torch.exportable.result import CheckFailed, ExportResult
from nav_torch.exportable.tensortype import TensorType, as_tensor_type

__all__ = [
    "CheckFailed",
    "ExportFormat",
    "ExportResult",
    "Exportable",
    "TensorType",
    "as_tensor_type",
    "assert_exportable",
    "get_export_format",
    "use_for_nemo",
]
