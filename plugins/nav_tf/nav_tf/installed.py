"""Why TensorFlow, or TensorRT inside TensorFlow, cannot be used on this machine; nothing here imports TensorFlow."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

NOT_INSTALLED = (
    "TensorFlow is not installed; pip install 'nav-tf[cpu]' ('nav-tf[gpu]' with CUDA, 'nav-tf[tensorflow]' elsewhere)"
)
OLDEST = (2, 16)
FIRST_WITHOUT_TENSORRT = (2, 18)
# The distributions that bring the package: NVIDIA's containers and nightly builds have names of their own.
_DISTRIBUTIONS = (
    "tensorflow",
    "tensorflow-cpu",
    "tensorflow-intel",
    "tensorflow-macos",
    "tensorflow-gpu",
    "tensorflow-rocm",
    "tf-nightly",
    "tf-nightly-cpu",
    "nvidia-tensorflow",
)
_SECONDS = 120.0
# `get_loaded_tensorrt_version` is left alone: it ends the process where the library is missing.
_ASK_TENSORFLOW = """
import json
import tensorflow as tf
from tensorflow.compiler.tf2tensorrt import _pywrap_py_utils as trt
built = bool(tf.sysconfig.get_build_info().get("is_tensorrt_build", False))
answer = {"version": tf.__version__, "built": built, "linked": list(trt.get_linked_tensorrt_version())}
answer["enabled"] = built and bool(trt.is_tensorrt_enabled())
answer["devices"] = len(tf.config.list_physical_devices("GPU"))
print("\\n" + json.dumps(answer))
"""


def tensorflow_version() -> str | None:
    """The version of the installed TensorFlow, from its metadata; ``None`` where there is none."""
    for name in _DISTRIBUTIONS:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def why_no_tensorflow() -> str | None:
    """The reason why TensorFlow cannot be used, or ``None``."""
    try:
        spec = importlib.util.find_spec("tensorflow")
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin:  # a folder without code is what uninstalling one of two leaves behind
        return NOT_INSTALLED
    found = tensorflow_version()
    if found is not None and release(found) < OLDEST:
        return f"TensorFlow {found} is installed, and nav-tf needs {OLDEST[0]}.{OLDEST[1]} or newer"
    return None


def why_no_tensorrt() -> str | None:
    """The reason why TensorFlow cannot make or run TensorRT engines, or ``None``.

    Releases from 2.18 are known to be built without it. Older ones, and those whose version cannot be told, are asked
    in a child process: what the build says decides there, since vendors build their own.
    """
    missing = why_no_tensorflow()
    if missing:
        return missing
    found = tensorflow_version()
    if found is not None and release(found) >= FIRST_WITHOUT_TENSORRT and not _vendor_build(found):
        return _without_tensorrt(found)
    return _asked()


def release(text: str) -> tuple[int, ...]:
    """The first two numbers of a version (``"2.18.0rc1"`` → ``(2, 18)``)."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def _vendor_build(text: str) -> bool:
    """Whether the version carries a local part (``2.17.0+nv25.2``), as builds of vendors do."""
    return "+" in text


def _without_tensorrt(found: str) -> str:
    return (
        f"TensorFlow {'.'.join(str(part) for part in release(found))} was built without TensorRT (removed in 2.18); "
        "use SavedModel → ONNX → TensorRT"
    )


def _asked() -> str | None:
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _ASK_TENSORFLOW],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        answer = json.loads(ended.stdout.splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
        return "TensorFlow could not be asked whether it was built with TensorRT"
    return judged(answer)


def judged(answer: dict[str, object]) -> str | None:
    """What TensorFlow's answer about itself means: a reason, or ``None`` when engines can be made."""
    if not answer["built"]:
        return _without_tensorrt(str(answer["version"]))
    if not answer["enabled"]:
        linked = ".".join(str(part) for part in answer["linked"]) if isinstance(answer["linked"], list) else "?"
        return f"TensorFlow {answer['version']} needs the libraries of TensorRT {linked}, which are not found"
    return None if answer["devices"] else "no CUDA device"
