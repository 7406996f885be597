"""docs/hooks.md says what the code does: every hook, its exact signature, every field of its job, and examples."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import get_args

import attrs
import pytest

import navcore
from navcore import hookspecs, jobs, routes
from navcore.routes import ROUTES_ATTRIBUTE, Hook
from navcore.testing import toy

PAGE = (Path(navcore.__file__).parent.parent / "docs" / "hooks.md").read_text()
HOOKS = get_args(Hook)
JOBS = {"export_model": "ExportJob", "convert": "ConvertJob", "make_runner": "RunnerJob", "profile": "ProfileJob"}


def section(hook: str) -> str:
    """The text from the hook's heading to the next heading of the same depth."""
    found = re.search(rf"^## `{hook}\(.*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/hooks.md has no heading for {hook}"
    return found.group()


def test_the_specs_are_the_hooks_that_routes_can_name() -> None:
    specified = [name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.PROJECT}_spec")]
    assert specified == list(HOOKS) == list(JOBS)
    assert all(getattr(getattr(hookspecs, name), f"{hookspecs.PROJECT}_spec")["firstresult"] for name in specified)


def test_no_heading_speaks_of_a_hook_that_is_gone() -> None:
    assert re.findall(r"^## `(\w+)\(", PAGE, re.MULTILINE) == list(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_heading_is_the_exact_signature(hook: str) -> None:
    function = getattr(hookspecs, hook)
    takes = ", ".join(f"{name}: {function.__annotations__[name]}" for name in inspect.signature(function).parameters)
    assert section(hook).startswith(f"## `{hook}({takes}) -> {function.__annotations__['return']}`\n")


@pytest.mark.parametrize("hook", HOOKS)
def test_every_field_of_the_job_is_in_its_table_with_its_type(hook: str) -> None:
    told = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| \S", section(hook), re.MULTILINE)
    job = getattr(jobs, JOBS[hook])
    assert told == [(field.name, str(field.type)) for field in attrs.fields(job)]
    assert f"Field of `{JOBS[hook]}`" in section(hook)


@pytest.mark.parametrize("hook", HOOKS)
def test_it_says_what_comes_back_where_it_runs_and_how_it_looks(hook: str) -> None:
    for part in ("**Result:**", "**Runs**", "```python"):
        assert part in section(hook)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_toy_plugin_implements_it(hook: str) -> None:
    declared = [route for value in vars(toy).values() for route in getattr(value, ROUTES_ATTRIBUTE, ())]
    assert hook in {route.hook for route in declared}


@pytest.mark.parametrize("name", ["exporter", "converter", "runner", "profiler"])
def test_every_decorator_is_there_with_its_arguments(name: str) -> None:
    (told,) = re.findall(rf"`@{name}\(([^)]*)\)`", PAGE)
    parameters = inspect.signature(getattr(routes, name)).parameters
    assert re.findall(r"\w+", told) == list(parameters)


@pytest.mark.parametrize("kind", [jobs.Made, jobs.Runner, navcore.Live])
def test_what_is_built_by_hand_is_shown_with_all_its_arguments(kind: type) -> None:
    shown = " ".join(re.findall(rf"{kind.__name__}\(([^)]*)\)", PAGE))
    assert set(inspect.signature(kind).parameters) <= set(re.findall(r"\w+", shown))


def test_what_two_plugins_have_to_agree_on_is_listed() -> None:
    told = re.search(r"both may declare it, if (.*?) are the same", PAGE, re.DOTALL)
    assert told
    assert set(re.findall(r"`(\w+)`", told.group(1))) == set(navcore.Format.ONNX.description()) - {"name"}


def test_the_examples_are_python() -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) >= len(HOOKS) + 2
    for example in examples:
        ast.parse(example)


def test_the_complete_plugin_declares_what_it_says() -> None:
    example = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    space: dict[str, object] = {"__name__": "nav_openvino"}
    exec(compile(example, "docs/hooks.md", "exec"), space)
    declared = [route for value in space.values() for route in getattr(value, ROUTES_ATTRIBUTE, ())]
    assert [(route.hook, route.source, str(route.target), route.runtime) for route in declared] == [
        ("convert", "onnx", "openvino", ""),
        ("make_runner", "openvino", "None", "openvino-cpu"),
    ]
