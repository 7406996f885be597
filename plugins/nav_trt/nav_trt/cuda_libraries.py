"""The CUDA runtime that pip installed, found and loaded where the dynamic linker does not look."""

from __future__ import annotations

import ctypes
import os
import site
import sys
from collections.abc import Iterator
from pathlib import Path

from navcore import OptionError, Unavailable

_PATTERNS = ("nvidia/cu1*/lib", "nvidia/*/lib", "tensorrt_libs", "tensorrt_rtx_libs")
_RUNTIMES = ("libcudart.so.13", "libcudart.so.12")


def library_folders() -> Iterator[Path]:
    """Folders with libraries of the CUDA wheels: one per major version since 13, one per library before."""
    roots = dict.fromkeys(Path(part) for part in (*sys.path, *site.getsitepackages(), site.getusersitepackages()))
    for root in roots:
        for pattern in _PATTERNS:
            yield from sorted(folder for folder in root.glob(pattern) if folder.is_dir())


def load_cuda_runtime() -> ctypes.CDLL | None:
    """The CUDA runtime, the newest first, shared with every library that is loaded later; ``None`` if there is none."""
    for name in _RUNTIMES:
        for candidate in (name, *(str(folder / name) for folder in library_folders())):
            try:
                return ctypes.CDLL(candidate, mode=ctypes.RTLD_GLOBAL)
            except OSError:
                continue
    return None


def select_device(device: str | None) -> int:
    """Make ``"cuda:N"`` the device of this thread, and return N. ``None`` and ``"cuda"`` mean device 0.

    Raises :class:`OptionError` for a device that is no CUDA device, :class:`Unavailable` when it cannot be had.
    """
    kind, _, number = (device or "cuda").partition(":")
    if kind != "cuda" or not (number or "0").isdigit():
        raise OptionError(f"TensorRT runs on a CUDA device, not on {device!r}.", hint="Give device='cuda' or 'cuda:1'.")
    index = int(number or 0)
    runtime = load_cuda_runtime()
    if runtime is None:
        raise Unavailable(
            "The CUDA runtime library (libcudart) is not found.", hint="Install it: pip install nvidia-cuda-runtime"
        )
    code = runtime.cudaSetDevice(index)
    if code:
        raise Unavailable(f"cuda:{index} cannot be used: the CUDA runtime answers with error {code}.")
    return index


def lend_runtime_to_polygraphy() -> None:
    """Let Polygraphy use the CUDA runtime that is loaded here: by itself it knows no folder of CUDA 13's wheels.

    It looks once per process, through ``LD_LIBRARY_PATH``, which is set for that moment only.
    """
    from polygraphy import cuda

    folder = _runtime_folder()
    if folder is None:
        return
    before = os.environ.get("LD_LIBRARY_PATH")
    os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, (str(folder), before)))
    try:
        cuda.wrapper()
    finally:
        if before is None:
            del os.environ["LD_LIBRARY_PATH"]
        else:
            os.environ["LD_LIBRARY_PATH"] = before


def _runtime_folder() -> Path | None:
    """The folder of the CUDA runtime that :func:`load_cuda_runtime` gives, read from the process's own memory map."""
    runtime = load_cuda_runtime()
    name = "" if runtime is None else Path(str(runtime._name)).name
    lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    files = (Path(parts[5]) for parts in (line.split(maxsplit=5) for line in lines) if len(parts) == 6)
    return next((file.parent for file in files if name and file.name.startswith(name)), None)
