"""Reasons are found without touching a TensorRT library, which would end the process where there is no driver."""

from __future__ import annotations

import subprocess
import sys

import pytest

import nav_onnx
from nav_trt import availability
from nav_trt.flavours import TENSORRT, why_not_installed

WITHOUT_DEVICE = availability.why_no_device() is not None


@pytest.mark.skipif(not WITHOUT_DEVICE, reason="there is a CUDA device here")
def test_without_a_device_rtx_builds_and_nothing_runs() -> None:
    assert availability.why_no_rtx_builder() is None
    assert availability.why_no_rtx() == availability.why_no_tensorrt() == "no CUDA device"


@pytest.mark.skipif(why_not_installed(TENSORRT) is None, reason="TensorRT is installed here")
def test_with_a_device_the_missing_package_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nav_onnx, "why_no_device", lambda: None)
    assert availability.why_no_tensorrt() == "TensorRT is not installed; pip install 'nav-trt[tensorrt]'"
    assert availability.why_no_rtx() is None


def test_asking_every_route_loads_no_library_and_no_framework() -> None:
    script = (
        "import sys\n"
        "import nav_trt\n"
        "heavy = ['torch', 'onnx', 'onnxruntime', 'tensorrt', 'tensorrt_rtx', 'polygraphy', 'torch_tensorrt']\n"
        "imported = [name for name in heavy if name in sys.modules]\n"
        "from navcore.registry import load_registry\n"
        "registry = load_registry()\n"
        "asked = [registry.unavailable(route) for route in registry.routes if route.owner == 'trt']\n"
        "heavy += ['polygraphy.backend.trt']\n"
        "print(imported, len(asked) >= 14, [name for name in heavy if name in sys.modules])\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert ended.stdout.strip() == "[] True []", ended.stderr
