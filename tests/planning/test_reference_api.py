"""The reference API's words for variants and engines become targets and options of ``navcore.run``."""

from __future__ import annotations

import inspect
from typing import Any

import attrs
import pytest

from navcore.contract.formats import Format, JitType, TensorRTPrecision
from navcore.contract.routes import Route
from navcore.errors import OptionError
from navcore.planning.reference_api import (
    WORDS,
    chosen_targets,
    engine_options,
    reference_arguments,
    takes_reference_arguments,
)
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


@pytest.fixture
def translate(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The arguments of a run for a call in the reference API's words."""
    monkeypatch.setattr("navcore.registry.load_registry", lambda: REGISTRY)

    def go(**given: Any) -> dict[str, Any]:
        source = given.pop("source", None)
        return dict(reference_arguments(given, plugin="nav_p", formats=(ONNX, Format("trt")), source=source))

    return go


def test_nothing_said_means_the_formats_of_the_page(translate: Any) -> None:
    assert translate(model="m", dataloader=[]) == {
        "targets": ("onnx", "trt"), "options": {}, "runtimes": {}, "git_info": True, "effort": "quick",
        "ranking": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "argued"),
    [
        ({"model_name": None}, {"model_name": "navigator_model"}),
        ({"model_name": "m"}, {"model_name": "m"}),
        ({"sample_count": None}, {"sample_count": 100}),
        ({"trt_dynamic_axes": {"x": {0: (1, 2, 3)}}}, {"axis_ranges": {"x": {0: (1, 2, 3)}}}),
        ({"target_device": "cuda:0"}, {"device": "cuda:0"}),
        ({"disable_git_info": True}, {"git_info": False}),
        ({"onnx_runtimes": "CPUExecutionProvider"}, {"runtimes": {"onnx": ("CPUExecutionProvider",)}}),
        ({"target_formats": ONNX}, {"targets": ("onnx",)}),
        ({"target_formats": ("onnx", FP16)}, {"targets": ("onnx", "trt-fp16")}),
        ({"target_formats": (one for one in ["onnx"])}, {"targets": ("onnx",)}),
        ({"target_formats": ()}, {"targets": ()}),
        ({"target_formats": "trt", "target_precisions": TensorRTPrecision.FP16}, {"targets": ("trt-fp16",)}),
        ({"target_formats": "ts", "jit_options": "trace"}, {"targets": ("ts-trace",)}),
        ({"opset": 13}, {"options": {"onnx": {"opset": 13}}}),
        ({"minimum_segment_size": 3}, {"options": {}}),
        ({"max_workspace_size": 5, "target_formats": FP16}, {"options": {"trt-fp16": {"max_workspace_size": 5}}}),
        ({"batch_dim": None, "atol": 0.1}, {"batch_dim": None, "atol": 0.1}),
    ],
)
def test_a_word_becomes_an_argument(translate: Any, said: dict[str, Any], argued: dict[str, Any]) -> None:
    found = translate(**said)
    assert {name: found[name] for name in argued} == argued


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"disable_git_info": "no"}, "disable_git_info='no' has to be True or False"),
        ({"override_workdir": "no"}, "override_workdir='no' has to be True or False"),
        ({"target_formats": {"onnx": 1}}, "target_formats={'onnx': 1} has to be a name or a list of names"),
        ({"target_device": 0}, "target_device=0 has to be text"),
        ({"onnx_runtimes": 5}, "onnx_runtimes=5 has to be a name"),
        ({"opset": "seventeen"}, "opset='seventeen' has to be a whole number. Write opset=17."),
        ({"opset": True}, "opset=True has to be a whole number"),
        ({"max_workspace_size": 0}, "max_workspace_size=0 has to be more than 0"),
        ({"minimum_segment_size": 2.5}, "minimum_segment_size=2.5 has to be a whole number"),
        ({"model_name": ""}, "model_name='' cannot name a folder"),
        ({"trt_dynamic_axes": {"x": {0: (3, 2, 1)}}}, "trt_dynamic_axes['x'][0]=(3, 2, 1) has to be three sizes"),
        ({"jit_options": "tracing"}, "'tracing' is not a jit type"),
        ({"target_precisions": 16}, "target_precisions=16 has to be a name"),
    ],
)
def test_a_slip_is_told_in_the_callers_words(translate: Any, said: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        translate(**said)
    assert sentence in str(caught.value)


def test_an_opset_that_nobody_obeys_is_said_to_have_no_effect(
    translate: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert translate(opset=13, source=Format.ONNX)["options"] == {}
    assert "opset=13 has no effect: an ONNX file keeps its own." in caplog.text
    monkeypatch.setattr("navcore.registry.load_registry", lambda: Registry((), ()))
    assert translate(opset=13, target_formats=())["options"] == {}
    assert "opset=13 has no effect: no installed plugin writes ONNX." in caplog.text


def test_help_explains_every_word_of_an_export() -> None:
    @takes_reference_arguments
    def export(model: Any, dataloader: Any, opset: int | None = None, target_device: str | None = None) -> None:
        """Export it.

        Args:
            model: the model.
            dataloader: its data.

        Raises what run raises.
        """

    before, _, after = (export.__doc__ or "").partition("dataloader: its data.")
    told = (f"    {name}: {WORDS[name].meaning}" for name in ("opset", "target_device"))
    assert before.startswith("Export it.")
    assert after == "\n{}\n{}\n\nRaises what run raises.".format(*told)


def test_a_parameter_that_is_no_word_of_the_page_is_refused() -> None:
    def export(model: Any, dataloader: Any, opsett: int | None = None) -> None:
        """Args:
        model: the model.
        """

    with pytest.raises(TypeError, match="opsett: no such argument in the reference API"):
        takes_reference_arguments(export)


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
