"""What ``pip install navcore nav-torch nav-trt`` gives: the session wheels runs it, where there is no ONNX Runtime."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

import navcore as nav


def main() -> None:
    """Every TensorRT row is there with its reason, and ONNX is made although nothing here can run it."""
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 4))
    package = nav.torch.export(
        model=model, dataloader=[torch.randn(4, 8) for _ in range(4)], override_workdir=True, run_profiling=False
    )
    print(package)
    rows = {row.format.name: row for row in package.results}
    expected = {"onnx", "torchscript-script", "torchscript-trace", "trt-fp32", "trt-fp16"}
    assert expected <= set(rows), sorted(rows)
    assert package.get_status("torchscript", jit_type="trace")
    assert rows["onnx"].path is not None
    assert Path(package.workspace, rows["onnx"].path).is_file()
    if importlib.util.find_spec("onnxruntime") is None:
        assert not package.get_status("onnx")
        told = {runtime.failure.cause for runtime in rows["onnx"].runtimes if runtime.failure}
        assert any("ONNX Runtime is not installed; pip install 'nav-onnx[cpu]'" in cause for cause in told), told
    for name in ("trt-fp32", "trt-fp16"):
        reason = rows[name].failure
        assert package.get_status(name) or (reason is not None and reason.cause), name


main()
