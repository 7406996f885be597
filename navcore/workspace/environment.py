"""The machine, its software and the user's repository, as status.yaml records them."""

from __future__ import annotations

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
    facts = _proc_pairs("/proc/cpuinfo")
    cores = {(block.get("physical id"), block.get("core id")) for block in facts if "core id" in block}
    frequency = Path("/sys/devices/system/cpu/cpu0/cpufreq")
    return {
        "name": facts[0].get("model name", platform.machine()) if facts else platform.machine(),
        "physical_cores": len(cores) or None,
        "logical_cores": os.cpu_count(),
        "min_frequency": _megahertz(frequency / "cpuinfo_min_freq"),
        "max_frequency": _megahertz(frequency / "cpuinfo_max_freq"),
    }


def _proc_pairs(path: str) -> list[dict[str, str]]:
    try:
        text = Path(path).read_text()
    except OSError:
        return []
    blocks = [block for block in text.split("\n\n") if block.strip()]
    pairs = [[line.partition(":") for line in block.splitlines()] for block in blocks]
    return [{key.strip(): value.strip() for key, _, value in block} for block in pairs]


def _megahertz(path: Path) -> float | None:
    try:
        return int(path.read_text()) / 1000
    except (OSError, ValueError):
        return None


def _memory() -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{total / 2**30:.1f}G"


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
