"""docs/first-plugin.md is true: its module is a plugin, conforms, and is used as the page says, in 25 lines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "first-plugin.md").read_text()
MODULE, TEST, USE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(PROJECT,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The page's files, where the page puts them."""
    (tmp_path / "nav_gz.py").write_text(MODULE)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_conformance.py").write_text(TEST)
    (tmp_path / "use.py").write_text(USE)
    return tmp_path


def python(project: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(project), *(path for path in sys.path if path)]),
            "NAVCORE_EXTRA_PLUGINS": "gz=nav_gz",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_has_as_many_lines_as_the_title_says() -> None:
    (title,) = re.findall(r"^# .* in (\d+) lines$", PAGE, re.MULTILINE)
    assert len([line for line in MODULE.splitlines() if line.strip()]) <= int(title)


def test_the_entry_point_names_the_module() -> None:
    assert tomllib.loads(PROJECT)["project"]["entry-points"]["navcore.v1"] == {"gz": "nav_gz"}


@pytest.mark.slow
def test_it_conforms(project: Path) -> None:
    told = python(project, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "tests")
    assert " passed" in told
    assert "skipped" not in told


@pytest.mark.slow
def test_it_is_used_as_the_page_says(project: Path) -> None:
    assert "gz-onnxruntime" in python(project, "use.py")
