"""Importing is light, every public name is there and explained, and wings use only the wings below them."""

from __future__ import annotations

import ast
import graphlib
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_origin

import pytest

import navcore
from navcore.registry.reserved_names import RESERVED, WINGS, WORDS

HOUSE = Path(navcore.__file__).parent
PAGE = HOUSE.parent / "docs" / "architecture.md"
FRAMEWORKS = ("torch", "tensorflow", "keras", "onnx", "onnxruntime", "tensorrt", "openvino", "polygraphy", "rich")
SITE = "navcore"  # the public namespace itself, navcore/__init__.py
VERSION = {"__version__"}  # a constant: whoever asks for it needs nothing else of the namespace


def loaded_after(code: str, *looked_for: str) -> set[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("NAVCORE_")}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"],
        env={**inherited, "NAVCORE_EXTRA_PLUGINS": "toy=navcore.testing.toy"},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1])).intersection(looked_for)


def test_importing_navcore_imports_next_to_nothing() -> None:
    assert loaded_after("import navcore", *FRAMEWORKS, "numpy", "attrs", "attr", "pluggy", "yaml", "click") == set()


def test_using_every_public_name_imports_no_framework() -> None:
    assert loaded_after("import navcore\nfor name in navcore.__all__: getattr(navcore, name)", *FRAMEWORKS) == set()


def test_a_child_starts_without_what_only_its_parent_or_another_step_needs() -> None:
    elsewhere = (
        "navcore.execution.isolation.supervisor",
        "navcore.sampling.take",
        "navcore.evaluation.verify_and_measure",
        "navcore.execution.call_server",
    )
    assert loaded_after("import navcore.execution.worker", *elsewhere, "importlib.metadata") == set()


def test_verifying_and_measuring_do_not_load_masked_arrays() -> None:
    code = (
        "import numpy as np\nfrom navcore.evaluation import distance\n"
        "from navcore.evaluation.stable_windows import measure\n"
        "from navcore import ProfilerConfig\n"
        "config = ProfilerConfig(measurement_mode='count_windows', measurement_request_count=5)\n"
        "measure(lambda: np.ones(5), call=lambda: None, config=config, batch_size=1)\n"
        "distance(np.ones(3, np.float32), np.ones(3, np.float32))"
    )
    brought_by_numpy = loaded_after("import numpy", "numpy.ma")  # by numpy 1
    assert loaded_after(code, "numpy.ma") <= brought_by_numpy, (
        "median and percentile take longer to load than to compute"
    )


@pytest.mark.parametrize("name", navcore.__all__)
def test_every_public_name_is_there_and_explained(name: str) -> None:
    assert explanation_of(name).strip(), f"navcore.{name} has no docstring"
    assert name in dir(navcore)


def explanation_of(name: str) -> str:
    """The docstring; of a type alias, which has none of its own, the text that stands below it."""
    value = getattr(navcore, name)
    if get_origin(value) is None:
        return value.__doc__ or ""
    for path in MODULES.values():
        for line, below in itertools.pairwise(ast.parse(path.read_text()).body):
            if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == name and isinstance(below, ast.Expr):
                return str(ast.literal_eval(below.value))
    return ""


def test_no_public_name_hides_a_module() -> None:
    modules = {path.stem for path in HOUSE.iterdir()}
    assert modules.isdisjoint(navcore.__all__)
    assert sorted(navcore.__all__) == sorted(set(navcore.__all__)), "a name is listed twice"


def test_the_reserved_names_are_the_public_ones_and_the_wings() -> None:
    words = {name for name in navcore.__all__ if not name[0].isupper()}
    assert words == WORDS
    assert {path.stem for path in HOUSE.iterdir() if path.stem[0].isalpha() and path.suffix in ("", ".py")} == WINGS
    page = (PAGE.parent / "stability.md").read_text()
    for name in sorted(RESERVED):
        assert f"`{name}`" in page, f"docs/stability.md does not say that {name} is reserved"


# The arrows.


def modules() -> dict[str, Path]:
    """Every module of the core by its dotted name."""
    found = {}
    for path in sorted(HOUSE.rglob("*.py")):
        parts = path.relative_to(HOUSE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports_of(module: str) -> Iterator[str]:
    """The modules of the core that a module imports: at its top, in a function, or for a type checker alone.

    The version is a constant: whoever asks the public namespace for it needs nothing else of it.
    """
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == SITE)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == SITE:
            assert node.level == 0, f"{module} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if alias.name not in VERSION:
                    yield inner if inner in MODULES else str(node.module)


def wing_of(module: str) -> str:
    return module.split(".")[1] if "." in module else SITE


def wings_in_order() -> list[str]:
    """The wings in the order of the table on the architecture page, of which each may use those before it."""
    table = PAGE.read_text().partition("| Wing | What lives there |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)/?`", table, re.MULTILINE)


def test_the_architecture_page_names_every_wing_once() -> None:
    assert sorted(wings_in_order()) == sorted({wing_of(module) for module in MODULES} - {SITE, "__main__"})


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_arrow_runs_up_and_every_arrow_goes_through_a_door(module: str) -> None:
    """Of another wing a module imports what its door offers; a wing uses only the wings below it."""
    if wing_of(module) in (SITE, "__main__"):
        return  # the public namespace hands out names of every wing, on demand
    height = {name: place for place, name in enumerate(wings_in_order())}
    for other in imports_of(module):
        wing = wing_of(other)
        if wing != wing_of(module):
            assert height.get(wing, len(height)) < height[wing_of(module)], f"{module} imports {other}, which is above"
            open_to_all = wing == "testing" or other == "navcore.contract.hookspecs"  # pluggy wants that module itself
            assert other.count(".") == 1 or open_to_all, f"{module} imports {other}, not from the door navcore.{wing}"


def test_the_contract_is_the_minimal_core() -> None:
    """The four hooks and the values they speak in stand on numpy, attrs, pluggy and the errors, and on nothing else."""
    allowed = {*sys.stdlib_module_names, "numpy", "ml_dtypes", "attrs", "pluggy", "lazy_loader"}
    for module, path in MODULES.items():
        if wing_of(module) != "contract":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                own = name.startswith("navcore.contract") or name == "navcore.errors"
                assert own or name.partition(".")[0] in allowed, f"{module} imports {name}"


def test_no_module_needs_itself_by_a_detour() -> None:
    """Doors open on demand, so what counts is where the asked-for names live."""
    homes = {}
    for door in (path.with_suffix(".py") for path in HOUSE.rglob("__init__.pyi")):
        package = ".".join(door.relative_to(HOUSE.parent).parts[:-1])
        for node in ast.parse(door.with_suffix(".pyi").read_text()).body:
            if isinstance(node, ast.ImportFrom):
                homes |= {(package, alias.name): f"{package}.{node.module or alias.name}" for alias in node.names}

    def home(package: str, name: str) -> str:
        while (package, name) in homes:
            package = homes[package, name]
        return package

    def needed(module: str) -> set[str]:
        found = set()
        for node in ast.walk(ast.parse(MODULES[module].read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == SITE:
                found |= {
                    inner if (inner := f"{node.module}.{alias.name}") in MODULES else home(str(node.module), alias.name)
                    for alias in node.names
                    if alias.name not in VERSION
                }
        return found - {module}

    graph = {module: needed(module) for module in MODULES if module != SITE}
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        pytest.fail(f"imports go round in a circle: {' <- '.join(error.args[1])}")


def test_the_test_sees_an_arrow_when_there_is_one() -> None:
    assert "navcore.errors" in set(imports_of("navcore.contract.formats"))
    assert "navcore.registry" in set(imports_of("navcore")), "also inside a function"
    assert "navcore.workspace" in set(imports_of("navcore.planning.arguments")), "also for type checkers"


def test_the_package_runs_as_a_module() -> None:
    told = subprocess.run([sys.executable, "-m", "navcore", "--version"], capture_output=True, text=True, check=True)
    assert told.stdout == f"navcore {navcore.__version__}\n"
