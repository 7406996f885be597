"""docs/hooks says what the code does: each hook, its exact signature, every field of its job; its examples work."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import attrs
import pytest

import navcore
from navcore.contract import decorators, formats, hookspecs, jobs, signature as tensors
from navcore.contract.decorators import ROUTES_ATTRIBUTE
from navcore.contract.route_validation import FIELDS_OF_HOOK
from navcore.contract.routes import Hook, Route
from navcore.registry.loading import load_registry
from navcore.testing import toy
from navcore.testing.conformance import examine

FOLDER = Path(navcore.__file__).parent.parent / "docs" / "hooks"
HOOKS = get_args(Hook)
PAGES: Mapping[str, str] = MappingProxyType({page.stem: page.read_text() for page in FOLDER.glob("*.md")})
JOBS = {"export_model": "ExportJob", "convert": "ConvertJob", "make_runner": "RunnerJob", "profile": "ProfileJob"}
DECORATORS = {"export_model": "exporter", "convert": "converter", "make_runner": "runner", "profile": "profiler"}
PARTS = ("Signature", "The job", "The result", "Example", "When it fails", "Where it runs")


def section(page: str, title: str) -> str:
    """The text from the page's heading to the next of the same depth."""
    found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", PAGES[page], re.MULTILINE | re.DOTALL)
    assert found, f"docs/hooks/{page}.md has no heading {title!r}"
    return found.group()


def examples(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def table(text: str, head: str) -> list[tuple[str, str]]:
    """The first two columns of the table whose head begins so: a name and a type, both in code."""
    (found,) = re.findall(rf"^\| {re.escape(head)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    rows: list[tuple[str, str]] = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| \S", found, re.MULTILINE)
    assert len(rows) == len(found.splitlines())
    return rows


def fields_of(kind: type) -> list[tuple[str, str]]:
    """Types as they are written: ``field.type`` is the class itself once a value has been read from plain data."""
    return [(field.name, kind.__annotations__[field.name]) for field in attrs.fields(kind)]


def arguments_of(function: Any) -> list[tuple[str, str]]:
    parameters = [one for one in inspect.signature(function).parameters.values() if one.name != "self"]
    return [(one.name, str(one.annotation)) for one in parameters]


def declaration(text: str, name: str) -> inspect.Signature:
    """The signature that the page's ``def name(...)`` declares, with annotations as text, without what it returns."""
    (code,) = [example for example in examples(text) if f"def {name}(" in example]
    space: dict[str, Any] = {}
    exec(compile("from __future__ import annotations\n" + code, "docs/hooks", "exec"), space)
    return inspect.signature(space[name])


def test_the_specs_are_the_hooks_that_routes_can_name() -> None:
    specified = [name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.PROJECT}_spec")]
    assert specified == list(HOOKS) == list(JOBS)
    assert all(getattr(getattr(hookspecs, name), f"{hookspecs.PROJECT}_spec")["firstresult"] for name in specified)


def test_every_hook_has_a_page_and_no_page_speaks_of_a_hook_that_is_gone() -> None:
    assert set(PAGES) == {"index", *HOOKS}
    told = re.findall(r"^\| \[`(\w+)`\]\((\w+)\.md\) \| `@(\w+)` \|", PAGES["index"], re.MULTILINE)
    assert told == [(hook, hook, DECORATORS[hook]) for hook in HOOKS]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_page_has_every_part_in_the_same_order(hook: str) -> None:
    assert PAGES[hook].startswith(f"# `{hook}`\n")
    found = re.findall(r"^## (.*)$", PAGES[hook], re.MULTILINE)
    assert [part for part in found if part in PARTS] == list(PARTS)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_signature_is_the_exact_one(hook: str) -> None:
    told = declaration(section(hook, "Signature"), hook)
    assert told == inspect.signature(getattr(hookspecs, hook))


@pytest.mark.parametrize("hook", HOOKS)
def test_the_decorator_is_there_with_every_argument_its_type_and_its_default(hook: str) -> None:
    told = declaration(section(hook, "Signature"), DECORATORS[hook])
    assert told.parameters == inspect.signature(getattr(decorators, DECORATORS[hook])).parameters


def test_every_argument_of_a_decorator_is_explained() -> None:
    found = re.findall(r"^\| `(\w+)` \|", section("index", "Routes"), re.MULTILINE)
    taken = [inspect.signature(getattr(decorators, name)).parameters for name in DECORATORS.values()]
    assert set(found) == {name for parameters in taken for name in parameters}


@pytest.mark.parametrize("hook", HOOKS)
def test_every_field_of_the_job_is_in_its_table_with_its_type(hook: str) -> None:
    told = table(section(hook, "The job"), f"Field of `{JOBS[hook]}`")
    assert told == fields_of(getattr(jobs, JOBS[hook]))


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("Formats", formats.Format),
        ("Artifacts and signatures", jobs.Artifact),
        ("Artifacts and signatures", tensors.Signature),
    ],
)
def test_every_field_of_what_the_jobs_carry_is_in_its_table_with_its_type(title: str, kind: type) -> None:
    assert table(section("index", title), f"Field of `{kind.__name__}`") == fields_of(kind)


def test_every_method_of_a_signature_is_there() -> None:
    rows = section("index", "Artifacts and signatures").partition("Method or property")[2]
    told = {name for row in re.findall(r"^\| (`.*?`) \| ", rows, re.MULTILINE) for name in re.findall(r"`(\w+)", row)}
    names = {field.name for field in attrs.fields(tensors.Signature)}
    assert told == {name for name in vars(tensors.Signature) if not name.startswith("_")} - names


@pytest.mark.parametrize(("hook", "kind"), [("export_model", jobs.Made), ("make_runner", jobs.Runner)])
def test_what_comes_back_is_shown_with_every_argument(hook: str, kind: type) -> None:
    text = section(hook, "The result")
    assert table(text, f"Argument of `{kind.__name__}`") == arguments_of(kind)
    shown = " ".join(re.findall(rf"{kind.__name__}\(([^)]*)\)", text))
    assert set(inspect.signature(kind).parameters) <= set(re.findall(r"\w+", shown))


def test_a_live_format_is_shown_with_every_argument() -> None:
    (shown,) = re.findall(r"live=Live\(([^)]+)\)", section("index", "Formats"))
    assert shown.split(", ") == list(inspect.signature(navcore.Live).parameters)


def test_a_spot_check_is_shown_with_its_defaults() -> None:
    shown = ", ".join(f"{name}={value}" for name, value in attrs.asdict(navcore.SpotCheck()).items())
    assert f"SpotCheck({shown})" in section("make_runner", "Spot checks")


def test_what_two_plugins_have_to_agree_on_is_listed() -> None:
    told = re.search(r"both may declare it, if (.*?) are the same", PAGES["index"], re.DOTALL)
    assert told
    assert set(re.findall(r"`(\w+)`", told.group(1))) == set(navcore.Format.ONNX.description()) - {"name"}


def declared_by(space: Mapping[str, Any]) -> list[Route]:
    """The routes of a module's names, first those of its decorators, then those that are data."""
    decorated = [route for value in space.values() for route in getattr(value, ROUTES_ATTRIBUTE, ())]
    return [*decorated, *space.get("routes", ())]


@pytest.mark.parametrize("hook", HOOKS)
def test_the_toy_plugin_implements_it(hook: str) -> None:
    assert hook in {route.hook for route in declared_by(vars(toy))}


def test_the_toy_plugin_declares_routes_in_both_ways() -> None:
    assert {route.is_answered for route in declared_by(vars(toy))} == {True, False}


def test_the_fields_of_a_route_are_those_that_each_decorator_takes_and_two_more() -> None:
    text = section("index", "Routes as data")
    told = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text.partition("| Hook |")[2], re.MULTILINE))
    assert {hook: tuple(re.findall(r"`(\w+)`", fields)) for hook, fields in told.items()} == FIELDS_OF_HOOK
    written = {field.alias for field in attrs.fields(Route)} - {"function", "owner", "distribution", "version"}
    assert written == {"hook", "name"}.union(*FIELDS_OF_HOOK.values())


@pytest.mark.parametrize(
    ("title", "function"), [("Live models", toy.run_toy), ("Spot checks", toy.run_toy_by_the_book)]
)
def test_what_is_said_to_be_the_toys_is(title: str, function: Any) -> None:
    assert examples(section("make_runner", title)) == [inspect.getsource(function)]


def test_the_route_that_is_said_to_be_the_toys_is() -> None:
    shown = examples(section("index", "Routes as data"))[-1]
    assert shown.strip() in Path(toy.__file__).read_text()
    assert inspect.getsource(toy.convert) in shown


def test_the_asset_and_the_precision_that_are_said_to_be_the_toys_are() -> None:
    source = Path(toy.__file__).read_text()
    (asset,) = examples(section("index", "Assets"))
    assert asset.strip() in source
    page = (FOLDER.parent / "extension-points.md").read_text()
    precision = next(example for example in examples(page) if "Precision(" in example)
    assert precision.strip() in source


def test_the_examples_are_python() -> None:
    for page in PAGES.values():
        for example in examples(page):
            ast.parse(example)


@pytest.mark.parametrize("title", ["A complete plugin", "Routes as data"])
def test_the_complete_plugin_declares_what_it_says_in_either_way(title: str) -> None:
    (complete,) = examples(section("index", "A complete plugin"))
    as_data = complete.partition("@converter")[0] + examples(section("index", "Routes as data"))[0]
    space: dict[str, Any] = {"__name__": "nav_openvino"}
    exec(compile(complete if title == "A complete plugin" else as_data, "docs/hooks/index.md", "exec"), space)
    declared = declared_by(space)
    assert [(route.hook, route.source, str(route.target), route.runtime) for route in declared] == [
        ("convert", "onnx", "openvino", ""),
        ("make_runner", "openvino", "None", "openvino-cpu"),
    ]
    assert [route.options for route in declared] == [space["Options"], None]


def shown(page: str, title: str) -> list[str]:
    """The examples under a heading that a page may have."""
    return examples(section(page, title)) if f"\n## {title}\n" in PAGES[page] else []


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The examples of the four pages as one installed plugin, beside the toy and the wrapper of the index."""
    parts = [example for hook in HOOKS for title in ("Example", "As data") for example in shown(hook, title)]
    module = "tiny_of_the_pages"
    (tmp_path / f"{module}.py").write_text("\n\n".join(parts))
    (wrapper,) = examples(section("index", "Wrapping a hook"))
    (tmp_path / f"{module}_watched.py").write_text(wrapper)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", f"toy=navcore.testing.toy,tiny={module},watch={module}_watched")
    monkeypatch.setenv("NAVCORE_DISABLE_PLUGINS", "torch,onnx,tensorflow,trt,openvino,trace")
    for name in (module, f"{module}_watched"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return "tiny"


def test_the_examples_are_a_plugin_that_answers_every_hook(tiny: str) -> None:
    found = load_registry().plugin(tiny)
    assert found is not None
    assert found.problem == ""
    assert {route.hook for route in found.routes} == set(HOOKS)
    assert [route.name for route in found.routes if route.hook == "convert"] == ["tiny_from_alpha", "tiny_by_hook"]


@pytest.mark.slow
def test_the_examples_conform(tiny: str) -> None:
    findings = examine(tiny)
    assert [finding for finding in findings if finding.verdict != "ok"] == []
