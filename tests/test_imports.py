"""Importing is light, every public name is there and explained, and rooms import only the rooms above them."""

from __future__ import annotations

import ast
import graphlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import navcore

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
    elsewhere = ("navcore.isolation.supervision", "navcore.sampling.taking", "navcore.checking", "navcore.serving")
    assert loaded_after("import navcore.worker", *elsewhere, "importlib.metadata") == set()


def test_verifying_and_measuring_do_not_load_masked_arrays() -> None:
    code = (
        "import numpy as np\nfrom navcore.differences import distance\nfrom navcore.measuring import measure\n"
        "from navcore.profiling import ProfilerConfig\n"
        "config = ProfilerConfig(measurement_mode='count_windows', measurement_request_count=5)\n"
        "measure(lambda: np.ones(5), call=lambda: None, config=config, batch_size=1)\n"
        "distance(np.ones(3, np.float32), np.ones(3, np.float32))"
    )
    assert loaded_after(code, "numpy.ma") == set(), "numpy's median and percentile take longer to load than to compute"


@pytest.mark.parametrize("name", navcore.__all__)
def test_every_public_name_is_there_and_explained(name: str) -> None:
    value = getattr(navcore, name)
    assert (value.__doc__ or "").strip(), f"navcore.{name} has no docstring"
    assert name in dir(navcore)


def test_no_public_name_hides_a_module() -> None:
    modules = {path.stem for path in HOUSE.iterdir()}
    assert modules.isdisjoint(navcore.__all__)
    assert navcore.__all__ == sorted(navcore.__all__)
    assert navcore.__all__ == sorted(navcore._PUBLIC)


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
    """The modules of the core that a module imports when it is imported, or when one of its functions runs.

    What only a type checker sees does not count: it cannot make anything run in the wrong order.
    """
    tree = ast.parse(MODULES[module].read_text())
    of_the_site = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == SITE
    }
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names if alias.name.partition(".")[0] == SITE}
            yield from names if of_the_site != VERSION else names - {SITE}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == SITE:
            assert node.level == 0, f"{module} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if alias.name not in VERSION:
                    yield inner if inner in MODULES else str(node.module)


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else SITE


# Why an arrow may point the other way.
ALLOWED = {
    ("registry", SITE): "a plugin's name must not hide a name of navcore, so the names have to be looked at",
}


def test_no_module_needs_itself_by_a_detour() -> None:
    graph = {
        module: {other for other in imports_of(module) if (room_of(module), room_of(other)) not in ALLOWED} - {module}
        for module in MODULES
    }
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        pytest.fail(f"imports go round in a circle: {' <- '.join(error.args[1])}")


def rooms_in_order() -> list[str]:
    """The rooms in the order of the table on the architecture page, of which each may import those before it."""
    table = PAGE.read_text().partition("| Room | Its job |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    return [name.rstrip("/").removesuffix(".py") for cell in cells for name in re.findall(r"`([\w/.]+)`", cell)]


def test_the_architecture_page_names_every_room_once() -> None:
    named = rooms_in_order()
    rooms = {room_of(module) for module in MODULES}
    assert sorted(named) == sorted(rooms), "add a new room to the table of docs/architecture.md, where it belongs"


@pytest.mark.parametrize("room", sorted({room_of(module) for module in MODULES}))
def test_a_room_imports_only_rooms_above_it(room: str) -> None:
    order = {name: place for place, name in enumerate(rooms_in_order())}
    upward = {
        f"{module} imports {other}"
        for module in MODULES
        if room_of(module) == room
        for other in imports_of(module)
        if room_of(other) != room
        and order.get(room_of(other), -1) > order.get(room, len(order))
        and (room, room_of(other)) not in ALLOWED
    }
    assert not upward, f"{sorted(upward)}: the table of docs/architecture.md has them the other way round"


def test_the_exceptions_are_needed() -> None:
    arrows = {(room_of(module), room_of(other)) for module in MODULES for other in imports_of(module)}
    assert arrows >= set(ALLOWED)


def test_the_test_sees_an_arrow_when_there_is_one() -> None:
    assert "navcore.errors" in set(imports_of("navcore.formats"))
    assert "navcore.registry" in set(imports_of("navcore")), "also inside a function"
    assert "navcore.package" not in set(imports_of("navcore")), "but not for type checkers"
    assert [earlier for earlier, later in pairwise(rooms_in_order()) if earlier == later] == []
