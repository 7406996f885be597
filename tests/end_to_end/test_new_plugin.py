"""A new project that starts from ONNX passes its own test as it stands, on what PyTorch's exporter really writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from navcore.cli.plugin_template import write_plugin


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["converter", "runner"])
def test_a_project_that_starts_from_onnx_passes_its_own_test(kind: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    write_plugin("my_format", project, kind=kind, source="onnx")
    # Further models are PyTorch's: that navcore's plugins are right for them is for their own tests.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-k", "not further_models"],
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(project), *(path for path in sys.path if path)]),
            "NAVCORE_EXTRA_PLUGINS": "my_format=nav_my_format",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
