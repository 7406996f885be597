"""Users' options reach the routes they are meant for, and a wrong name is refused before any work."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from navcore.contract.formats import Format
from navcore.contract.routes import Route
from navcore.errors import OptionError
from navcore.registry.route_options import option_names, resolve_options


def _positive(_options: Any, attribute: attrs.Attribute[int], value: int) -> None:
    if value < 1:
        raise ValueError(f"{attribute.name} has to be positive\nand that is that")


@attrs.frozen
class Export:
    opset: int = attrs.field(default=18, validator=_positive)
    fold: bool = True


@attrs.frozen
class Other:
    opset: int = 17
    _private: int = 0
    derived: int = attrs.field(init=False, default=5)


@attrs.frozen
class Picky:
    depth: int = 1

    def __attrs_post_init__(self) -> None:
        if self.depth == 13:
            raise OptionError("13 is not a depth.", hint="Take 12.")


@attrs.frozen
class Session:
    threads: int | None = None


ONNX = Format("onnx")
SCRIPT = Format("ts-script", family="ts")
TRACE = Format("ts-trace", family="ts")
FORMATS = (ONNX, SCRIPT, TRACE)


def _makes(name: str, target: Format, options: type | None) -> Route:
    return Route(
        hook="export_model",
        name=name,
        source="live",
        target=target,
        options=options,
        owner="p",
        distribution="nav-p",
        version="1",
    )


ROUTES = (
    _makes("dynamo", ONNX, Export),
    _makes("classic", ONNX, Other),
    _makes("script", SCRIPT, Picky),
    _makes("trace", TRACE, Picky),
    _makes("plain", TRACE, None),
    *(
        Route(hook="make_runner", name="run", source=source, runtime=runtime, options=Session, owner=runtime)
        for source in ("onnx", "ts-script", "ts-trace")
        for runtime in ("cpu", "gpu")
    ),
)


def settled(given: Any) -> dict[str, Any]:
    return resolve_options(given, ROUTES, FORMATS)


def test_without_a_word_every_route_has_its_defaults() -> None:
    options = settled({})
    assert options.keys() == {route.id for route in ROUTES}
    assert options["p:dynamo"] == Export()
    assert options["p:plain"] is None


def test_a_target_means_every_route_that_makes_it_and_knows_the_option() -> None:
    options = settled({"onnx": {"opset": 20, "fold": False}})
    assert options["p:dynamo"] == Export(opset=20, fold=False)
    assert options["p:classic"] == Other(opset=20)


def test_a_format_serves_as_key_as_well_as_its_name() -> None:
    assert settled({Format.ONNX: {"opset": 20}}) == settled({"onnx": {"opset": 20}})


def test_a_target_with_a_runtime_means_what_runs_it_there() -> None:
    options = settled({"onnx/cpu": {"threads": 2}, "ts/gpu": {"threads": 3}})
    told = {identity: value.threads for identity, value in options.items() if isinstance(value, Session)}
    assert told == {
        "cpu:run[onnx]": 2,
        "gpu:run[onnx]": None,
        "cpu:run[ts-script]": None,
        "gpu:run[ts-script]": 3,
        "cpu:run[ts-trace]": None,
        "gpu:run[ts-trace]": 3,
    }


@pytest.mark.parametrize("keys", [("ts", "ts-trace"), ("ts-trace", "ts")])
def test_what_is_said_of_a_format_comes_before_what_is_said_of_its_family(keys: tuple[str, str]) -> None:
    said = {"ts": {"depth": 2}, "ts-trace": {"depth": 3}}
    options = settled({key: said[key] for key in keys})
    assert (options["p:script"].depth, options["p:trace"].depth) == (2, 3)


def test_option_names_are_those_of_the_call() -> None:
    assert option_names(ROUTES[1]) == ("opset", "private")
    assert option_names(ROUTES[4]) == ()
    assert settled({"onnx": {"private": 4}})["p:classic"] == Other(private=4)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"onnx": {"opste": 20}}, "options['onnx'] has no option 'opste'. Did you mean 'opset'?"),
        ({"onnx": {"qqq": 20}}, "options['onnx'] has no option 'qqq'. Known options: fold, opset, private."),
        ({"onnx": {"derived": 20}}, "has no option 'derived'"),
        ({"onxx": {"opset": 20}}, "options['onxx']: no installed plugin makes or runs that. Did you mean 'onnx'?"),
        ({"onnx/cpo": {}}, "Did you mean 'onnx/cpu'?"),
        ({"qqq": {}}, "Known: onnx, onnx/cpu, onnx/gpu, ts, ts-script, ts-script/cpu"),
        ({"onnx": 20}, "options['onnx'] is 20. Give a mapping, like {'opset': 17}."),
        ({"onnx": {"opset": -3}}, "nav-p 1 (dynamo): It refuses the options opset=-3: opset has to be positive"),
        ({"ts": {"depth": 13}}, "nav-p 1 (script): 13 is not a depth. Take 12."),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(given: Any, told: str) -> None:
    with pytest.raises(OptionError) as caught:
        settled(given)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
