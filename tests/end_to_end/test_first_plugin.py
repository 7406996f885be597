"""The pages about a first plugin are true, one for each kind: the module is a plugin, conforms, and is used as told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import attrs
import pytest

from navcore.cli.plugin_template import KINDS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    "live": "first-live-plugin.md",
    "converter": "first-plugin.md",
    "source": "first-source-plugin.md",
    "runner": "first-runner-plugin.md",
    "profiler": "first-profiler-plugin.md",
}
SEEN = {
    "live": "poly-horner",
    "converter": "gz-onnxruntime",
    "source": "linear-numpy",
    "runner": "pyref-evaluator",
    "profiler": "CPU time, by cputime",
}
"""What the table of each page's last part shows."""


@attrs.frozen
class Page:
    """What a page has: its code, what it calls the file of its module, and how many lines its title promises."""

    name: str
    lines: int
    module: str
    test: str
    use: str
    project: str

    @property
    def plugin(self) -> str:
        return self.name.removeprefix("nav_")


def read(kind: str) -> Page:
    text = (DOCS / PAGES[kind]).read_text()
    module, test, use = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (project,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (lines,) = re.findall(r"^# .* in (\d+) lines$", text, re.MULTILINE)
    (name,) = re.findall(r"^`(nav_\w+)\.py`:$", text, re.MULTILINE)
    return Page(name, int(lines), module, test, use, project)


@pytest.fixture(params=PAGES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(kind: str, tmp_path: Path) -> Path:
    """The page's files, where the page puts them."""
    page = read(kind)
    (tmp_path / f"{page.name}.py").write_text(page.module)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_conformance.py").write_text(page.test)
    (tmp_path / "use.py").write_text(page.use)
    return tmp_path


def python(page: Page, project: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(project), *(path for path in sys.path if path)]),
            "NAVCORE_EXTRA_PLUGINS": f"{page.plugin}={page.name}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_is_a_page_for_each_kind() -> None:
    assert set(PAGES) == set(KINDS)
    listed = (DOCS.parent / "mkdocs.yml").read_text()
    assert all(f": {page}" in listed for page in PAGES.values())


def test_it_has_as_many_lines_as_the_title_says(kind: str) -> None:
    page = read(kind)
    assert len([line for line in page.module.splitlines() if line.strip()]) <= page.lines


def test_the_entry_point_names_the_module(kind: str) -> None:
    page = read(kind)
    assert tomllib.loads(page.project)["project"]["entry-points"]["navcore.v1"] == {page.plugin: page.name}


@pytest.mark.slow
def test_it_conforms(kind: str, project: Path) -> None:
    told = python(read(kind), project, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "tests")
    assert " passed" in told
    assert "skipped" not in told


@pytest.mark.slow
def test_it_is_used_as_the_page_says(kind: str, project: Path) -> None:
    assert SEEN[kind] in python(read(kind), project, "use.py")
