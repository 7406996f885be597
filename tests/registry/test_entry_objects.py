"""An entry point names a module, or an object in it, and the plugin is what it names."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from navcore.contract import ProfileJob, Runner
from navcore.registry.discovery import Candidate
from navcore.registry.loading import load_registry
from navcore.registry.registry import Plugin

SOURCE = """
'''The module's line.'''
import types
from navcore import Format, Made, Route, converter, hookimpl
A = Format("a", filename="model.a")

@converter("onnx", A)
def beside(job): ...

class Inherited:
    def conformance_model(self): return self, ["data"]

    @converter("onnx", A, cost=2.0)
    def a_by_method(self, job): return Made(notes=(self.says,))

class Group(Inherited):
    '''The group's line.'''
    says = "hello"
    routes = (Route(hook="convert", source="tf", target=A),)

    @hookimpl
    def convert(self, job, route): return Made(notes=(self.says, route.name))

    alias = convert

    @property
    def costly(self): raise ImportError("a framework is missing")

group = Group()
Bare = types.SimpleNamespace(beside=beside)
nested = types.SimpleNamespace(inner=types.SimpleNamespace(beside=beside, group=group))
nothing = None

class Static:
    routes = (Route(hook="profile"),)

    @staticmethod
    @hookimpl
    def profile(job): return [1.0]

class Unmade:
    routes = (Route(hook="profile"),)

    @hookimpl
    def profile(self, job): return [1.0]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "nav_objects", raising=False)
    (tmp_path / "nav_objects.py").write_text(dedent(SOURCE))
    return tmp_path


def load(target: str) -> tuple[Any, Plugin]:
    registry = load_registry([Candidate("a", "nav-a", "1", target)])
    plugin = registry.plugin("a")
    assert plugin is not None
    return registry, plugin


def test_of_a_module_the_functions_count_that_stand_in_it(folder: Path) -> None:
    _, plugin = load("nav_objects")
    assert [route.name for route in plugin.routes] == ["beside"]
    assert plugin.namespace is plugin.module is sys.modules["nav_objects"]
    assert (plugin.summary, plugin.offer) == ("The module's line.", None)


@pytest.mark.parametrize("target", ["nav_objects:group", "nav_objects : nested.inner.group"])
def test_of_an_object_its_methods_and_its_routes_count_inherited_ones_included(folder: Path, target: str) -> None:
    registry, plugin = load(target)
    assert plugin.problem == ""
    assert [route.id for route in registry.routes] == ["a:a_by_method", "a:a_from_tf"]
    assert registry.ask("convert", None, registry.route("a:a_by_method")).notes == ("hello",)
    assert registry.ask("convert", None, registry.route("a:a_from_tf")).notes == ("hello", "a_from_tf")


def test_an_object_is_the_namespace_and_offers_its_own_model(folder: Path) -> None:
    _, plugin = load("nav_objects:group")
    group = sys.modules["nav_objects"].group
    assert plugin.namespace is group
    assert plugin.summary == "The group's line."
    assert plugin.offer is not None
    assert plugin.offer() == (group, ["data"])


def test_a_plain_namespace_is_told_by_the_docstring_of_its_module(folder: Path) -> None:
    _, plugin = load("nav_objects:Bare")
    assert [route.name for route in plugin.routes] == ["beside"]
    assert plugin.summary == "The module's line."


def test_a_class_is_a_namespace_of_static_functions(folder: Path) -> None:
    registry, plugin = load("nav_objects:Static")
    assert plugin.problem == ""
    job = ProfileJob(Runner(lambda feeds: feeds), {}, calls=1)
    assert registry.ask("profile", job, registry.routes[0]) == [1.0]
    _, unmade = load("nav_objects:Unmade")
    assert (
        "The implementation profile of the hook profile takes something else than 'job' and 'route'." in unmade.problem
    )


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("nav_objects:gruop", "its entry point names nav_objects:gruop, and nav_objects has no 'gruop'"),
        ("nav_objects:nested.other", "nav_objects:nested.other, and the SimpleNamespace there has no 'other'"),
        ("nav_objects:nothing", "its entry point names nav_objects:nothing, which is nothing: name the module, or"),
        ("nav_objects:beside", "its entry point names nav_objects:beside, which is a function: name the module, or"),
        ("nav_absent:group", "ModuleNotFoundError: No module named 'nav_absent'"),
    ],
)
def test_an_entry_point_that_names_no_plugin_says_so(folder: Path, target: str, told: str) -> None:
    assert told in load(target)[1].problem


def test_the_code_of_a_plugin_is_where_its_object_and_its_functions_come_from(tmp_path: Path, folder: Path) -> None:
    """For the frame in the user's own code that a failure names: a plugin's code is not the user's."""
    package = tmp_path / "nav_spread"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "announced.py").write_text("from nav_objects import group as plugin")
    _, plugin = load("nav_spread.announced:plugin")
    assert plugin.problem == ""
    assert set(plugin.places) == {package / "announced.py", folder / "nav_objects.py"}
    (package / "__init__.py").write_text("import nav_objects\nfrom nav_objects import group as plugin")
    sys.modules.pop("nav_spread")
    assert set(load("nav_spread:plugin")[1].places) == {package, folder / "nav_objects.py"}


@pytest.mark.processes
def test_an_installed_object_is_a_namespace_of_navcore(place: Any) -> None:
    place.install("nav-small", dedent(SOURCE), object="group")
    says, target, routes = place.see(
        "[navcore.small.says, p.target, [r.id for r in p.routes]]", before="p = plugins['nav-small']"
    )
    assert (says, target, routes) == ("hello", "nav_small:group", ["small:a_by_method", "small:a_from_tf"])


@pytest.mark.processes
def test_an_object_is_added_without_packaging(place: Any) -> None:
    (place.path / "mine.py").write_text(dedent(SOURCE))
    told = place.see("[navcore.short.says, p.target, p.loaded]", before="p = registry.plugin('short')",
                     NAVCORE_EXTRA_PLUGINS="short = mine:group")  # fmt: skip
    assert told == ["hello", "mine:group", True]
