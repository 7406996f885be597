"""``nav.tensorflow.export`` has the page's signature and says the same in the words of ``navcore.run``."""

from __future__ import annotations

import inspect
from typing import Any

import attrs
import keras
import numpy as np
import pytest

import navcore
from nav_tf import export
from navcore.contract.formats import Format, RuntimeProvider, TensorRTPrecision
from navcore.contract.routes import Route
from navcore.registry.loading import load_registry
from navcore.registry.registry import Plugin, Registry

PAGE = {
    "model": ...,
    "dataloader": ...,
    "target_precisions": None,
    "max_workspace_size": None,
    "minimum_segment_size": 3,
    "model_name": None,
    "target_formats": None,
    "workdir": None,
    "override_workdir": False,
    "sample_count": None,
    "opset": None,
    "atol": None,
    "rtol": None,
    "input_names": None,
    "output_names": None,
    "disable_git_info": False,
    "batch_dim": 0,
    "onnx_runtimes": None,
    "run_profiling": True,
    "profiler_config": None,
}
MODEL = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
LOADER = [np.zeros((1, 2), np.float32)]


def test_the_signature_is_the_pages_with_extras_by_keyword_only() -> None:
    parameters = inspect.signature(export).parameters.values()
    positional = {
        one.name: ... if one.default is inspect.Parameter.empty else one.default
        for one in parameters
        if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    }
    assert list(positional.items()) == list(PAGE.items())
    extras = [one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY]
    assert extras == ["dynamic_axes", "trt_dynamic_axes", "target_device", "progress", "executor"]


@attrs.frozen
class EngineOptions:
    max_workspace_size: int = 0


def _engines(registry: Registry) -> Registry:
    """The registry with a plugin that makes TensorRT engines, which this machine need not have."""
    routes = tuple(
        Route(hook="convert", name="make", source=source, target=target, options=EngineOptions, owner="engines")
        for source, target in (
            ("onnx", Format("trt-fp16", family="trt", precision="fp16")),
            ("onnx", Format("trt-fp32", family="trt", precision="fp32")),
        )
    )
    plugin = Plugin("engines", "nav-engines", "1", "nav_engines", module=inspect, routes=routes)
    others = [one for one in registry.plugins if one.name != "trt"]  # a real one would add variants of its own
    return Registry((*others, plugin), registry.hooks)


@pytest.fixture
def translate(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The arguments with which ``run`` would be called, by its real signature."""
    real = inspect.signature(navcore.run)
    calls: list[dict[str, Any]] = []

    def record(*args: Any, **kwargs: Any) -> str:
        calls.append(dict(real.bind(*args, **kwargs).arguments))
        return "package"

    monkeypatch.setattr(navcore, "run", record, raising=False)
    monkeypatch.setenv("NAVCORE_DISABLE_PLUGINS", "trt")  # it would add variants of its own
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "" if _installed() else "tensorflow=nav_tf")

    def go(engines: bool = False, **given: Any) -> dict[str, Any]:
        if engines:
            registry = _engines(load_registry())
            monkeypatch.setattr("navcore.registry.load_registry", lambda: registry)
            monkeypatch.setattr("navcore.api.load_registry", lambda: registry)
        assert export(MODEL, LOADER, **given) == "package"
        return calls.pop()

    return go


def _installed() -> bool:
    return load_registry().plugin("tensorflow") is not None


def test_nothing_given_means_the_formats_of_the_page_and_the_defaults_of_run(translate: Any) -> None:
    call = translate()
    assert call.pop("targets") == ("tf-savedmodel", "tf-trt", "onnx", "trt")
    assert call.pop("model") is MODEL
    assert call.pop("dataloader") is LOADER
    assert (call.pop("options"), call.pop("runtimes")) == ({}, {})
    defaults = inspect.signature(navcore.api.run).parameters
    assert (call.pop("ranking"), call.pop("effort")) == (False, "quick")
    assert {name: value for name, value in call.items() if value != defaults[name].default} == {}


def test_every_argument_arrives(translate: Any) -> None:
    call = translate(
        model_name="m",
        opset=13,
        target_formats=(Format.ONNX, "tf-trt"),
        override_workdir=True,
        sample_count=7,
        atol=0.1,
        rtol=0.2,
        input_names=("a",),
        output_names=("b",),
        dynamic_axes={"a": {0: "batch"}},
        trt_dynamic_axes={"a": {0: (1, 2, 3)}},
        target_device="cpu",
        disable_git_info=True,
        batch_dim=None,
        onnx_runtimes=RuntimeProvider.CPU,
        run_profiling=False,
    )
    expected = {
        "model_name": "m",
        "options": {"onnx": {"opset": 13}},
        "targets": ("onnx", "tf-trt"),
        "override_workdir": True,
        "sample_count": 7,
        "atol": 0.1,
        "rtol": 0.2,
        "input_names": ("a",),
        "output_names": ("b",),
        "dynamic_axes": {"a": {0: "batch"}},
        "axis_ranges": {"a": {0: (1, 2, 3)}},
        "device": "cpu",
        "git_info": False,
        "batch_dim": None,
        "runtimes": {"onnx": ("CPUExecutionProvider",)},
        "run_profiling": False,
    }
    assert {name: call[name] for name in expected} == expected


def test_precisions_limit_the_engines_and_nothing_else(translate: Any) -> None:
    call = translate(engines=True, target_formats=("onnx", "trt", "tf-trt"), target_precisions=TensorRTPrecision.FP16)
    assert call["targets"] == ("onnx", "trt-fp16", "tf-trt-fp16")


def test_precisions_alone_limit_the_default_targets(translate: Any) -> None:
    targets = translate(target_precisions=("fp32",))["targets"]
    assert targets == ("tf-savedmodel", "tf-trt-fp32", "onnx", "trt")


def test_options_of_engines_go_to_the_routes_that_take_them(translate: Any) -> None:
    call = translate(engines=True, max_workspace_size=5, minimum_segment_size=7)
    own = {"max_workspace_size": 5, "minimum_segment_size": 7}
    others = {"max_workspace_size": 5}
    assert call["options"] == {"tf-trt-fp16": own, "tf-trt-fp32": own, "trt-fp16": others, "trt-fp32": others}


def test_an_unknown_format_is_left_for_run_to_refuse(translate: Any) -> None:
    assert translate(target_formats="onyx", target_precisions="fp16")["targets"] == ("onyx",)
