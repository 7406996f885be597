"""Routes declared as data, and the plain implementations of hooks that answer these, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import navcore as nav
from navcore.contract.jobs import Made, ProfileJob, Runner
from navcore.errors import ConversionError, PluginError
from navcore.registry.discovery import Candidate
from navcore.registry.loading import load_registry
from navcore.registry.registry import Plugin, Registry

PLUGIN = """
'''nav-mine: routes as data.'''
import attrs
import navcore
from navcore import Format, Made, Route, Runner
A = Format("mine-a")
B = Format("mine-b")
called = []
"""
TWO = """
routes = (
    Route(hook="convert", source="onnx", target=A),
    Route(hook="convert", name="roundabout", source=A, target=B, cost=3.0),
)

@navcore.hookimpl
def convert(job, route):
    called.append((job, route.name, route.who))
"""
FIRST = "routes = (Route(hook='convert', source='onnx', target=A),)\n"
ANSWER = "@navcore.hookimpl\ndef convert(job, route): "

Load = Callable[..., Registry]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """The registry of plugins given as ``name="source"``, each a module of the distribution ``nav-name`` 1.5."""
    monkeypatch.syspath_prepend(tmp_path)

    def load(**sources: str) -> Registry:
        announced = []
        for name, source in sources.items():
            monkeypatch.delitem(sys.modules, f"data_{name}", raising=False)
            (tmp_path / f"data_{name}.py").write_text(PLUGIN.replace("mine", name) + dedent(source))
            announced.append(Candidate(name, f"nav-{name}", "1.5", f"data_{name}"))
        return load_registry(announced)

    return load


def mine(registry: Registry) -> Plugin:
    plugin = registry.plugin("mine")
    assert plugin is not None
    return plugin


def refusal(registry: Registry) -> str:
    assert not mine(registry).loaded
    return mine(registry).problem


def test_one_function_answers_for_every_route_that_its_plugin_declared(load: Load) -> None:
    registry = load(mine=TWO)
    assert mine(registry).problem == ""
    assert [route.id for route in registry.routes] == ["mine:mine_a_from_onnx", "mine:roundabout"]
    assert [format.name for format in registry.formats] == ["mine-a", "mine-b"]
    assert registry.ask("convert", "a job", registry.route("mine:roundabout")) == Made()
    assert mine(registry).namespace.called == [("a job", "roundabout", "nav-mine 1.5 (roundabout)")]


def test_it_is_called_for_no_route_of_another_plugin_and_for_none_that_nobody_declared(load: Load) -> None:
    registry = load(
        mine=TWO,
        other="@navcore.converter('onnx', A)\ndef other_from_onnx(job): return Made(notes=('by the other',))",
    )
    assert registry.ask("convert", None, registry.route("other:other_from_onnx")).notes == ("by the other",)
    stranger = nav.Route(hook="convert", name="unheard_of", source="onnx", target=nav.Format("x"), owner="mine")
    with pytest.raises(PluginError, match="No plugin answered the hook convert"):
        registry.ask("convert", None, stranger)
    assert mine(registry).namespace.called == []


@pytest.mark.parametrize("order", ["tryfirst=True", "trylast=True"])
@pytest.mark.parametrize("theirs", ["tryfirst=True", "trylast=True"])
def test_to_ask_for_the_first_or_the_last_place_decides_nothing(load: Load, order: str, theirs: str) -> None:
    source = FIRST + "@navcore.hookimpl({order})\ndef convert(route): return Made(notes=(route.who,))"
    registry = load(mine=source.format(order=order), other=source.format(order=theirs))
    for route in registry.routes:
        assert registry.ask("convert", None, route).notes == (route.who,)


def test_both_ways_stand_side_by_side_in_one_plugin(load: Load) -> None:
    registry = load(mine=TWO + "@navcore.converter(B, A)\ndef a_from_b(job): return Made(notes=('decorated',))")
    assert [route.name for route in mine(registry).routes] == ["a_from_b", "mine_a_from_onnx", "roundabout"]
    assert registry.ask("convert", None, registry.route("mine:a_from_b")).notes == ("decorated",)
    assert registry.ask("convert", None, registry.route("mine:roundabout")) == Made()
    assert [name for _, name, _ in mine(registry).namespace.called] == ["roundabout"]


def test_every_hook_can_be_answered_so(load: Load) -> None:
    registry = load(
        mine="""
        routes = [
            Route(hook="export_model", source="toy-live", target=A, isolation="fork"),
            Route(hook="convert", source=A, target=B, available=lambda: "no device"),
            *(Route(hook="make_runner", source=format, runtime="mine-cpu") for format in (A, B)),
            Route(hook="profile"),
        ]
        hookimpl = navcore.hookimpl

        @hookimpl
        def export_model(job): ...

        @hookimpl(specname="convert")
        def anything(): ...

        @hookimpl
        def make_runner(job, route): return lambda feeds: {route.source: job}

        @hookimpl
        def profile(job, route): return [1.0]
        """
    )
    assert [(route.id, route.isolation, registry.unavailable(route)) for route in registry.routes] == [
        ("mine:mine_a_from_toy_live", "fork", ""),
        ("mine:mine_b_from_mine_a", "caller", "no device"),
        ("mine:profile", "caller", ""),
        ("mine:run_mine_cpu[mine-a]", "caller", ""),
        ("mine:run_mine_cpu[mine-b]", "caller", ""),
    ]
    for route in registry.routes:
        job = ProfileJob(Runner(lambda feeds: feeds), {}, calls=1) if route.hook == "profile" else 7
        answer = registry.ask(route.hook, job, route)
        if route.hook == "make_runner":
            assert answer({}) == {route.source: 7}


def test_what_goes_wrong_carries_the_plugin_its_version_and_the_route(load: Load) -> None:
    registry = load(mine=FIRST + ANSWER + "raise ValueError('no kernel')")
    with pytest.raises(ConversionError) as caught:
        registry.ask("convert", None, registry.routes[0])
    assert str(caught.value) == "nav-mine 1.5 (mine_a_from_onnx): ValueError: no kernel"


def test_an_answer_of_another_kind_is_the_plugins_fault(load: Load) -> None:
    registry = load(mine=FIRST + ANSWER + "return 'model.a'")
    with pytest.raises(PluginError, match=r"^nav-mine 1\.5 \(mine_a_from_onnx\): The route returned a str\."):
        registry.ask("convert", None, registry.routes[0])


def test_the_function_of_a_route_takes_the_job_alone_whichever_way_it_was_declared(load: Load) -> None:
    registry = load(mine=TWO)
    registry.route("mine:roundabout").function("a job")
    assert mine(registry).namespace.called == [("a job", "roundabout", "nav-mine 1.5 (roundabout)")]


def test_a_wrapper_in_the_same_plugin_wraps_it(load: Load) -> None:
    registry = load(
        mine=f"""
        {FIRST}
        @navcore.hookimpl
        def convert(job): return Made(notes=("inner",))

        @navcore.hookimpl(wrapper=True, specname="convert")
        def around():
            made = yield
            return Made(notes=(*made.notes, "outer"))
        """
    )
    assert registry.ask("convert", None, registry.routes[0]).notes == ("inner", "outer")


def test_a_route_that_nothing_answers_says_what_to_write(load: Load) -> None:
    assert refusal(load(mine=FIRST)) == (
        "nav-mine 1.5 (mine_a_from_onnx): It is declared as data and no function answers it: "
        "write '@navcore.hookimpl' above 'def convert(job, route):' in the plugin."
    )


def test_an_implementation_that_no_plan_could_choose_says_what_to_write(load: Load) -> None:
    assert refusal(load(mine=ANSWER + "return 'mine'")) == (
        "nav-mine 1.5 (convert): It implements the hook convert and no route is declared for it, so no plan could "
        "choose it: write routes = (navcore.Route(hook='convert', source=…, target=…),) beside it, or "
        "@navcore.converter(…) in place of @navcore.hookimpl."
    )
    assert "navcore.Route(hook='profile'),)" in refusal(load(mine="@navcore.hookimpl\ndef profile(job): ..."))


def test_an_implementation_that_is_imported_from_another_plugin_stays_its_owners(load: Load) -> None:
    registry = load(owner=TWO, mine="from data_owner import convert\n" + FIRST)
    assert "no function answers it" in mine(registry).problem


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            "routes = (Route(hook='convert', source='onnx', target=A, cost=-1),)\n" + ANSWER + "...",
            "nav-mine 1.5 (mine_a_from_onnx): The cost of mine_a_from_onnx is -1. Give a finite number, 0 or more.",
        ),
        (
            "class O: x = 1\nroutes = (Route(hook='convert', source='onnx', target=A, options=O),)\n" + ANSWER + "...",
            "which is not an attrs class. Decorate it with @attrs.frozen.",
        ),
        (
            "routes = (Route(hook='convert', source='onnx', target=A),) * 2\n" + ANSWER + "...",
            "Two routes of mine are called 'mine:mine_a_from_onnx'. Give each a name of its own",
        ),
        (
            "routes = (Route(hook='convert', source='onnx', target=A, function=print),)\n" + ANSWER + "...",
            "It is declared as data and with a function. Leave out function=",
        ),
        ("routes = Route(hook='convert', source='onnx', target=A)", "'routes' is a Route, and is where a plugin"),
        ("routes = (Format('x'),)", "'routes' holds <Format x>, which is not a Route."),
        ("def routes(): ...", "'routes' is a function, and is where a plugin declares its routes as data."),
        ("routes = (Route(hook='convert', sorce='onnx'),)", "got an unexpected keyword argument 'sorce'"),
        (FIRST + ANSWER + "yield", "convert yields, and does not say that it wraps the hook convert. Write @navcore"),
        (
            FIRST + "@navcore.hookimpl(hookwrapper=True)\ndef convert(): yield",
            "convert yields, and does not say that it wraps the hook convert.",
        ),
        (
            FIRST + "@navcore.hookimpl\ndef convert(model): ...",
            "The implementation convert of the hook convert takes something else than 'job' and 'route'.",
        ),
        (
            FIRST + ANSWER + "...\n@navcore.hookimpl(specname='convert')\ndef again(job): ...",
            "The functions convert and again both implement the hook convert. Keep one",
        ),
        (
            "@navcore.hookimpl\ndef transform(job): ...",
            "There is no hook 'transform' to implement. Hooks:",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_at_load_in_a_sentence(load: Load, source: str, told: str) -> None:
    assert told in refusal(load(mine=source))


def test_a_submodule_called_routes_declares_nothing(load: Load) -> None:
    registry = load(mine="import navcore.contract.routes as routes\n@navcore.converter('onnx', A)\ndef way(job): ...")
    assert [route.name for route in mine(registry).routes] == ["way"]


A_PACKAGE = {
    "__init__.py": """
        '''nav-halved: toys at half their size, with every route as data.'''
        from nav_halved.declared import HALVED, routes
        from nav_halved.hooks import convert, make_runner
    """,
    "declared.py": """
        import attrs
        from navcore import Format, Route

        HALVED = Format("halved", filename="model.half", data_only=True)

        @attrs.frozen
        class Options:
            by: float = attrs.field(default=2.0, validator=attrs.validators.instance_of((int, float)))

        routes = (
            Route(hook="convert", source="toy-alpha", target=HALVED, options=Options, cost=1.0),
            Route(hook="convert", name="the_long_way", source="toy-alpha", target=HALVED, options=Options, cost=2.0),
            Route(hook="make_runner", source=HALVED, runtime="halved-cpu"),
        )
    """,
    "hooks.py": """
        import json
        from navcore import Made, Runner, hookimpl

        @hookimpl
        def convert(job, route):
            if route.name != "the_long_way":
                raise ValueError("the short way is closed")
            content = json.loads(job.source.file.read_text())
            job.output.write_text(json.dumps({"half": content["factor"] / job.options.by, "offset": content["offset"]}))
            return Made(facts={"by": str(job.options.by)})

        @hookimpl
        def make_runner(job, route):
            content, by = json.loads(job.artifact.file.read_text()), float(job.artifact.facts["by"])
            factor = content["half"] * by
            return Runner(lambda feeds: {"y": (feeds["x"] * factor + content["offset"]).astype(feeds["x"].dtype)})
    """,
}


@pytest.mark.processes
def test_a_model_goes_through_a_plugin_whose_routes_are_data(
    run_toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Declared in one module, implemented in another: planned, failed over, converted in a child, and compared."""
    (tmp_path / "nav_halved").mkdir()
    for name, source in A_PACKAGE.items():
        (tmp_path / "nav_halved" / name).write_text(dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy,halved=nav_halved")
    package = run_toy(targets=["halved"], options={"halved": {"by": 4.0}})
    (row,) = (row for row in package.results if row.format.name == "halved")
    assert package.get_status("halved")
    assert [attempt.route for attempt in row.attempts] == ["halved:halved_from_toy_alpha", "halved:the_long_way"]
    failure = row.attempts[0].outcome.failure
    assert failure.cause == "halved (halved_from_toy_alpha): ValueError: the short way is closed"
    assert (row.route, row.facts) == ("halved:the_long_way", {"by": "4.0"})
