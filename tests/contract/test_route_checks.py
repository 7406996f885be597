"""A declaration that cannot work is refused in a sentence, whichever way it was made."""

from __future__ import annotations

import inspect
from typing import Any

import attrs
import pytest

from navcore.contract import decorators
from navcore.contract.decorators import converter
from navcore.contract.formats import Format
from navcore.contract.precision import Precision
from navcore.contract.route_validation import FIELDS_OF_HOOK, validate_route
from navcore.contract.routes import Hook, Route, SpotCheck
from navcore.errors import PluginError

X = Format("x", filename="model.x")
SOUND: dict[Hook, dict[str, Any]] = {
    "export_model": {"source": "live", "target": X},
    "convert": {"source": "onnx", "target": X},
    "make_runner": {"source": X, "runtime": "x-cpu"},
    "profile": {},
}
DECORATORS: dict[Hook, Any] = {
    "export_model": decorators.exporter,
    "convert": decorators.converter,
    "make_runner": decorators.runner,
    "profile": decorators.profiler,
}


@attrs.frozen
class Options:
    fp16: bool = False


class Plain:
    fp16 = False


@attrs.frozen
class Bare:
    fp16: bool


@attrs.frozen
class Impossible:
    level: int = attrs.field(default=0, validator=attrs.validators.ge(1))


def refusal(hook: Any, **changes: Any) -> str:
    with pytest.raises(PluginError) as caught:
        validate_route(Route(hook=hook, **{**SOUND.get(hook, {}), **changes}))
    return str(caught.value)


@pytest.mark.parametrize("hook", SOUND)
def test_a_sound_one_passes_with_what_it_needs_and_with_everything_that_its_hook_takes(hook: Hook) -> None:
    validate_route(Route(hook=hook, **SOUND[hook]))
    every: dict[str, Any] = {
        "options": Options, "cost": 2, "default": False, "effort": "quick", "seconds": 2, "available": lambda: None,
        "isolation": "fork", "spot_check": SpotCheck(), "threads_per_process": True, "measures": "CPU time",
        "imports": ("json.tool",),
        **SOUND[hook],
    }  # fmt: skip
    validate_route(Route(hook=hook, **{name: every[name] for name in FIELDS_OF_HOOK[hook]}))


@pytest.mark.parametrize("hook", SOUND)
def test_as_data_a_hook_takes_what_its_decorator_takes(hook: Hook) -> None:
    parameters = inspect.signature(DECORATORS[hook]).parameters
    assert {name.replace("formats", "source") for name in parameters} == set(FIELDS_OF_HOOK[hook])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (Plain, "The options of x_from_onnx are <class"),
        (Options(), "The options of x_from_onnx are Options(fp16=False), which is not an attrs class. Decorate it"),
        (Bare, "The options of x_from_onnx have no default for: fp16."),
        (Impossible, "The options of x_from_onnx refuse their own defaults: ValueError: 'level' must be >= 1"),
    ],
)
def test_options_have_to_work_without_a_word_from_the_user(options: Any, told: str) -> None:
    assert refusal("convert", options=options).startswith(told)


@pytest.mark.parametrize("cost", [-1.0, float("nan"), float("inf"), "cheap", None])
def test_a_cost_has_to_be_comparable(cost: Any) -> None:
    assert refusal("convert", cost=cost) == f"The cost of x_from_onnx is {cost}. Give a finite number, 0 or more."


@pytest.mark.parametrize("effort", ["slow", "", None, 2, True])
def test_an_effort_is_one_of_three_words(effort: Any) -> None:
    told = f"has effort={effort!r}. Give 'quick' or 'normal' or 'thorough'."
    assert refusal("convert", effort=effort).endswith(told)
    assert refusal("make_runner", effort=effort).endswith(told)


def test_what_is_left_to_the_user_has_no_effort() -> None:
    assert "and default=False, which keeps it out of every run" in refusal("convert", default=False, effort="normal")


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), "long"])
def test_seconds_are_a_time(seconds: Any) -> None:
    assert refusal("convert", seconds=seconds).endswith(f"has seconds={seconds!r}. Give a finite number, 0 or more.")


@pytest.mark.parametrize(
    ("hook", "changes", "told"),
    [
        ("transform", {}, "is declared for the hook 'transform', which there is not. Hooks: export_model, convert,"),
        ("convert", {"target": None}, "The route nothing_from_onnx of the hook convert has no target. Give target=."),
        ("convert", {"target": "x"}, "The target of x_from_onnx is 'x', which is not a Format. Only what a route"),
        ("convert", {"source": ""}, "The route x_from_ of the hook convert has no source. Give source=."),
        ("convert", {"source": ("a", "b")}, "is ('a', 'b'), which is neither a Format nor the name of one. A route of"),
        (
            "convert",
            {"runtime": "cpu"},
            "x_from_onnx declares runtime, which the hook convert has no use for. Leave",
        ),
        ("convert", {"isolation": "fork"}, "declares isolation, which the hook convert has no use for."),
        ("convert", {"spot_check": SpotCheck()}, "declares spot_check, which the hook convert has no use for."),
        ("make_runner", {"runtime": ""}, "The route run_ of the hook make_runner has no runtime. Give runtime=."),
        (
            "make_runner",
            {"target": X},
            "run_x_cpu declares target, which the hook make_runner has no use for.",
        ),
        ("make_runner", {"threads_per_process": 1}, "has threads_per_process=1. Give True or False."),
        ("make_runner", {"spot_check": 3}, "The route run_x_cpu has spot_check=3. Give a navcore.SpotCheck."),
        ("profile", {"source": X}, "The route profile declares source, which the hook profile has no use for."),
        ("profile", {"cost": 2.0}, "The route profile declares cost, which the hook profile has no use for."),
        ("export_model", {"isolation": "child"}, "has isolation='child'. Give 'fork' or 'caller'."),
        ("export_model", {"default": None}, "has default=None. Give True or False."),
        ("export_model", {"available": "yes"}, "has available='yes'. Give a function without arguments."),
        ("convert", {"name": "x from onnx"}, "A route is called 'x from onnx', which names no route."),
        ("convert", {"name": ""}, "A route is called '', which names no route."),
        ("convert", {"name": 3}, "A route is called 3, which names no route."),
    ],
)
def test_what_it_cannot_be(hook: str, changes: dict[str, Any], told: str) -> None:
    assert told in refusal(hook, **changes)


def of_precision(precision: str) -> dict[str, Any]:
    return {"target": Format("x-low", precision=precision)}


def test_a_precision_is_one_of_navcores_or_brings_its_bounds() -> None:
    validate_route(Route(hook="convert", source="onnx", **of_precision("bf16")))
    validate_route(Route(hook="convert", source="onnx", **of_precision(Precision("posit8", 0.1, 0.1))))
    assert refusal("convert", **of_precision("posit8")) == (
        "The format 'x-low' of x_low_from_onnx has the precision 'posit8', which is none of navcore's own: fp64, fp32, "
        "tf32, fp16, bf16, int8, fp8. Give one of these, or bring yours with its bounds: "
        "precision=navcore.Precision('posit8', relative_l2=…, differing=…)."
    )
    assert "has the precision 'posit8'" in refusal("make_runner", source=Format("x", precision="posit8"))


@pytest.mark.parametrize("name", ["fp16", "FP16", "float16", "float8_e4m3fn"])
def test_what_navcore_means_by_a_precision_is_not_changed(name: str) -> None:
    told = refusal("convert", **of_precision(Precision(name, 0.9, 0.9)))
    assert f"brings bounds of its own for the precision {name!r}, which navcore has already. Give precision=" in told


def test_a_plugin_that_is_known_is_named_with_its_version_and_the_route() -> None:
    told = refusal("convert", cost=-1, owner="p", distribution="nav-p", version="2.0")
    assert told.startswith("nav-p 2.0 (x_from_onnx): The cost of x_from_onnx is -1.")


def test_decorators_ask_the_same() -> None:
    with pytest.raises(PluginError, match="which is not an attrs class"):
        converter("onnx", X, options=Plain)(lambda job: None)
