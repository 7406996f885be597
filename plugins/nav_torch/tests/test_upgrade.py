"""A script for Model Navigator 0.3 against the names that upgraders use, each on a real exported model."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

import navcore as nav

DATA = [torch.randn(2, 4, generator=torch.Generator().manual_seed(number)) for number in range(5)]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the page's own call gives: ONNX and both kinds of TorchScript."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh()).eval()
    return nav.torch.export(
        model=model,
        dataloader=DATA,
        model_name="upgraded",
        workdir=tmp_path_factory.mktemp("upgrade"),
        override_workdir=True,
        target_formats=(nav.Format.ONNX, nav.Format.TORCHSCRIPT),
        jit_options=(nav.JitType.SCRIPT, nav.JitType.TRACE),
        sample_count=3,
        input_names=("x",),
        output_names=("y",),
        dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}},
        opset=17,
        atol=1e-4,
        rtol=1e-4,
        run_profiling=False,
    )


def test_statuses_are_asked_by_format_by_name_and_by_every_argument(package: Any) -> None:
    statuses = package.get_formats_status()
    assert statuses["onnx"] is statuses[nav.Format.ONNX] is True
    assert set(statuses) == {"onnx", "torchscript-script", "torchscript-trace"}
    assert package.get_status(format=nav.Format.TORCHSCRIPT, jit_type=nav.JitType.SCRIPT)
    assert package.get_status(format=nav.Format.ONNX, runtime_provider=nav.RuntimeProvider.CPU)
    assert not package.get_status(format=nav.Format.TENSORRT, precision=nav.TensorRTPrecision.FP16)
    assert nav.Status.OK.value == "ok"


def test_formats_are_iterated_and_have_values(package: Any) -> None:
    assert [one.value for one in nav.Format] == ["onnx", "torchscript", "torch-trt", "trt", "tf-savedmodel", "tf-trt"]
    assert [one.value for one in nav.Format if package.get_status(one)] == ["onnx", "torchscript"]
    assert nav.Format("onnx") == nav.Format.ONNX
    assert f"{nav.Format.ONNX}" == "onnx"
    assert copy.deepcopy(nav.Format.ONNX) == nav.Format.ONNX


def test_the_package_tells_where_it_is_and_what_it_was_made_of(package: Any) -> None:
    assert package.workdir == Path(package.workspace)
    assert (package.workdir / "status.yaml").is_file()
    assert package.framework == nav.Framework.PYT == "pytorch"
    assert pickle.loads(pickle.dumps(nav.Framework.PYT)) == nav.Framework.PYT
    assert package.navigator_status.uuid == package.record.uuid
    assert package.model_name == "upgraded"


def test_the_log_is_the_packages_own(package: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger=nav.LOGGER.name):
        nav.LOGGER.info("from the user's script")
    assert "from the user's script" in caplog.text


def test_a_profilers_configuration_goes_through_a_dict(package: Any) -> None:
    config = nav.ProfilerConfig(
        batch_sizes=[1, 2], measurement_mode=nav.MeasurementMode.COUNT_WINDOWS, measurement_request_count=5
    )
    assert nav.ProfilerConfig.from_dict(config.to_dict()) == config
    nav.profile(package, config, budget=2)
    assert package.get_formats_performance()["onnx"] > 0


def test_models_are_given_out_as_their_frameworks_have_them(package: Any) -> None:
    script = package.get_model(nav.Format.TORCHSCRIPT, jit_type=nav.JitType.SCRIPT)
    assert isinstance(script, torch.jit.ScriptModule)
    assert package.get_model(nav.Format.ONNX).graph.input[0].name == "x"
    with package.get_runner(nav.Format.ONNX, runtime=nav.RuntimeProvider.CPU) as runner:
        assert runner.infer({"x": DATA[0].numpy()})["y"].shape == (2, 3)


def test_the_users_word_travels_with_the_package(package: Any, tmp_path: Path) -> None:
    package.set_verified(format=nav.Format.ONNX, runtime=nav.RuntimeProvider.CPU)
    nav.save(package, tmp_path / "x.nav", keep_workdir=True, override=True)
    loaded = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", override_workdir=True, retest_conversions=False)
    assert loaded.get_verified_status(nav.Format.ONNX, nav.RuntimeProvider.CPU)
    assert loaded.get_formats_status() == package.get_formats_status()
    assert loaded.framework == "pytorch"
