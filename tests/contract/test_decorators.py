"""A decorator records what a function offers, and leaves the function as it is."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from navcore.contract.decorators import ROUTES_ATTRIBUTE, converter, exporter, profiler, runner
from navcore.contract.formats import Format
from navcore.contract.routes import Route
from navcore.errors import PluginError

LIVE = Format("live")
X = Format("x", filename="model.x")


@attrs.frozen
class Options:
    fp16: bool = False


def declared(function: Any) -> list[Route]:
    return list(getattr(function, ROUTES_ATTRIBUTE))


def why_not() -> str | None:
    return "no device"


def test_an_exporter() -> None:
    @exporter(LIVE, X, options=Options, cost=2.0, default=False, available=why_not, isolation="fork")
    def x_from_live(job: Any) -> None: ...

    (route,) = declared(x_from_live)
    assert (route.name, route.hook, route.source, route.goal) == ("x_from_live", "export_model", "live", X)
    assert (route.cost, route.default, route.options, route.isolation) == (2.0, False, Options, "fork")
    assert route.available is why_not
    assert route.formats == (LIVE, X)
    assert route.function is x_from_live


def test_a_converter_of_a_format_that_another_plugin_declares() -> None:
    @converter("onnx", X)
    def x_from_onnx(job: Any) -> None: ...

    (route,) = declared(x_from_onnx)
    assert (route.hook, route.source, route.goal, route.formats) == ("convert", "onnx", X, (X,))
    assert (route.cost, route.default, route.options, route.isolation) == (1.0, True, None, "caller")


def test_a_runner_of_several_formats_is_a_route_for_each() -> None:
    @runner(X, "onnx", runtime="cpu")
    def run(job: Any) -> Any: ...

    routes = declared(run)
    assert [(route.hook, route.source, route.runtime) for route in routes] == [
        ("make_runner", "x", "cpu"),
        ("make_runner", "onnx", "cpu"),
    ]
    assert [attrs.evolve(route, owner="p").id for route in routes] == ["p:run[x]", "p:run[onnx]"]


def test_a_profiler_is_about_no_format() -> None:
    @profiler(available=why_not)
    def clock(job: Any) -> Any: ...

    (route,) = declared(clock)
    assert (route.hook, route.source, route.available) == ("profile", "", why_not)
    with pytest.raises(PluginError, match="makes no format"):
        _ = route.goal


def test_the_function_stays_a_function() -> None:
    def x_from_onnx(job: Any) -> Any:
        return job * 2

    assert converter("onnx", X)(x_from_onnx) is x_from_onnx
    assert x_from_onnx(21) == 42


def test_declarations_stand_side_by_side() -> None:
    @converter("a", X)
    @converter("b", X)
    def x_from_either(job: Any) -> None: ...

    assert [route.source for route in declared(x_from_either)] == ["b", "a"]


def test_a_runner_runs_something() -> None:
    with pytest.raises(PluginError, match="names no format"):
        runner(runtime="cpu")


def test_a_declaration_that_cannot_work_is_refused_where_it_stands() -> None:
    with pytest.raises(PluginError, match=r"^The cost of x_from_onnx is -1\.0\."):

        @converter("onnx", X, cost=-1.0)
        def x_from_onnx(job: Any) -> None: ...
