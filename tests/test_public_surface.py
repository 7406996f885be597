"""What plugins, examples and pages use of navcore, and of each other, is public, and every public name has a home."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pytest

import navcore
from navcore.registry.reserved_names import WINGS, is_reserved

from .shipped_sources import PROJECTS, ROOT, Source, plugin_names, public_names, sources

TESTING = {"navcore.testing.conformance", "navcore.testing.toy"}
"""The modules of navcore that are documented as modules: the kit, and the framework that is no framework."""
INNER: Mapping[str, set[str]] = MappingProxyType(
    {
        # It measures the archive by itself, which nobody but navcore.save and navcore.load uses.
        "benchmarks/archive.py": {"navcore.package.archive.reading", "navcore.package.archive.writing"},
        # It measures a way of measuring by itself.
        "benchmarks/ranking.py": {"navcore.evaluation.interleaving", "navcore.evaluation.windows"},
        # It flattens what raw exporters return as the plugin does, to hold them against the same source.
        "benchmarks/models_of_others.py": {"nav_torch.live", "nav_torch.structures"},
    }
)
SOURCES = {source.name: source for source in sources()}
PAGE = (ROOT / "docs" / "public-names.md").read_text()
FOR_PLUGINS = set(re.findall(r"^\| `(navcore\.\w+\.\w+)` \| \S.*\|$", PAGE, re.MULTILINE))
"""The functions that stand at the door of a wing: the page lists them by their dotted names."""


def is_public(package: str, name: str) -> bool:
    """Whether a package, navcore or a plugin's, has that name for everybody."""
    if package == "navcore":
        return name in navcore.__all__ or name in plugin_names()
    return name in public_names(package)


def uses(source: Source) -> Iterator[tuple[str, str]]:
    """Each (module, name) that a source takes from navcore or from a plugin that is not its own; all of them as text.

    An import stands anywhere: at the top, in a function, under ``TYPE_CHECKING``. ``import navcore as nav`` takes what
    is written behind ``nav.``; the name is ``""`` for a module that is imported by a dotted name.
    """
    foreign = {"navcore", *PROJECTS} - {source.package}
    bound: dict[str, str] = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in foreign:
            yield from ((str(node.module), alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in foreign:
                    bound[alias.asname or alias.name] = alias.name
                elif alias.name.partition(".")[0] in foreign:
                    yield alias.name, ""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in bound:
            yield bound[node.value.id], node.attr


def private_uses(source: Source) -> list[str]:
    """What a source uses and should not."""
    return [
        f"{module}.{name}".rstrip(".")
        for module, name in uses(source)
        if not (
            module in TESTING
            or f"{module}.{name}" in TESTING
            or f"{module}.{name}" in FOR_PLUGINS
            or module in INNER.get(source.name, ())
            or ("." not in module and is_public(module, name))
        )
    ]


@pytest.mark.parametrize("name", SOURCES)
def test_only_public_names_are_used(name: str) -> None:
    assert private_uses(SOURCES[name]) == [], f"{name} should do with public names"


def test_an_exception_is_one_still() -> None:
    for name, modules in INNER.items():
        assert modules == {module for module, _ in uses(SOURCES[name]) if module in modules}


def test_what_a_plugin_uses_of_another_is_explained_where_that_one_is() -> None:
    for source in SOURCES.values():
        for module, name in uses(source) if source.package else ():
            if module in PROJECTS:
                readme = PROJECTS[module].parent / "README.md"
                assert f"`{name}" in readme.read_text(), f"{source.name} uses {module}.{name}, and {readme} is silent"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from navcore import Format, run", []),
        ("import navcore as nav\nnav.torch.export", []),
        ("from navcore.testing.conformance import conformance", []),
        ("from navcore.testing import toy", []),
        ("from nav_torch import Exportable", []),
        ("from nav_own.inner import anything", []),
        ("from navcore.contract import flatten_call", []),
        ("from navcore.contract import Format", ["navcore.contract.Format"]),
        ("def late():\n    from navcore.errors import InputError", ["navcore.errors.InputError"]),
        ("if TYPE_CHECKING:\n    from navcore import Gap", ["navcore.Gap"]),
        ("import navcore.registry", ["navcore.registry"]),
        ("import navcore as nav\nnav.api.run", ["navcore.api"]),
        ("from nav_torch.live import from_array", ["nav_torch.live.from_array"]),
        ("import nav_onnx\nnav_onnx.session", ["nav_onnx.session"]),
    ],
)
def test_the_test_sees_what_is_not_public(code: str, found: list[str]) -> None:
    assert private_uses(Source("somewhere", "nav_own", ast.parse(code))) == found


def test_the_test_reads_everything_that_is_shipped() -> None:
    some = {
        "plugins/nav_trt/nav_trt/torch_running.py",
        "examples/sentence_encoder.py",
        "examples/nav_trace/nav_trace/merging.py",
        "benchmarks/runner_overhead.py",
        "navcore/cli/templates/plugin/live.py.template",
        "docs/hooks/index.md",
        "docs/first-plugin.md",
        "README.md",
    }
    assert some <= set(SOURCES)
    assert ("navcore", "runner") in set(uses(SOURCES["navcore/cli/templates/plugin/live.py.template"]))


def test_the_page_lists_every_public_name_once_in_a_line() -> None:
    listed = re.findall(r"^\| `(\w+)` \| \S.*\|$", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(navcore.__all__)


def test_what_only_plugins_need_stands_at_the_door_of_its_wing_and_nowhere_else() -> None:
    assert len(FOR_PLUGINS) == 14, "the page names them, and stability.md says how many"
    for dotted in FOR_PLUGINS:
        module, _, name = dotted.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))
        assert name not in navcore.__all__
        assert not is_reserved(name), "a plugin may be called like it"


def test_no_wing_is_a_public_name() -> None:
    assert WINGS.isdisjoint(navcore.__all__)
