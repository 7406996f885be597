"""A package that was made where no card was seen is made whole, verified and measured on the card."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import navcore as nav

pytestmark = pytest.mark.gpu

AT_HOME = """
import sys
import torch
import navcore as nav

assert not torch.cuda.is_available()
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 4)).eval()
data = [torch.randn(4, 16) for _ in range(4)]
targets = ["onnx", "torchscript-trace", "torch-exportedprogram", "trt-fp32"]
package = nav.run(model, data, targets=targets, workdir=sys.argv[1] + "/home", run_profiling=False, git_info=False)
assert package.get_status("torchscript-trace"), str(package)
package.save(sys.argv[1] + "/model.nav")
"""


def test_a_package_made_on_a_cpu_goes_on_where_the_card_is(tmp_path: Path) -> None:
    blind = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-c", AT_HOME, str(tmp_path)], check=True, env=blind)
    package = nav.load(
        tmp_path / "model.nav",
        workdir=tmp_path / "here",
        trust=True,
        device="cuda",
        retest_conversions=True,
        profiler_config=nav.ProfilerConfig(measurement_interval=50),
    )
    rows = {row.format.name: row for row in package.results}
    for name in ("torchscript-trace", "torch-exportedprogram"):
        (one,) = rows[name].runtimes
        assert str(one.status) == "ok", str(package)
        assert not one.elsewhere
        assert one.provider.startswith("cuda")
        assert one.performance
    assert "onnx" in rows
    engine = rows["trt-fp32"]
    assert str(engine.status) == "ok" or engine.failure is not None, str(package)
