"""What is true of engines that were built on a machine that may not be able to run them."""

from __future__ import annotations

import navcore as nav
from nav_trt.availability import why_no_rtx, why_no_tensorrt
from navcore.workspace.results import FormatResult, Status

ENGINES = ("trt-rtx-fp32", "trt-rtx-fp16")


def assert_built_and_unproven(package: nav.PackageDescriptor) -> None:
    """Both engines are there and of their type; where there is no device they are unverified and nothing is claimed."""
    rows = {str(row.format.name): row for row in package.results}
    assert rows["onnx"].status == Status.OK, str(package)
    assert rows["onnx-fp16"].status == Status.OK, str(package)
    for name in ENGINES:
        assert_engine(package, rows[name])
        assert f"{name.removeprefix('trt-rtx-')}" in rows[name].facts["layers"]
    without = why_no_rtx()
    for name in ENGINES if without else ():
        (runtime,) = rows[name].runtimes
        assert (rows[name].status, runtime.status) == (Status.UNVERIFIED, Status.UNAVAILABLE)
        assert runtime.failure is not None
        assert runtime.failure.cause == without
        assert not package.get_status(name)
    if why_no_tensorrt():
        assert {rows["trt-fp32"].status, rows["trt-fp16"].status} == {Status.UNAVAILABLE}


def assert_engine(package: nav.PackageDescriptor, row: FormatResult) -> None:
    """The file is a plan of TensorRT-RTX, and the record says by which version it was built."""
    assert row.path is not None, str(package)
    assert (package.workspace / row.path).stat().st_size > 1000
    assert row.facts["flavour"] == "tensorrt-rtx"
    assert row.facts["version"][0].isdigit()
