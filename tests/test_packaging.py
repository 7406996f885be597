"""Every module of the tree is in the wheel of its project: a folder that is forgotten is missed only by users."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PROJECTS = [ROOT, *sorted((ROOT / "plugins").iterdir()), ROOT / "examples" / "nav_openvino"]


def found(settings: dict[str, Any], project: Path) -> set[str]:
    """The packages that setuptools takes along, by the project's own words."""
    from setuptools import find_packages

    told = settings["tool"]["setuptools"]["packages"]
    if isinstance(told, list):
        return set(told)
    return set(find_packages(str(project), include=told["find"]["include"]))


@pytest.mark.parametrize("project", [project for project in PROJECTS if (project / "pyproject.toml").is_file()])
def test_every_folder_with_modules_is_a_package_of_the_wheel(project: Path) -> None:
    settings = tomllib.loads((project / "pyproject.toml").read_text())
    module = settings["project"]["name"].replace("-", "_")
    folders = {path.parent.relative_to(project) for path in (project / module).rglob("*.py")}
    wanted = {".".join(folder.parts) for folder in folders if "templates" not in folder.parts}

    assert wanted == {name for name in found(settings, project) if name.partition(".")[0] == module}
