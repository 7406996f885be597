"""Torch-TensorRT as it is installed here: whether and in which version, and opening a file with it."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nav_trt.availability import why_no_device
from nav_trt.flavours import TENSORRT, recorded_version
from navcore import OptionError, Unavailable
from navcore.errors import first_line

if TYPE_CHECKING:
    import torch

NOT_INSTALLED = "Torch-TensorRT is not installed; pip install 'nav-trt[torch]'"
OLDEST = (2, 11)
"""The first release that keeps moving axes in the file it writes; 2.10 has the other arguments used here."""
_FOR_RTX = "torch-tensorrt-rtx"


def why_no_torch_trt() -> str | None:
    """The reason why Torch-TensorRT can neither compile nor run here, or ``None``. Imports neither it nor PyTorch.

    The device comes first, since no package can bring one.
    """
    return why_no_device() or _why_not_installed()


def _why_not_installed() -> str | None:
    if not _found("torch_tensorrt"):
        return NOT_INSTALLED
    if not _found("nav_torch"):
        return "nav-torch is not installed, which reads and writes PyTorch's files; pip install 'nav-trt[torch]'"
    if _recorded(_FOR_RTX) is not None:
        return f"{_FOR_RTX} is installed, whose engines are for TensorRT-RTX; pip install 'nav-trt[torch]' instead"
    version = torch_tensorrt_version()
    if version is not None and release(version) < OLDEST:
        return f"Torch-TensorRT {version} is installed, and nav-trt needs {OLDEST[0]}.{OLDEST[1]} or newer"
    return None


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _recorded(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def torch_tensorrt_version() -> str | None:
    """The version in the installed distribution's metadata; ``None`` where the module came another way."""
    return _recorded("torch-tensorrt")


def release(version: str) -> tuple[int, ...]:
    """The first two numbers of a version (``"2.13.0"`` → ``(2, 13)``)."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def versions() -> dict[str, str]:
    """What a file with engines was made by, as facts.

    Read from the metadata: Torch-TensorRT replaces the module ``tensorrt`` by a proxy that prints whatever attribute it
    does not find, and a probe of ours would end up in the caller's output.
    """
    found = {"torch_tensorrt": torch_tensorrt_version(), "tensorrt": recorded_version(TENSORRT)}
    return {name: version for name, version in found.items() if version is not None}


def select_device(device: str | None) -> torch.device:
    """Make ``"cuda:N"`` PyTorch's current device, and return it. ``None`` and ``"cuda"`` mean device 0.

    Raises :class:`OptionError` for a device that is no CUDA device, :class:`Unavailable` when it cannot be had.
    """
    import torch

    kind, _, number = (device or "cuda").partition(":")
    if kind != "cuda" or not (number or "0").isdigit():
        raise OptionError(
            f"Torch-TensorRT runs on a CUDA device, not on {device!r}.", hint="Give device='cuda' or 'cuda:1'."
        )
    place = torch.device("cuda", int(number or 0))
    try:
        torch.cuda.set_device(place)
    except (RuntimeError, AssertionError) as error:  # the latter is how a build without CUDA says so
        raise Unavailable(f"{place} cannot be used: {first_line(error)}") from error
    return place


def import_torch_tensorrt() -> ModuleType:
    """The module, which looks at PyTorch's current device while it is imported.

    Raises :class:`Unavailable` where it is missing, too old, or does not find its libraries.
    """
    reason = why_no_torch_trt()
    if reason is not None:
        raise Unavailable(f"{reason}.")
    try:
        return importlib.import_module("torch_tensorrt")
    except Exception as error:  # without TensorRT's libraries it raises a bare Exception
        raise Unavailable(
            f"Torch-TensorRT cannot be imported: {type(error).__name__}: {first_line(error)}",
            hint="Repair it: pip install 'nav-trt[torch]'",
        ) from error


def load(path: Path) -> Any:
    """The file as a module on the current CUDA device, called with tensors that lie there.

    Raises :class:`Unavailable` where Torch-TensorRT or the device is missing.
    """
    return open_module(import_torch_tensorrt(), path, None)


def open_module(torch_tensorrt: ModuleType, path: Path, place: torch.device | None) -> Any:
    """The file as a module on ``place``, ``None`` for PyTorch's current device."""
    from nav_torch import load_torchscript

    if path.suffix == ".pt2":
        return torch_tensorrt.load(str(path)).module()
    # `torch_tensorrt.load` tries an ExportedProgram first, and prints the traceback of that.
    return load_torchscript(path, str(place or "cuda"))
