"""Why a runtime cannot be used on this machine: cheap probes that never import onnxruntime and survive a bad driver."""

from __future__ import annotations

import base64
import ctypes
import hashlib
import importlib.machinery
import importlib.metadata
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NOT_INSTALLED = "ONNX Runtime is not installed; pip install 'nav-onnx[cpu]' or 'nav-onnx[gpu]'"
NO_DEVICE = "no CUDA device"
_DAMAGED = (
    "the onnxruntime package is damaged, as happens when one of onnxruntime and onnxruntime-gpu is uninstalled after "
    "the other; pip install --force-reinstall 'nav-onnx[cpu]' or 'nav-onnx[gpu]'"
)
_NO_TENSORRT = (
    "the TensorRT provider needs libnvinfer.so.10, which is not found; "
    "put the libraries of TensorRT 10 on LD_LIBRARY_PATH"
)
_SECONDS = 60.0
_COUNT_DEVICES = """
import ctypes
cuda, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(0)
failed = cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count))
raise SystemExit(0 if count.value and not failed else 3)
"""
_LOAD_TENSORRT = "import ctypes; ctypes.CDLL('libnvinfer.so.10')"
_FLAVOURS = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-openvino",
    "onnxruntime-rocm",
    "onnxruntime-migraphx",
    "onnxruntime-qnn",
    "onnxruntime-directml",
    "onnxruntime-training",
    "ort-nightly",
    "ort-nightly-gpu",
)
_SELF_DESCRIPTION = "onnxruntime/capi/build_and_package_info.py"  # differs between the flavours: it holds their name


def why_no_cpu() -> str | None:
    """The reason why ONNX Runtime cannot run at all, or ``None``."""
    try:
        spec = importlib.util.find_spec("onnxruntime")
    except (ImportError, ValueError):
        spec = None
    return _installed(spec)


def _installed(spec: importlib.machinery.ModuleSpec | None) -> str | None:
    if spec is None:
        return NOT_INSTALLED
    return None if spec.origin else _DAMAGED


def why_no_cuda() -> str | None:
    """The reason why the CUDA provider cannot run, or ``None``. The device comes first: no package can bring one."""
    return why_no_cpu() or why_no_device() or _no_provider("CUDAExecutionProvider", "libonnxruntime_providers_cuda.so")


def why_no_tensorrt() -> str | None:
    """The reason why the TensorRT provider cannot run, or ``None``."""
    return (
        why_no_cpu()
        or why_no_device()
        or _no_provider("TensorrtExecutionProvider", "libonnxruntime_providers_tensorrt.so")
        or (None if _child_agrees(_LOAD_TENSORRT) else _NO_TENSORRT)
    )


def _no_provider(provider: str, library: str) -> str | None:
    spec = importlib.util.find_spec("onnxruntime")
    folders = spec.submodule_search_locations or () if spec else ()
    if any(Path(folder, "capi", library).exists() for folder in folders):
        return None
    return f"the installed onnxruntime has no {provider}; pip install 'nav-onnx[gpu]'"


def why_no_device() -> str | None:
    """``None`` where the driver finds a CUDA device, else the reason why not."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return NO_DEVICE
    # A child asks the driver: initialising it here would spoil CUDA in every later fork of this process, and a
    # broken driver may kill whoever asks.
    return None if _child_agrees(_COUNT_DEVICES) else NO_DEVICE


def _child_agrees(script: str) -> bool:
    try:
        ended = subprocess.run(
            [sys.executable, "-I", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0


def installed_twice(search: Sequence[str] | None = None) -> str | None:
    """A warning when several distributions claim the ``onnxruntime`` folder, saying whose files lie there; or ``None``.

    pip lets ``onnxruntime`` and ``onnxruntime-gpu`` overwrite each other without a word. ``search`` are the folders to
    look in, by default ``sys.path``.
    """
    folders = list(sys.path if search is None else search)
    found = {
        name: distribution
        for name in _FLAVOURS
        for distribution in importlib.metadata.distributions(name=name, path=folders)
    }
    if len(found) < 2:
        return None
    spec = importlib.machinery.PathFinder.find_spec("onnxruntime", folders)
    locations = spec.submodule_search_locations or () if spec else ()
    present = {_digest(Path(folder).parent / _SELF_DESCRIPTION) for folder in locations}
    names = " and ".join(f"{name} {distribution.version}" for name, distribution in found.items())
    winners = [name for name, distribution in found.items() if _recorded_digest(distribution) in present]
    verdict = (
        f"the files of {winners[0]}, installed last, are the ones that run"
        if len(winners) == 1
        else "it cannot be told whose files are the ones that run"
    )
    return f"{names} are installed into the same folder, and {verdict}; uninstall all of them and install one."


def _digest(file: Path) -> str | None:
    """SHA-256 in the spelling of a wheel's RECORD: URL-safe base64 without padding."""
    if not file.is_file():
        return None
    return base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).rstrip(b"=").decode()


def _recorded_digest(distribution: importlib.metadata.Distribution) -> str:
    for file in distribution.files or ():
        if file.as_posix() == _SELF_DESCRIPTION and file.hash is not None:
            return file.hash.value
    return "not recorded"
