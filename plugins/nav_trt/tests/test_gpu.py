"""Engines on a real device: built, run, verified. Skipped where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import navcore as nav
from nav_trt.availability import why_no_rtx, why_no_tensorrt
from navcore import NavcoreError, Status

pytestmark = pytest.mark.gpu


def export(file: Path, images: list[np.ndarray], folder: Path, *targets: str) -> nav.PackageDescriptor:
    return nav.run(file, images, targets=targets, workdir=folder, run_profiling=False, git_info=False)


def statuses(package: nav.PackageDescriptor, runtime: str) -> dict[str, Status]:
    return {row.format.name: one.status for row in package.results for one in row.runtimes if one.runtime == runtime}


def skip_without(reason: str | None) -> None:
    if reason is not None:
        pytest.skip(reason)


@pytest.mark.tensorrt
def test_tensorrt_engines_are_verified(picture_file: Path, images: list[np.ndarray], tmp_path: Path) -> None:
    skip_without(why_no_tensorrt())
    names = ("trt-fp32", "trt-tf32", "trt-fp16", "trt-bf16")
    found = statuses(export(picture_file, images, tmp_path, *names), "TensorrtExecutionProvider")
    assert {name: found[name] for name in names} == dict.fromkeys(names, Status.OK)


def test_rtx_engines_are_verified(picture_file: Path, images: list[np.ndarray], tmp_path: Path) -> None:
    skip_without(why_no_rtx())
    names = ("trt-rtx-fp32", "trt-rtx-tf32", "trt-rtx-fp16", "trt-rtx-bf16")
    found = statuses(export(picture_file, images, tmp_path, *names), "trt-rtx")
    assert found == dict.fromkeys(names, Status.OK)


def test_the_casts_are_verified_on_cuda(picture_file: Path, images: list[np.ndarray], tmp_path: Path) -> None:
    from nav_onnx.availability import why_no_cuda

    skip_without(why_no_cuda())
    names = ("onnx-fp16", "onnx-bf16")
    found = statuses(export(picture_file, images, tmp_path, *names), "CUDAExecutionProvider")
    assert {name: found[name] for name in names} == dict.fromkeys(names, Status.OK)


def test_a_size_outside_the_profile_is_a_clear_error(
    picture_file: Path, images: list[np.ndarray], tmp_path: Path
) -> None:
    skip_without(why_no_rtx())
    package = export(picture_file, images, tmp_path, "trt-rtx-fp32")
    with package.open_runner("trt-rtx-fp32", runtime="trt-rtx") as runner:
        with pytest.raises(NavcoreError, match=r"does not take image \[9, 3, 8, 8\]"):
            runner({"image": np.zeros((9, 3, 8, 8), np.float32)})
        with pytest.raises(NavcoreError, match="'image' is float64, and the engine takes float32"):
            runner({"image": np.zeros((2, 3, 8, 8))})
