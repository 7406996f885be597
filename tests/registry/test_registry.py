"""Plugins are found, loaded, refused and asked: with real distributions on a path, in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from navcore.contract.formats import Format, Live
from navcore.contract.routes import Route
from navcore.errors import PluginError, UnknownFormat
from navcore.registry.loading import load_registry
from navcore.registry.registry import Plugin, Registry

from .plugin_place import Place, small

pytestmark = pytest.mark.processes


def test_an_installed_plugin_brings_its_routes_and_formats(place: Place) -> None:
    place.install("nav-small", small("small"), version="2.5")
    plugin, route, owner = place.see(
        "[[p.name, p.distribution, p.version, p.summary], r.id, r.who]",
        before="p = plugins['nav-small']; r = p.routes[0]; assert registry.format('small').filename == 'model.small'",
    )
    assert plugin == ["small", "nav-small", "2.5", "nav-small: a small plugin."]
    assert route == "small:small_from_onnx"
    assert owner == "nav-small 2.5 (small_from_onnx)"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import not_there_at_all", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("class Rough(BaseException): ...\nraise Rough('one\\ntwo')", "Rough: one"),
        ("class Mute(Exception):\n    def __str__(self): raise ValueError\nraise Mute", "Mute: (no message)"),
        ("this is no Python", "SyntaxError: invalid syntax (nav_broken.py, line 1)"),
        ("from navcore import Format\nFormat('No Name')", "'No Name' cannot name a format"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_listed_with_the_reason(place: Place, source: str, told: str) -> None:
    place.install("nav-broken", source)
    assert place.problem("nav-broken").startswith(told)


@pytest.mark.parametrize(
    ("declaration", "told"),
    [
        (
            "class O: x = 1\n@converter('onnx', F, options=O)",
            "which is not an attrs class. Decorate it with @attrs.frozen",
        ),
        ("@attrs.frozen\nclass O:\n    x: int\n@converter('onnx', F, options=O)", "have no default for: x. Give every"),
        (
            "@attrs.frozen\nclass O:\n    x: int = attrs.field(default=0, validator=attrs.validators.gt(0))\n"
            "@converter('onnx', F, options=O)",
            "refuse their own defaults: ValueError: 'x' must be > 0",
        ),
        ("@converter(F, 'onnx')", "The target of route is 'onnx', which is not a Format. Only what a route"),
        ("@exporter('torch', 'f')", "The target of route is 'f', which is not a Format."),
        ("@converter('onnx', F, cost=-1.0)", "The cost of route is -1.0. Give a finite number, 0 or more."),
        ("@converter('onnx', F, cost=float('nan'))", "The cost of route is nan."),
        ("@runner(runtime='cpu')", "A runner for 'cpu' names no format."),
        ("@runner(F, runtime='cpu')\n@runner(F, runtime='gpu')", "Two routes of broken are called 'broken:route[f]'."),
        ("@runner(G, runtime='cpu')\n@converter('onnx', F)", "declares the format 'f' twice, and differently"),
    ],
)
def test_a_declaration_that_cannot_be_right_is_refused(place: Place, declaration: str, told: str) -> None:
    source = (
        "import attrs\nfrom navcore import Format, converter, exporter, runner\n"
        f"F = Format('f')\nG = Format('f', filename='other')\n{declaration}\ndef route(job): ...\n"
    )
    place.install("nav-broken", source)
    assert told in place.problem("nav-broken")


def test_what_a_plugin_prints_while_it_is_imported_or_probed_is_not_in_our_output(place: Place) -> None:
    loud = small("loud").replace('("onnx", LOUD)', '("onnx", LOUD, available=lambda: print("probed"))')
    place.install("nav-loud", f"print('Welcome to loud!')\n{loud}")
    done = subprocess.run(
        [sys.executable, "-m", "navcore.cli", "plugins", "--json"],
        env={**os.environ, "PYTHONPATH": str(place.path), "NAVCORE_EXTRA_PLUGINS": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {one["name"]: one["status"] for one in json.loads(done.stdout)}["loud"] == "ok"
    assert "Welcome to loud!\nprobed\n" in done.stderr


def test_of_two_plugins_of_one_name_the_first_distribution_by_name_stays(place: Place) -> None:
    place.install("nav-b", small("second"), name="twin", version="2.0")
    place.install("nav-a", small("first"), name="twin", version="1.0")
    assert place.problem("nav-b") == "nav-a 1.0 already brings a plugin named 'twin'"
    assert place.see("plugins['nav-a'].loaded")


@pytest.mark.parametrize(
    "name", ["run", "Format", "errors", "planning", "Anything", "__version__", "_x", "my.plugin", "a-b", "class"]
)
def test_a_name_that_means_something_else_cannot_name_a_plugin(place: Place, name: str) -> None:
    place.install("nav-taken", small("taken"), name=name)
    assert place.problem("nav-taken").startswith(f"{name!r} cannot name a plugin")


def test_nobody_can_pose_as_the_core(place: Place) -> None:
    place.install("nav-aaa", small("aaa"), name="navcore")
    problem, core = place.see("[plugins['nav-aaa'].problem, [r.id for r in registry.routes if r.hook == 'profile']]")
    assert problem.startswith("navcore ")
    assert problem.endswith("already brings a plugin named 'navcore'")
    assert core == ["navcore:one_window"]


def test_a_plugin_for_another_generation_says_so(place: Place) -> None:
    place.install("nav-future", small("future"), group="navcore.v2")
    place.install("nav-other", small("other"), group="navcore.vendors")
    assert place.problem("nav-future") == (
        "it speaks navcore.v2, this navcore speaks navcore.v1: install a release of the plugin made for it"
    )
    assert not place.see("'nav-other' in plugins"), "a group of somebody else's is not a plugin of navcore"


@pytest.mark.parametrize("spelling", ["small", "nav-small", "NAV_Small", "other, small ,"])
def test_plugins_are_left_out_by_their_name_or_distribution(place: Place, spelling: str) -> None:
    place.install("nav-small", "raise SystemExit('it was imported all the same')")
    assert place.problem("nav-small", NAVCORE_DISABLE_PLUGINS=spelling) == "left out by NAVCORE_DISABLE_PLUGINS"


def test_the_core_cannot_be_left_out(place: Place) -> None:
    assert place.see("plugins['navcore'].loaded", NAVCORE_DISABLE_PLUGINS="navcore")


def test_modules_are_added_without_packaging(place: Place) -> None:
    (place.path / "mine.py").write_text(small("ours"))
    (place.path / "yours.py").write_text(small("theirs"))
    names = place.see(
        "[p.name for p in registry.plugins if p.distribution in ('short', 'toy', 'yours') and p.loaded]",
        NAVCORE_EXTRA_PLUGINS="short = mine, yours,, toy=navcore.testing.toy",
    )
    assert names == ["short", "toy", "yours"]


def test_an_extra_plugin_comes_before_an_installed_one_of_its_name(place: Place) -> None:
    place.install("nav-small", small("small"))
    (place.path / "mine.py").write_text(small("ours"))
    owner, problem = place.see(
        "[registry.plugin('small').target, plugins['nav-small'].problem]", NAVCORE_EXTRA_PLUGINS="small=mine"
    )
    assert owner == "mine"
    assert "already brings a plugin named 'small'" in problem


def test_one_format_name_with_two_meanings_is_refused_and_with_one_meaning_is_shared(place: Place) -> None:
    declare = "from navcore import Format, converter\nX = Format('x', filename={!r}, summary={!r})\n"
    way = "@converter({!r}, X)\ndef x_from_{}(job): ...\n"
    place.install("nav-a", declare.format("model.x", "as a sees it") + way.format("onnx", "onnx"))
    place.install("nav-b", declare.format("model.x", "as b sees it") + way.format("tf", "tf"))
    place.install("nav-c", declare.format("other.x", "as c sees it") + way.format("pt", "pt"))
    assert place.problem("nav-c") == (
        "it declares the format 'x' differently from nav-a 1.0; import that plugin's format, or choose another name"
    )
    formats, routes = place.see(
        "[[f.summary for f in registry.formats if f.name == 'x'], [r.id for r in registry.routes if r.target == 'x' "
        "or (r.target and r.target.name == 'x')]]"
    )
    assert formats == ["as a sees it"]
    assert routes == ["a:x_from_onnx", "b:x_from_tf"]


def coarse(name: str, precision: str) -> str:
    return (
        "from navcore import Format, Precision, converter\n"
        f"X = Format('{name}-x', precision={precision})\n@converter('onnx', X)\ndef route(job): ...\n"
    )


def test_one_precision_with_two_meanings_is_refused_and_with_one_meaning_is_shared(place: Place) -> None:
    place.install("nav-c", coarse("c", "Precision('coarse', 0.3, 0.2)"))
    place.install("nav-b", coarse("b", "Precision('coarse', 0.2, 0.2)"))
    place.install("nav-a", coarse("a", "Precision('coarse', 0.2, 0.2)"))
    assert place.problem("nav-c") == (
        "it declares the precision 'coarse' differently from nav-a 1.0; "
        "import that plugin's precision, or choose another name"
    )
    assert place.see("[f.name for f in registry.formats if f.precision == 'coarse']") == ["a-x", "b-x"]
    assert place.see("registry.precision('coarse').bounds") == [0.2, 0.2]


def test_whether_a_precision_is_one_of_integers_is_part_of_its_meaning(place: Place) -> None:
    place.install("nav-a", coarse("a", "Precision('coarse', 0.2, 0.2)"))
    place.install("nav-b", coarse("b", "Precision('coarse', 0.2, 0.2, quantised=True)"))
    assert "it declares the precision 'coarse' differently from nav-a 1.0" in place.problem("nav-b")


def test_the_bounds_of_a_known_precision_are_the_declared_ones_whoever_reports_it(place: Place) -> None:
    place.install("nav-a", coarse("a", "Precision('coarse', 0.2, 0.2)"))
    before = "from navcore import Precision"
    assert place.see("registry.precision(Precision('coarse', 0.9, 0.9)).bounds", before=before) == [0.2, 0.2]
    assert place.see("type(registry.precision(Precision('fp16', 0.9, 0.9))).__name__", before=before) == "str"
    assert place.see("registry.precision(Precision('only-run', 0.1, 0.2)).bounds", before=before) == [0.1, 0.2]
    assert place.see("[registry.precision(name) for name in ('posit8', 'fp16', None)]") == ["posit8", "fp16", None]


def test_a_precision_that_nobody_gives_bounds_makes_a_plugin_unusable_and_says_why(place: Place) -> None:
    place.install("nav-a", coarse("a", "'coarse'"))
    assert "has the precision 'coarse', which is none of navcore's own: fp64, fp32," in place.problem("nav-a")


def test_what_one_plugin_knows_of_a_shared_format_completes_the_other(place: Place) -> None:
    place.install(
        "nav-a", "from navcore import Format, converter\nX = Format('x')\n@converter('o', X)\ndef a(job): ..."
    )
    place.install(
        "nav-b",
        "from navcore import Format, runner\nX = Format('x', load=str)\n@runner(X, runtime='r')\ndef b(job): ...",
    )
    assert place.see("registry.format('x').load(3)") == "3"


def test_a_route_that_is_imported_from_another_plugin_stays_its_owners(place: Place) -> None:
    place.install("nav-owner", small("owner"))
    place.install("nav-borrower", "from nav_owner import owner_from_onnx, OWNER\n" + small("borrower"))
    assert place.see("[r.id for r in plugins['nav-borrower'].routes]") == ["borrower:borrower_from_onnx"]
    assert place.see("[r.id for r in plugins['nav-owner'].routes]") == ["owner:owner_from_onnx"]


def test_routes_live_in_modules_below_the_announced_one(place: Place) -> None:
    package = place.path / "nav_deep"
    place.install("nav-deep", "")
    (place.path / "nav_deep.py").unlink()
    package.mkdir()
    (package / "__init__.py").write_text("from nav_deep.inner import deep_from_onnx as alias, deep_from_onnx")
    (package / "inner.py").write_text(small("deep"))
    assert place.see("[r.id for r in plugins['nav-deep'].routes]") == ["deep:deep_from_onnx"]


def test_a_function_that_is_decorated_again_runs_as_it_was_decorated(place: Place) -> None:
    place.install(
        "nav-twice",
        """
        import functools
        from navcore import Format, Made, converter
        def noted(function):
            @functools.wraps(function)
            def around(job):
                function(job)
                return Made(notes=("seen",))
            return around
        @noted
        @converter("onnx", Format("twice"))
        def twice_from_onnx(job): ...
        """,
    )
    assert place.see("registry.ask('convert', None, plugins['nav-twice'].routes[0]).notes") == ["seen"]


def test_the_order_of_installing_decides_nothing(place: Place, tmp_path: Path) -> None:
    names = ["d", "a", "c", "b"]
    seen = []
    for order in (names, names[::-1]):
        path = tmp_path / "".join(order)
        path.mkdir()
        there = Place(path)
        for name in order:
            there.install(f"nav-{name}", small(name))
        seen.append(there.see("[[p.name for p in registry.plugins], [r.id for r in registry.routes]]"))
    assert seen[0] == seen[1]


def test_a_distribution_found_twice_is_one_plugin(place: Place, tmp_path: Path) -> None:
    place.install("nav-small", small("small"))
    other = tmp_path / "other"
    other.mkdir()
    Place(other).install("nav-small", "raise SystemExit", version="0.9")
    found = place.see(
        "[[p.version, p.problem] for p in registry.plugins if p.name == 'small']",
        PYTHONPATH=f"{place.path}{os.pathsep}{other}",
    )
    assert found == [["1.0", ""]]


def test_a_damaged_installation_does_not_take_the_others_down(place: Place) -> None:
    for name, text in {
        "torn": b"[navcore.v1]\ntorn\n",
        "binary": b"\xff\xfe\x00",
        "plain": b"[console_scripts]\nx\n",
    }.items():
        info = place.path / f"nav_{name}-1.5.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_bytes(text)
    nameless = place.path / "nav_nameless-3.0.dist-info"
    nameless.mkdir()
    (nameless / "entry_points.txt").write_text("[navcore.v1]\nnameless = nav_nameless\n")
    (place.path / "nav_nameless.py").write_text(small("nameless"))
    assert "its entry points cannot be read" in place.problem("nav_torn")
    assert place.see("[plugins['nav_torn'].version, 'nav_plain' in plugins, 'nav_binary' in plugins]") == [
        "1.5",
        False,
        False,
    ]
    assert place.see("[registry.plugin('nameless').version, registry.plugin('nameless').loaded]") == ["3.0", True]


WRAPPER = """
from navcore import hookimpl
seen = []

@hookimpl(wrapper=True)
def convert(job, route):
    seen.append(route.id)
    try:
        return (yield)
    finally:
        seen.append("left")
"""
FAILING = """
from navcore import ConversionError, Format, converter
@converter("onnx", Format("failing"))
def failing_from_onnx(job):
    raise ValueError("no such thing")
"""


def test_a_wrapper_of_a_third_plugin_sees_every_call_and_its_guarded_failure(place: Place) -> None:
    place.install("nav-small", small("small"))
    place.install("nav-failing", FAILING)
    place.install("nav-watch", WRAPPER)
    told, seen = place.see(
        "[told, plugins['nav-watch'].module.seen]",
        before="""
        registry.ask("convert", None, registry.route("small:small_from_onnx"))
        try:
            registry.ask("convert", None, registry.route("failing:failing_from_onnx"))
        except navcore.ConversionError as error:
            told = str(error)
        """,
    )
    assert told == "nav-failing 1.0 (failing_from_onnx): ValueError: no such thing"
    assert seen == ["small:small_from_onnx", "left", "failing:failing_from_onnx", "left"]


def test_a_wrapper_that_fails_is_named_and_not_the_plugin_that_it_wraps(place: Place) -> None:
    place.install("nav-small", small("small"))
    place.install(
        "nav-watch",
        "from navcore import hookimpl\n@hookimpl(wrapper=True, specname='convert')\n"
        "def watch():\n    yield\n    raise KeyError('x')\n",
    )
    told = place.see(
        "told",
        before="""
        try:
            registry.ask("convert", None, registry.route("small:small_from_onnx"))
        except navcore.StepError as error:
            told = str(error)
        """,
    )
    assert told == "nav-watch 1.0 (watch): KeyError: 'x'"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            "@hookimpl(wrapper=True)\ndef transform(job): yield",
            "There is no hook 'transform' to wrap. Hooks: export_model",
        ),
        (
            "@hookimpl(wrapper=True)\ndef convert(model): yield",
            "convert is not a generator function of 'job' and 'route'",
        ),
        ("@hookimpl(wrapper=True)\ndef convert(job): ...", "convert is not a generator function of 'job' and 'route'"),
    ],
)
def test_a_wrapper_that_could_not_be_called_is_refused(place: Place, source: str, told: str) -> None:
    place.install("nav-thief", "from navcore import hookimpl\n" + source)
    assert told in place.problem("nav-thief")


def test_a_planned_route_that_nobody_answers_is_an_error() -> None:
    stranger = Route(hook="convert", name="nothing", owner="nobody", distribution="nav-nobody", version="1")
    with pytest.raises(PluginError, match=r"nav-nobody 1 \(nothing\): No plugin answered the hook convert"):
        load_registry().ask("convert", None, stranger)


def test_routes_and_formats_are_worked_out_once(place: Place) -> None:
    place.install("nav-small", small("small"))
    once = "[registry.routes is registry.routes, registry.formats is registry.formats, found]"
    found = "found = registry.route(registry.routes[0].id) is registry.routes[0] and registry.formats[0] is "
    assert place.see(once, before=found + "registry.format(registry.formats[0].name)") == [True, True, True]


def test_lookups_that_find_nothing_say_so() -> None:
    registry = load_registry()
    with pytest.raises(PluginError, match="'x:y' is not installed here"):
        registry.route("x:y")
    with pytest.raises(UnknownFormat, match="'nonsense'"):
        registry.format("nonsense")
    assert registry.plugin("nonsense") is None


def _exit() -> str:
    raise SystemExit(2)


def _never() -> Any:
    return True


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        (None, ""),
        (lambda: None, ""),
        (lambda: "", ""),
        (lambda: "no CUDA device", "no CUDA device"),
        (lambda: str(1 / 0), "the probe of nav-p 1 (f) failed: ZeroDivisionError: division by zero"),
        (_exit, "the probe of nav-p 1 (f) failed: SystemExit: 2"),
        (_never, "the probe of nav-p 1 (f) answered True in place of None or a reason"),
    ],
)
def test_a_probe_answers_with_a_reason_whatever_it_does(probe: Any, reason: str) -> None:
    route = Route(hook="convert", name="f", available=probe, distribution="nav-p", version="1")
    assert load_registry().unavailable(route) == reason


class Framework: ...


class OnTop(Framework): ...


def _live(name: str, kind: type) -> Format:
    qualified = f"{kind.__module__}.{kind.__qualname__}"
    return Format(name, live=Live((qualified,), lambda _v: None, lambda a, _d: a, lambda _m: ()))


def test_a_model_of_two_frameworks_belongs_to_the_more_derived_one() -> None:
    formats = (_live("a-framework", Framework), _live("z-on-top", OnTop))
    routes = tuple(Route(hook="make_runner", name=f.name, source=f, owner="p") for f in formats)
    plugin = Plugin("p", "nav-p", "1", "p", module=sys, routes=routes)
    registry = Registry((plugin,), load_registry().hooks)
    found = [registry.live_format(model) for model in (OnTop(), Framework(), object())]
    assert [form.name if form else None for form in found] == ["z-on-top", "a-framework", None]


def test_a_plugin_is_a_namespace_of_navcore(place: Place) -> None:
    place.install("nav-small", small("small") + "answer = 42\n")
    place.install("nav-broken", "import not_there")
    answers = place.see(
        "[navcore.small.answer, hasattr(navcore, 'nothing'), told]",
        before="""
        told = []
        from navcore import small
        for name in ("broken", "nothing", "_private", "a.b"):
            try:
                getattr(navcore, name)
            except AttributeError as error:
                told.append(str(error))
        """,
    )
    assert answers == [
        42,
        False,
        [
            "The plugin 'broken' (nav-broken 1.0) is not usable: ModuleNotFoundError: No module named 'not_there'",
            "navcore has no attribute 'nothing', and no plugin of that name is installed.",
            "module 'navcore' has no attribute '_private'",
            "navcore has no attribute 'a.b', and no plugin of that name is installed.",
        ],
    ]


def test_a_plugin_may_ask_for_another_while_it_is_imported(place: Place) -> None:
    place.install("nav-first", "import navcore\nneighbour = navcore.second.answer\n" + small("first"))
    place.install("nav-second", "import navcore\n" + small("second") + "answer = 7\n")
    assert place.see("[plugins['nav-first'].module.neighbour, plugins['nav-first'].loaded]") == [7, True]


def test_a_folder_that_hides_the_plugins_module_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when Python is started where a checkout of the plugin lies."""
    (tmp_path / "nav_hidden").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "hidden=nav_hidden")
    plugin = load_registry().plugin("hidden")
    assert plugin is not None
    assert not plugin.loaded
    assert f"the folder {tmp_path / 'nav_hidden'} has its module's name and comes first" in plugin.problem


def test_a_plugin_without_a_version_is_told_without_one(place: Place) -> None:
    place.install("nav-c", coarse("c", "Precision('coarse', 0.3, 0.2)"))
    (place.path / "mine.py").write_text(coarse("a", "Precision('coarse', 0.2, 0.2)"))
    problem = place.see("plugins['nav-c'].problem", NAVCORE_EXTRA_PLUGINS="a=mine")
    assert problem.startswith("it declares the precision 'coarse' differently from a; ")
