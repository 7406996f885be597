"""The machine, its software and the user's repository, as status.yaml records them."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from navcore.workspace.digests import digest

# The packages and container variables whose versions the reference API records, and CPU onnxruntime, which it forgot.
PACKAGES = (
    "tensorflow", "tensorflow-cpu", "torch", "torch-tensorrt", "torchtext", "torchvision", "tensorrt", "tensorrt-rtx",
    "tritonclient", "triton-model-analyzer", "xgboost", "tensorboard", "tensorboard-data-server",
    "tensorboard-plugin-wit", "polygraphy", "onnx", "onnxruntime", "onnxruntime-gpu", "onnx-graphsurgeon",
    "onnxscript", "openvino", "numpy", "tf2onnx", "navcore",
)  # fmt: skip
LIBRARIES = (
    "CUDA_VERSION", "CUDNN_VERSION", "TRT_VERSION", "CUBLAS_VERSION", "CUDA_DRIVER_VERSION", "NCCL_VERSION",
    "NVIDIA_PYTORCH_VERSION", "NVIDIA_TENSORFLOW_VERSION", "NVIDIA_TRITON_SERVER_VERSION", "OPENMPI_VERSION",
)  # fmt: skip


def describe_environment() -> dict[str, Any]:
    """CPU, memory, GPU, operating system, Python and packages, under the reference API's keys."""
    return {
        "cpu": _cpu(),
        "memory": _memory(),
        "gpu": _gpu(),
        "os": {"name": platform.system(), "platform": platform.platform(), "release": platform.release()},
        "python_version": platform.python_version(),
        "python_packages": {name: version for name in PACKAGES if (version := _version(name))},
        "libraries": {name: os.environ[name] for name in LIBRARIES if name in os.environ},
    }


def hardware_key() -> str:
    """What a measurement belongs to: the CPU, how much of it this process may use, and the GPU."""
    return digest(_cpu(), len(os.sched_getaffinity(0)), _gpu())


@cache
def _cpu() -> dict[str, Any]:
    import psutil

    try:
        frequency = psutil.cpu_freq()
    except (OSError, NotImplementedError):  # a machine, or a container, that does not tell
        frequency = None
    return {
        "name": _cpu_name(),
        "physical_cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(),
        "min_frequency": (frequency.min or None) if frequency is not None else None,
        "max_frequency": (frequency.max or None) if frequency is not None else None,
    }


def _cpu_name() -> str:
    """What the processor calls itself, which psutil does not tell."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> str:
    import psutil

    return f"{psutil.virtual_memory().total / 2**30:.1f}G"


@cache
def _gpu() -> dict[str, str]:
    """What ``nvidia-smi`` says of the first GPU; "n/a" without one."""
    missing = dict.fromkeys(("name", "driver_version", "memory", "tdp", "cuda_version"), "n/a")
    query = "--query-gpu=name,driver_version,memory.total,power.max_limit"
    try:
        answer = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return missing
    values = [part.strip() for part in answer.stdout.splitlines()[0].split(",")] if answer.stdout.strip() else []
    return {**missing, **dict(zip(("name", "driver_version", "memory", "tdp"), values, strict=False))}


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def describe_git(wanted: bool) -> dict[str, str | None]:
    """The repository and commit of the current folder; author and e-mail are never recorded."""
    empty: dict[str, str | None] = dict.fromkeys(("repository", "commit", "author", "email"))
    if not wanted:
        return empty
    remote, commit = _git("config", "--get", "remote.origin.url"), _git("rev-parse", "HEAD")
    return {**empty, "repository": _without_credentials(remote), "commit": commit}


def _git(*arguments: str) -> str | None:
    try:
        answer = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def _without_credentials(remote: str | None) -> str | None:
    """A remote's address may carry a user name or token before the '@'; neither belongs in a file that is shared."""
    if remote is None or "://" not in remote:
        return remote if remote is None else remote.rpartition("@")[2]
    scheme, _, rest = remote.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
