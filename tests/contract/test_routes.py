"""A route is a value: what it is called, what it brings, and who is to blame."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from navcore.contract.formats import Format, RuntimeProvider
from navcore.contract.routes import Route
from navcore.errors import PluginError

LIVE = Format("live")
X = Format("my-x", filename="model.x")


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ({"hook": "export_model", "source": LIVE, "target": X}, "my_x_from_live"),
        ({"hook": "convert", "source": "torch-exportedprogram", "target": X}, "my_x_from_torch_exportedprogram"),
        ({"hook": "make_runner", "source": X, "runtime": "my-cpu"}, "run_my_cpu"),
        ({"hook": "make_runner", "source": X, "runtime": RuntimeProvider.CPU}, "run_CPUExecutionProvider"),
        ({"hook": "profile"}, "profile"),
        ({"hook": "convert", "name": "by_the_detour", "source": "onnx", "target": X}, "by_the_detour"),
    ],
)
def test_without_a_name_it_is_called_as_its_function_would_be(declared: Any, name: str) -> None:
    assert Route(**declared).name == name


def test_it_starts_from_a_format_or_from_the_name_of_one_and_brings_the_formats_that_are_values() -> None:
    both, one = Route(hook="convert", source=LIVE, target=X), Route(hook="convert", source="live", target=X)
    assert both.source == one.source == "live"
    assert (both.formats, one.formats) == ((LIVE, X), (X,))
    assert both == one
    assert hash(both) == hash(one)


def test_a_runtime_is_a_plain_text() -> None:
    route = Route(hook="make_runner", source=X, runtime=RuntimeProvider.CPU)
    assert type(route.runtime) is str
    assert route.runtime == "CPUExecutionProvider"


def test_the_id_of_a_runner_has_the_format_that_it_runs() -> None:
    assert Route(hook="convert", source="a", target=X, owner="p").id == "p:my_x_from_a"
    assert Route(hook="make_runner", source=X, runtime="r", owner="p").id == "p:run_r[my-x]"


def test_the_line_of_blame() -> None:
    route = Route(hook="make_runner", name="run", owner="p", distribution="nav-p", version="1.2")
    assert route.who == "nav-p 1.2 (run)"
    assert attrs.evolve(route, distribution="", version="").who == "p (run)"


def test_one_that_is_only_declared_has_no_function() -> None:
    declared = Route(hook="convert", source="onnx", target=X)
    assert not declared.is_answered
    with pytest.raises(PluginError, match="This route is only declared"):
        declared.function("job")
    assert attrs.evolve(declared, function=print).is_answered
