"""``nav.onnx.export`` translates the reference API's arguments for ``navcore.run`` and does nothing else."""

from __future__ import annotations

import inspect
from typing import Any
from unittest.mock import create_autospec

import attrs
import pytest

import nav_onnx
import navcore
from navcore import Format, Registry, Route, RuntimeProvider, TensorRTPrecision, load_registry
from navcore.registry.registry import Plugin

REFERENCE = [
    *("model", "dataloader", "model_name", "target_formats", "workdir", "override_workdir", "sample_count"),
    *("atol", "rtol", "input_names", "output_names", "dynamic_axes", "trt_dynamic_axes", "target_precisions"),
    *("max_workspace_size", "target_device", "disable_git_info", "batch_dim", "onnx_runtimes", "run_profiling"),
    *("profiler_config", "progress"),
]


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
    monkeypatch.setattr(navcore, "run", recorder)
    registry = _engines(load_registry())
    monkeypatch.setattr("navcore.registry.load_registry", lambda: registry)
    return recorder


def asked(run: Any) -> dict[str, Any]:
    (call,) = run.call_args_list
    return dict(inspect.signature(run).bind(*call.args, **call.kwargs).arguments)


def test_the_signature_is_the_reference_pages() -> None:
    assert list(inspect.signature(nav_onnx.export).parameters) == REFERENCE


def test_the_defaults_are_left_to_the_core(run: Any) -> None:
    assert nav_onnx.export("model.onnx", [1]) is run.return_value

    arguments = asked(run)
    assert (arguments["model"], arguments["dataloader"]) == ("model.onnx", [1])
    assert not {"model_name", "sample_count", "options", "runtimes"} & set(arguments)
    assert (arguments["targets"], arguments["git_info"], arguments["batch_dim"]) == (None, True, 0)


def test_every_argument_arrives_under_the_cores_name(run: Any) -> None:
    def progress(event: Any) -> None:
        raise AssertionError(event)

    nav_onnx.export(
        "model.onnx",
        [1],
        "net",
        ("onnx", Format.TENSORRT),
        "work",
        True,
        7,
        0.1,
        0.2,
        ("x",),
        ("y",),
        {"x": {0: "n"}},
        {"x": {0: (1, 2, 3)}},
        (TensorRTPrecision.FP16, "fp32"),
        1024,
        "cuda",
        True,
        None,
        (RuntimeProvider.CPU, "CUDAExecutionProvider"),
        False,
        progress=progress,
    )

    assert asked(run) == {
        "model": "model.onnx",
        "dataloader": [1],
        "model_name": "net",
        "targets": ("onnx", "trt-fp16", "trt-fp32"),
        "options": {"trt-fp16": {"max_workspace_size": 1024}, "trt-fp32": {"max_workspace_size": 1024}},
        "workdir": "work",
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
        "progress": progress,
    }


@pytest.mark.parametrize(
    ("formats", "precisions", "targets"),
    [
        (None, None, None),
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
