"""Torch-TensorRT as the only target where there is no GPU: what it is made from is made, verified and packed."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest
import torch

import navcore as nav
from nav_trt.torch_install import why_no_torch_trt

REASON = why_no_torch_trt()


@pytest.mark.skipif(REASON is None, reason="Torch-TensorRT is usable here, so nothing is for later")
def test_torch_trt_alone_leaves_what_it_is_made_from(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh()).eval()
    data = [torch.randn(2, 4) for _ in range(3)]
    formats = ["torch-trt-script-fp32", "torch-trt-trace-fp32"]
    told = str(nav.plan(model, targets=formats))
    assert f"from torchscript-script, elsewhere: {REASON}" in told
    assert f"from torch-exportedprogram, elsewhere: {REASON}" in told
    package = nav.run(model, data, targets=formats, workdir=tmp_path / "home", run_profiling=False, git_info=False)
    assert {row.format.name: str(row.status) for row in package.results} == {
        "torch": "ok",
        "torchscript-script": "ok",
        "torch-exportedprogram": "ok",
        "torch-trt-script-fp32": "unavailable",
        "torch-trt-trace-fp32": "unavailable",
    }
    package.save(tmp_path / "x.nav")
    assert {"torchscript-script/model.pt", "torch-exportedprogram/model.pt2"} <= set(
        ZipFile(tmp_path / "x.nav").namelist()
    )
    there = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", trust=True, run_profiling=False)
    assert there.get_status("torchscript-script")
    rows = {row.format.name: row for row in there.results}
    for name, source in zip(formats, ("torchscript-script", "torch-exportedprogram"), strict=True):
        assert rows[name].made_from == source
        failure = rows[name].failure
        assert failure is not None
        assert REASON in failure.cause
