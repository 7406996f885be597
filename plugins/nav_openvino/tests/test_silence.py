"""Nothing is counted or reported, and what is not installed is told without importing anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from nav_openvino.silence import why_no_nncf, why_no_openvino

QUANTISED = """
import numpy as np
from nav_openvino.silence import nncf, openvino
ov = openvino()
from openvino import opset13 as op
x = op.parameter([-1, 4], np.float32, name="x")
model = ov.Model([op.matmul(x, op.constant(np.eye(4, dtype=np.float32)), False, False)], [x])
nncf().quantize(model, nncf().Dataset([np.ones((1, 4), np.float32)]), subset_size=1)
"""


@pytest.mark.parametrize(
    "code", ["from nav_openvino.silence import openvino; openvino().Core()", QUANTISED], ids=["openvino", "nncf"]
)
def test_using_it_for_a_step_leaves_no_statistics(tmp_path: Path, code: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    check = f"{code}\nimport openvino_telemetry"  # it is installed, and can still be imported by whoever wants to
    subprocess.run([sys.executable, "-c", check], env={**environment, "HOME": str(tmp_path)}, check=True)
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_told_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", ModuleType("nncf"))
    assert why_no_openvino() is None
    assert why_no_nncf() == 'NNCF is not installed: pip install "nav-openvino[int8]"'
    monkeypatch.setitem(sys.modules, "openvino", ModuleType("openvino"))
    assert why_no_openvino() == why_no_nncf() == "OpenVINO is not installed: pip install openvino"
