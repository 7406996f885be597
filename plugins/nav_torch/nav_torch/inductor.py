"""PyTorch's compiler, inductor: what it needs on this machine, and what it is told."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

_COMPILER = "g++"
_HINT = "install it (apt-get install g++), or name another in the variable CXX"


def why_no_compiler() -> str | None:
    """``None`` where there is the C++ compiler that inductor calls, else the reason why not."""
    named = os.environ.get("CXX")
    if shutil.which(named or _COMPILER) is not None:
        return None
    if named:
        return f"inductor needs a C++ compiler, and CXX names {named!r}, which is not there"
    return f"inductor needs a C++ compiler, and there is no {_COMPILER}: {_HINT}"


def why_no_torch_compile() -> str | None:
    """The same for torch.compile, whose kernels are modules of Python and need its headers."""
    if (reason := why_no_compiler()) is not None:
        return reason
    header = Path(sysconfig.get_path("include"), "Python.h")
    if header.exists():
        return None
    return f"torch.compile needs the headers of Python, and there is no {header}: apt-get install python3-dev brings it"


def settings() -> dict[str, Any]:
    """What inductor is told for every model.

    Weights are constants, which lets it fold and pack them. It compiles in this process: its helpers would outlive a
    step, and a fork of a process that has some would wait for them for ever. It precompiles headers with ``openssl``.
    """
    headers = shutil.which("openssl") is not None
    return {"freezing": True, "compile_threads": 1, "cpp_cache_precompile_headers": headers}


@contextmanager
def without_monitor() -> Iterator[None]:
    """Keep inductor's progress bar, which it shows to nobody, from starting a thread that stays."""
    try:
        tqdm: Any = import_module("tqdm").tqdm
    except ImportError:  # PyTorch does without it
        yield
        return
    before = tqdm.monitor_interval
    tqdm.monitor_interval = 0
    try:
        yield
    finally:
        tqdm.monitor_interval = before


def emulated_bf16(device: str) -> str:
    """The sentence for a processor that has no instructions for bfloat16; nothing for one that has, or a GPU."""
    if device != "cpu":
        return ""
    import torch

    has = torch.cpu.get_capabilities()
    native = any(has.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))
    if native and (not torch._C._has_mkldnn or torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return ""
    return "PyTorch has no instructions for bfloat16 here and emulates them, which may be slower than float32."
