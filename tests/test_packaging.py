"""What the projects of the tree become: every module is in the wheel, and each version stands in one place."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PROJECTS = {"navcore": ROOT} | {
    path.parent.name: path.parent
    for place in ("plugins", "examples")
    for path in ROOT.glob(f"{place}/*/pyproject.toml")
}
# The name of one of our distributions, then anything but a range: `nav-torch 0.1.0`, `navcore==0.1.0`.
PINNED = r"(?:navcore|nav-[a-z]+)(?:\[[\w,]+\])?(?: *== *| +v?)"


def found(settings: dict[str, Any], project: Path) -> set[str]:
    """The packages that setuptools takes along, by the project's own words."""
    from setuptools import find_packages

    told = settings["tool"]["setuptools"]["packages"]
    if isinstance(told, list):
        return set(told)
    return set(find_packages(str(project), include=told["find"]["include"]))


def version_of(project: Path, name: str) -> str:
    (version,) = re.findall(r'^__version__ = "(.+)"$', (project / name / "__init__.py").read_text(), re.MULTILINE)
    return str(version)


@pytest.mark.parametrize(("name", "project"), PROJECTS.items(), ids=PROJECTS)
def test_every_folder_with_modules_is_a_package_of_the_wheel(name: str, project: Path) -> None:
    settings = tomllib.loads((project / "pyproject.toml").read_text())
    folders = {path.parent.relative_to(project) for path in (project / name).rglob("*.py")}
    wanted = {".".join(folder.parts) for folder in folders if "templates" not in folder.parts}

    assert wanted == {package for package in found(settings, project) if package.partition(".")[0] == name}
    assert settings["project"]["name"] == name.replace("_", "-")


@pytest.mark.parametrize(("name", "project"), PROJECTS.items(), ids=PROJECTS)
def test_a_version_stands_in_the_module_and_the_wheel_takes_it_from_there(name: str, project: Path) -> None:
    pytest.importorskip("setuptools", reason="setuptools is not installed to build with")
    settings = tomllib.loads((project / "pyproject.toml").read_text())
    assert "version" not in settings["project"]

    # A build has none of the requirements, so it must get along without importing the module.
    build = f"""
import sys
from setuptools import Distribution
from setuptools.config.pyprojecttoml import apply_configuration

blocked = ["{name}", "lazy_loader", "attrs", "numpy"]
sys.modules.update(dict.fromkeys(blocked))
print(apply_configuration(Distribution(), "pyproject.toml").get_version())
"""
    done = subprocess.run([sys.executable, "-c", build], cwd=project, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == version_of(project, name), done.stderr


@pytest.mark.parametrize(("name", "project"), PROJECTS.items(), ids=PROJECTS)
def test_no_page_and_no_template_repeats_a_version(name: str, project: Path) -> None:
    version = re.escape(version_of(project, name))
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *project.glob("*.md"), *project.rglob("*.template")]
    told = {page for page in pages if page.name != "CHANGELOG.md" and re.search(PINNED + version, page.read_text())}
    assert {str(page.relative_to(ROOT)) for page in told} == set()
