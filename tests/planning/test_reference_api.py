"""The reference API's words for variants and engines become targets and options of ``navcore.run``."""

from __future__ import annotations

import inspect
from typing import Any

import attrs
import pytest

from navcore.contract.formats import Format, JitType, TensorRTPrecision
from navcore.contract.routes import Route
from navcore.errors import OptionError
from navcore.planning.reference_api import chosen_targets, engine_options, reference_arguments, texts
from navcore.registry.registry import Plugin, Registry


@attrs.frozen
class EngineOptions:
    max_workspace_size: int = 0
    precision_mode: str = "single"


@attrs.frozen
class OtherOptions:
    opset: int = 17


def _route(target: Format, options: type, *, default: bool = True) -> Route:
    return Route(hook="convert", name="make", source="x", target=target, options=options, owner="p", default=default)


ONNX = Format("onnx")
SCRIPT = Format("ts-script", family="ts", jit_type=JitType.SCRIPT)
TRACE = Format("ts-trace", family="ts", jit_type=JitType.TRACE)
FP32, FP16, INT8 = (Format(f"trt-{one}", family="trt", precision=one) for one in ("fp32", "fp16", "int8"))
CAST = Format("onnx-fp16", precision="fp16")
SCRIPTED_ENGINE = Format("tt-script-fp16", family="tt", jit_type=JitType.SCRIPT, precision="fp16")
TRACED_ENGINE = Format("tt-trace-fp16", family="tt", jit_type=JitType.TRACE, precision="fp16")
ROUTES = (
    *(_route(one, OtherOptions) for one in (ONNX, SCRIPT, TRACE)),
    *(_route(one, EngineOptions) for one in (FP32, FP16, SCRIPTED_ENGINE, TRACED_ENGINE)),
    _route(INT8, EngineOptions, default=False),
    _route(CAST, OtherOptions, default=False),
)
REGISTRY = Registry((Plugin("p", "nav-p", "1", "nav_p", module=inspect, routes=ROUTES),), ())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ("onnx", ("onnx",)),
        (ONNX, ("onnx",)),
        (("onnx", FP16), ("onnx", "trt-fp16")),
        (TensorRTPrecision.FP16, ("fp16",)),
        ((), ()),
    ],
)
def test_one_or_several_become_text(given: Any, expected: Any) -> None:
    assert texts(given) == expected


def test_without_a_limit_families_stay_families() -> None:
    assert chosen_targets(("ts", "onnx", "trt"), REGISTRY) == ("ts", "onnx", "trt")


def test_a_jit_type_leaves_out_the_other_variant_and_no_other_format() -> None:
    chosen = chosen_targets(("ts", "onnx", "trt", "tt"), REGISTRY, jit_types=("trace",))
    assert chosen == ("ts-trace", "onnx", "trt", "tt-trace-fp16")


def test_precisions_choose_among_engines_also_those_that_are_not_made_by_default() -> None:
    assert chosen_targets(("onnx", "trt"), REGISTRY, precisions=("fp16",)) == ("onnx", "trt-fp16")
    assert chosen_targets(("trt",), REGISTRY, precisions=("int8", "fp32")) == ("trt-fp32", "trt-int8")
    assert chosen_targets(("trt", "onnx-fp16"), REGISTRY, precisions=("fp32",)) == ("trt-fp32", "onnx-fp16")


def test_both_limits_hold_together() -> None:
    chosen = chosen_targets(("tt",), REGISTRY, jit_types=(JitType.SCRIPT,), precisions=("fp16",))
    assert chosen == ("tt-script-fp16",)


def test_an_unknown_name_is_left_for_run_to_refuse() -> None:
    assert chosen_targets(("onyx",), REGISTRY, jit_types=("trace",), precisions=("fp16",)) == ("onyx",)


def test_an_unknown_jit_type_is_refused() -> None:
    with pytest.raises(OptionError, match=r"'traced' is not a jit type\. Use one of script, trace"):
        chosen_targets(("ts",), REGISTRY, jit_types=("traced",))


def test_an_unknown_precision_is_refused_and_one_that_only_a_plugin_knows_is_not() -> None:
    with pytest.raises(OptionError, match=r"'fp17' is not a precision\. Use one of fp16, fp32, int8, tf32"):
        chosen_targets(("onnx", "trt"), REGISTRY, precisions=("fp16", "fp17"))
    sixth = _route(Format("trt-fp6", family="trt", precision="fp6"), EngineOptions)
    registry = Registry((Plugin("p", "nav-p", "1", "nav_p", module=inspect, routes=(sixth,)),), ())
    assert chosen_targets(("trt",), registry, precisions=("fp6",)) == ("trt-fp6",)


def test_engine_options_go_to_the_targets_that_take_them() -> None:
    given = {"max_workspace_size": 5, "precision_mode": None}
    taken = {"max_workspace_size": 5}
    every = ("trt-fp32", "trt-fp16", "tt-script-fp16", "tt-trace-fp16", "trt-int8")
    assert engine_options(REGISTRY, given, None, plugin="nav_p") == dict.fromkeys(every, taken)
    chosen = ("trt-fp32", "trt-fp16", "trt-int8", "tt-trace-fp16")
    assert engine_options(REGISTRY, given, ("onnx", "trt", "tt-trace-fp16"), plugin="nav_p") == dict.fromkeys(
        chosen, taken
    )


def test_an_option_that_no_target_takes_is_said_to_have_no_effect(caplog: pytest.LogCaptureFixture) -> None:
    assert engine_options(REGISTRY, {"max_workspace_size": 5}, ("onnx",), plugin="nav_p") == {}
    assert "max_workspace_size concerns TensorRT, and no target takes it" in caplog.text


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("navcore.registry.load_registry", lambda: REGISTRY)


@pytest.mark.usefixtures("_installed")
def test_everything_becomes_arguments_of_run() -> None:
    assert reference_arguments(
        "nav_p",
        ("ts", "onnx", "trt"),
        jit_types="trace",
        precisions=TensorRTPrecision.FP16,
        runtimes="CPUExecutionProvider",
        opset=13,
        engines={"max_workspace_size": 5, "precision_mode": None},
    ) == {
        "targets": ("ts-trace", "onnx", "trt-fp16"),
        "options": {"trt-fp16": {"max_workspace_size": 5}, "onnx": {"opset": 13}},
        "runtimes": {"onnx": ("CPUExecutionProvider",)},
    }


@pytest.mark.usefixtures("_installed")
def test_what_is_not_said_is_left_to_run() -> None:
    assert reference_arguments("nav_p", None) == {"targets": None}
    assert reference_arguments("nav_p", ONNX, engines={"max_workspace_size": None}) == {"targets": ("onnx",)}
