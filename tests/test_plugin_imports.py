"""No module of a plugin or an example needs itself by a detour: at its top, in a function, or for a type checker."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from .shipped_sources import PROJECTS, modules, public_names


def imports_of(path: Path, known: Mapping[str, Path]) -> set[str]:
    """Which of the known modules a file imports, wherever in it the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else str(node.module))
    return found.intersection(known)


def circle_in(known: Mapping[str, Path]) -> list[str]:
    """The modules of a circle, in order; none when there is none."""
    graph = {name: imports_of(path, known) - {name} for name, path in known.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("package", PROJECTS)
def test_no_plugin_has_a_circle(package: str) -> None:
    assert circle_in(modules(package)) == []


def test_no_circle_runs_through_several_plugins() -> None:
    every = {name: path for package in PROJECTS for name, path in modules(package).items()}
    assert circle_in(every) == []


def test_the_test_sees_a_circle_of_late_imports(tmp_path: Path) -> None:
    first, second = tmp_path / "first.py", tmp_path / "second.py"
    first.write_text("from nav_x.second import b\n")
    second.write_text("def b():\n    from nav_x import first\n")
    known = {"nav_x": tmp_path / "__init__.py", "nav_x.first": first, "nav_x.second": second}
    known["nav_x"].write_text("from nav_x.first import a\n")
    assert set(circle_in(known)) == {"nav_x.first", "nav_x.second"}


def test_the_test_reads_every_plugin() -> None:
    ours = {"nav_huggingface", "nav_onnx", "nav_openvino", "nav_tf", "nav_torch", "nav_triton", "nav_trt"}
    assert {*ours, "nav_litert", "nav_trace"} <= set(PROJECTS)
    assert "nav_torch.exportable.mixin" in modules("nav_torch")
    assert "Exportable" in public_names("nav_torch")
