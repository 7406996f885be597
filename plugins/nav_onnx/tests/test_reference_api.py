"""``nav.onnx.export`` has the page's signature for TensorFlow and says the same in the words of ``navcore.run``."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import attrs
import pytest

import nav_onnx
import navcore
from nav_onnx.old_order import is_in_the_old_order
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
"""The page's signature for TensorFlow."""


@attrs.frozen
class EngineOptions:
    max_workspace_size: int = 0


def _engines(registry: Registry) -> Registry:
    """The registry with a plugin that makes TensorRT engines in two precisions, in place of any that is installed."""
    routes = tuple(
        Route(hook="convert", name="make", source="onnx", target=target, options=EngineOptions, owner="engines")
        for target in (Format(f"trt-{one}", family="trt", precision=one) for one in ("fp16", "fp32"))
    )
    others = [plugin for plugin in registry.plugins if plugin.name != "trt"]
    return Registry(
        (*others, Plugin("engines", "nav-engines", "1", "nav_engines", module=inspect, routes=routes)), registry.hooks
    )


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Records the call with the real function's signature: an argument that it does not take is an error here."""
    recorder = create_autospec(navcore.run)
    monkeypatch.setattr(navcore, "run", recorder, raising=False)
    registry = _engines(load_registry())
    monkeypatch.setattr("navcore.registry.load_registry", lambda: registry)
    return recorder


def asked(run: Any) -> dict[str, Any]:
    (call,) = run.call_args_list
    return dict(inspect.signature(run).bind(*call.args, **call.kwargs).arguments)


def test_the_signature_is_the_pages_with_extras_by_keyword_only() -> None:
    parameters = inspect.signature(nav_onnx.export).parameters.values()
    positional = {
        one.name: ... if one.default is inspect.Parameter.empty else one.default
        for one in parameters
        if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    }
    assert list(positional.items()) == list(PAGE.items())
    extras = [one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY]
    assert extras == ["dynamic_axes", "trt_dynamic_axes", "target_device", "progress", "executor"]


def test_nothing_given_means_the_formats_of_the_page_and_the_defaults_of_run(run: Any) -> None:
    assert nav_onnx.export("model.onnx", [1]) is run.return_value
    arguments = asked(run)
    assert (arguments.pop("model"), arguments.pop("dataloader")) == ("model.onnx", [1])
    assert arguments.pop("targets") == ("onnx", "trt")
    assert (arguments.pop("options"), arguments.pop("runtimes")) == ({}, {})
    assert (arguments.pop("ranking"), arguments.pop("effort")) == (False, "quick")
    defaults = inspect.signature(navcore.api.run).parameters
    assert {name: value for name, value in arguments.items() if value != defaults[name].default} == {}


def progress(event: Any) -> None:
    raise AssertionError(event)


ARRIVED = {
    "model": "model.onnx",
    "dataloader": [1],
    "model_name": "net",
    "effort": "quick",
    "targets": ("onnx", "trt-fp16", "trt-fp32"),
    "options": {"trt-fp16": {"max_workspace_size": 1024}, "trt-fp32": {"max_workspace_size": 1024}},
    "workdir": Path("work"),
    "override_workdir": True,
    "sample_count": 7,
    "atol": 0.1,
    "rtol": 0.2,
    "input_names": ("x",),
    "output_names": ("y",),
    "dynamic_axes": {"x": {0: "n"}},
    "axis_ranges": {"x": {0: (1, 2, 3)}},
    "batch_dim": None,
    "device": "cuda",
    "runtimes": {"onnx": ("CPUExecutionProvider", "CUDAExecutionProvider")},
    "run_profiling": False,
    "profiler_config": None,
    "git_info": False,
    "ranking": False,
    "progress": progress,
}
FORMATS, PRECISIONS = ("onnx", Format.TENSORRT), (TensorRTPrecision.FP16, "fp32")
RUNTIMES = (RuntimeProvider.CPU, "CUDAExecutionProvider")


def test_every_argument_arrives_under_the_cores_name(run: Any) -> None:
    nav_onnx.export(
        "model.onnx", [1], PRECISIONS, 1024, 3, "net", FORMATS, "work", True, 7, None, 0.1, 0.2, ("x",), ("y",), True,
        None, RUNTIMES, False, None, dynamic_axes={"x": {0: "n"}}, trt_dynamic_axes={"x": {0: (1, 2, 3)}},
        target_device="cuda", progress=progress,
    )  # fmt: skip
    assert asked(run) == {**ARRIVED, "executor": None}


def test_the_positional_order_of_before_means_what_it_meant_and_warns(run: Any) -> None:
    with pytest.warns(DeprecationWarning, match="in the order of the reference page now: model, dataloader, target"):
        nav_onnx.export(
            "model.onnx", [1], "net", FORMATS, "work", True, 7, 0.1, 0.2, ("x",), ("y",), {"x": {0: "n"}},
            {"x": {0: (1, 2, 3)}}, PRECISIONS, 1024, "cuda", True, None, RUNTIMES, False, progress=progress,
        )  # fmt: skip
    assert asked(run) == {**ARRIVED, "executor": None}


@pytest.mark.parametrize(
    ("third_and_further", "old"),
    [
        ((), False),
        ((None,), False),
        ((None, None), False),
        (("fp16",), False),
        ((TensorRTPrecision.FP16,), False),
        ((("fp16", "fp32"),), False),
        ((None, 1024, 3, "net"), False),
        ((None, None, 3, None), False),
        ((None, None, 3), False),
        (("net",), True),
        ((None, "onnx"), True),
        ((None, ("onnx", "trt")), True),
        ((None, Format.ONNX), True),
        ((None, None, "work"), True),
        ((None, None, Path("work")), True),
        ((None, None, None, True), True),
        (("net", None, None), True),
    ],
)
def test_the_order_is_told_by_the_first_value_that_fits_one_order_alone(third_and_further: Any, old: bool) -> None:
    assert is_in_the_old_order(("model.onnx", [1], *third_and_further)) is old


def test_an_opset_is_taken_and_said_to_have_no_effect(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    nav_onnx.export("model.onnx", [1], opset=13)
    assert asked(run)["options"] == {}
    assert "opset=13 has no effect: an ONNX file keeps its own." in caplog.text


@pytest.mark.parametrize(
    ("formats", "precisions", "targets"),
    [
        (None, None, ("onnx", "trt")),
        ("onnx", None, ("onnx",)),
        (Format.ONNX, None, ("onnx",)),
        (("onnx", "trt"), None, ("onnx", "trt")),
        (("onnx", "trt"), "fp16", ("onnx", "trt-fp16")),
        ("onnx", "fp16", ("onnx",)),
        (None, ("fp16",), ("onnx", "trt-fp16")),
        ("openvino", ("fp16",), ("openvino",)),
    ],
)
def test_precisions_choose_among_tensorrts_variants(run: Any, formats: Any, precisions: Any, targets: Any) -> None:
    nav_onnx.export("model.onnx", [1], target_formats=formats, target_precisions=precisions)
    assert asked(run)["targets"] == targets


def test_one_runtime_may_be_given_alone(run: Any) -> None:
    nav_onnx.export("model.onnx", [1], onnx_runtimes=RuntimeProvider.CPU)
    assert asked(run)["runtimes"] == {"onnx": ("CPUExecutionProvider",)}
