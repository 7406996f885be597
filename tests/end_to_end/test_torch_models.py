"""Whole runs on PyTorch models: every format that the plugins reach, verified, measured, packed, and loaded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import navcore as nav

from .torch_models import Convolutions, Keywords, bert

QUICK = nav.ProfilerConfig(
    measurement_mode=nav.MeasurementMode.COUNT_WINDOWS, measurement_request_count=5, max_trials=3
)
STORED = ("onnx", "torch-exportedprogram", "torchscript-script", "torchscript-trace")


def run(model: torch.nn.Module, data: list[Any], folder: Path, **arguments: Any) -> nav.PackageDescriptor:
    return nav.run(model, data, workdir=folder, profiler_config=QUICK, **{"ranking": False, **arguments})


def statuses(package: nav.PackageDescriptor) -> dict[str, bool]:
    return {format.name: ok for format, ok in package.get_formats_status().items()}


def test_an_image_network_reaches_every_format_and_every_cpu_runtime_is_measured(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Convolutions()
    model.head.eval()  # mixed flags, to be found as they were
    before = [module.training for module in model.modules()]

    package = run(model, [torch.randn(2, 3, size, size + 2) for size in (16, 20, 18)], tmp_path)

    assert statuses(package) == {**dict.fromkeys(STORED, True), "onnx-optimized": True}, str(package)
    assert [module.training for module in model.modules()] == before
    assert set(package.get_formats_performance()) == set(package.get_formats_status())
    source = package.results[0]
    assert source.live
    assert [one.batch_size for one in source.runtimes[0].performance] == [1, 2]


def test_keywords_constants_and_a_bool_output(tmp_path: Path) -> None:
    numbers = np.random.RandomState(0)
    data = [
        {"mask": numbers.rand(2, size).astype(np.float32), "scale": 3.0, "x": numbers.randn(2, size).astype(np.float32)}
        for size in (4, 6)
    ]

    package = run(Keywords(), data, tmp_path)

    expected = {**dict.fromkeys(STORED, True), "onnx-optimized": False}  # there is nothing to fuse
    assert statuses(package) == expected, str(package)
    feeds = {name: data[1][name] for name in ("x", "mask")}
    for name in STORED:
        with package.open_runner(name) as runner:
            outputs = list(runner(feeds).values())
        np.testing.assert_allclose(outputs[0], data[1]["x"] * 3 * data[1]["mask"], rtol=1e-6)
        np.testing.assert_array_equal(outputs[1], data[1]["mask"] > 0.5)


@pytest.mark.slow
def test_a_hugging_face_bert_reaches_three_formats_and_the_fourth_says_why(tmp_path: Path) -> None:
    model, data = bert()

    package = run(model, data, tmp_path)

    assert {name for name, ok in statuses(package).items() if ok} >= {
        "onnx",
        "torch-exportedprogram",
        "torchscript-trace",
    }, str(package)
    script = next(row for row in package.results if row.format.name == "torchscript-script")
    if script.status != "ok":
        assert script.failure is not None
        assert "torch.jit.script" in script.failure.cause
    signature = package.record.samples.signature
    assert signature.inputs[0].shape == signature.inputs[1].shape, "batch and sequence are shared symbols"


def test_a_bfloat16_model_is_judged_by_the_bound_of_bfloat16(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(6, 4).to(torch.bfloat16).eval()

    package = run(model, [torch.randn(2, 6).to(torch.bfloat16) for _ in range(3)], tmp_path)

    assert statuses(package)["torchscript-trace"], str(package)
    onnx = next(row for row in package.results if row.format.name == "onnx")
    assert onnx.status == "unverified", "ONNX Runtime's CPU provider cannot say anything about it"
    assert "has no Gemm for bfloat16" in str(package)
    row = next(row for row in package.results if row.format.name == "torchscript-trace")
    assert row.runtimes[0].verification is not None
    assert row.runtimes[0].verification.precision == "bf16"


def test_an_export_that_bakes_in_a_branch_fails_and_is_never_the_best(tmp_path: Path) -> None:
    class Branch(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if bool(x.sum() > 0):
                return x * 2
            return x - 1

    data = [torch.full((2, 3), value) for value in (1.0, -1.0, 2.0, -2.0)]

    package = run(Branch(), data, tmp_path, targets=["torchscript-trace", "torchscript-script"])

    assert statuses(package) == {"torchscript-script": True, "torchscript-trace": False}, str(package)
    trace = next(row for row in package.results if row.format.name == "torchscript-trace")
    assert trace.runtimes[0].performance == ()
    best = package.best()
    assert best is not None
    assert best.format.name == "torchscript-script"


def test_a_package_travels_to_another_folder_and_says_what_needs_trust(tmp_path: Path) -> None:
    torch.manual_seed(0)
    package = run(torch.nn.Linear(5, 7), [torch.randn(3, 5) for _ in range(4)], tmp_path / "here")
    package.set_verified(nav.Format.ONNX, runtime=nav.RuntimeProvider.CPU)
    nav.save(package, tmp_path / "model.nav", keep_workdir=False)
    assert not package.workspace.exists()

    loaded = nav.load(tmp_path / "model.nav", workdir=tmp_path / "there", profiler_config=QUICK, ranking=False)

    assert loaded.get_status(nav.Format.ONNX)
    assert loaded.get_verified_status(nav.Format.ONNX, runtime=nav.RuntimeProvider.CPU)
    with loaded.get_runner("onnx", runtime=nav.RuntimeProvider.CPU) as runner:
        (output,) = runner.infer({"input__0": np.ones((2, 5), np.float32)}).values()
    assert output.shape == (2, 7)
    with pytest.raises(nav.TrustRequired, match="trust=True"):
        loaded.get_model("torchscript-trace")
    trusted = nav.load(
        tmp_path / "model.nav", workdir=tmp_path / "trusted", trust=True, profiler_config=QUICK, run_profiling=False
    )
    assert isinstance(trusted.get_model("torchscript-trace"), torch.jit.ScriptModule)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"targets": "onxn"}, "Did you mean 'onnx'"),
        ({"targets": "openvino"}, "left out by NAVCORE_DISABLE_PLUGINS"),
        ({"options": {"onnx": {"opest": 13}}}, "Did you mean 'opset'"),
        ({"options": {"onxn": {"opset": 13}}}, "Did you mean 'onnx'"),
        ({"runtimes": {"onnx": ["GPU"]}}, "CPUExecutionProvider"),
        ({"prefer": {"onnx": "nav-nobody"}}, "nav-torch"),
        ({"model_name": "../escape"}, "cannot name a folder"),
    ],
)
def test_what_is_misspelt_is_refused_before_any_work(arguments: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(nav.InputError, match=sentence.replace("(", r"\(")):
        nav.run(torch.nn.Linear(5, 7), [torch.randn(3, 5)], workdir=tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([torch.randn(3, 6)], "float32"),
        ([], "empty"),
        ((torch.randn(3, 5) for _ in range(3)), "len"),
        ([torch.randn(3, 5), (torch.randn(3, 5), torch.randn(3))], "item 1"),
        ([torch.full((3, 5), float("nan"))], "NaN"),
    ],
)
def test_data_that_do_not_fit_get_one_clear_sentence(data: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(nav.InputError, match=f"(?i){sentence}"):
        nav.run(torch.nn.Linear(5, 7), data, workdir=tmp_path)
