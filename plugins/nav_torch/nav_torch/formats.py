"""The formats that PyTorch reads and writes by itself."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from nav_torch.live import from_array, state, to_array
from nav_torch.own_data import own_data
from navcore import Format, JitType, Live


def load_torchscript(path: Path, device: str | None = None) -> Any:
    """Open a TorchScript file on ``device``; by default where it was saved, or on the CPU where there is no GPU."""
    import torch

    place = device or (None if torch.cuda.is_available() else "cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(str(path), map_location=place)  # type: ignore[no-untyped-call]


def load_exported(path: Path) -> Any:
    """Open a ``.pt2`` file as a :class:`torch.export.ExportedProgram`."""
    import torch

    return torch.export.load(path)


TORCH = Format(
    "torch",
    summary="a live PyTorch module",
    live=Live(
        types=("torch.nn.modules.module.Module",),
        to_array=to_array,
        from_array=from_array,
        state=state,
        provide=own_data,
    ),
)
TORCHSCRIPT_SCRIPT = Format(
    "torchscript-script",
    family=Format.TORCHSCRIPT.family,
    filename=Format.TORCHSCRIPT.filename,
    jit_type=JitType.SCRIPT,
    summary="TorchScript, compiled from the model's source",
    load=load_torchscript,
)
TORCHSCRIPT_TRACE = Format(
    "torchscript-trace",
    family=Format.TORCHSCRIPT.family,
    filename=Format.TORCHSCRIPT.filename,
    jit_type=JitType.TRACE,
    summary="TorchScript, recorded from one call",
    load=load_torchscript,
)
TORCH_EXPORTED = Format(
    "torch-exportedprogram",
    filename="model.pt2",
    suffixes=(".pt2",),
    summary="ExportedProgram, the graph that torch.export captures",
    load=load_exported,
)
