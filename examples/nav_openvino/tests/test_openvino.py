"""What the rows of OpenVINO say is true: their precision, their error, their files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from nav_openvino.runtime import why_no_bf16
from nav_openvino.silence import openvino

import navcore as nav

F32, BF16 = "openvino-cpu", "openvino-cpu-bf16"
in_bf16 = pytest.mark.skipif(why_no_bf16() is not None, reason=str(why_no_bf16()))


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 8)).eval()


DATA = [torch.randn(2, 64, generator=torch.Generator().manual_seed(number)) for number in range(4)]


def exported(folder: Path, **settings: Any) -> nav.PackageDescriptor:
    return nav.run(model(), DATA, targets=["openvino"], workdir=folder, run_profiling=False, git_info=False, **settings)


def rows(package: nav.PackageDescriptor) -> dict[str, Any]:
    """The rows of the format by runtime."""
    (found,) = (row for row in package.results if row.format.name == "openvino")
    return {one.runtime: one for one in found.runtimes}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> nav.PackageDescriptor:
    return exported(tmp_path_factory.mktemp("f32"))


def test_it_computes_in_float32_unless_asked_otherwise(package: nav.PackageDescriptor) -> None:
    assert list(rows(package)) == [F32]
    row = rows(package)[F32]
    assert (row.status, row.precision, row.provider) == ("ok", "fp32", "CPU")
    assert row.verification.differences[0].relative_l2 < 1e-5


@in_bf16
def test_bfloat16_is_a_row_of_its_own_with_its_own_error(tmp_path: Path) -> None:
    asked = rows(exported(tmp_path, runtimes={"openvino": [F32, BF16]}))
    assert {name: (row.status, row.precision) for name, row in asked.items()} == {
        F32: ("ok", "fp32"),
        BF16: ("ok", "bf16"),
    }
    exact, coarse = (asked[name].verification.differences[0].relative_l2 for name in (F32, BF16))
    assert coarse > 100 * exact
    assert asked[BF16].verification.bound > asked[F32].verification.bound


def test_half_of_the_weights_size_is_an_option(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    half = exported(tmp_path, options={"openvino": {"fp16": True}}, atol=1.0)
    sizes = [(one.workspace / "openvino" / "model.bin").stat().st_size for one in (package, half)]
    assert sizes[1] == pytest.approx(sizes[0] / 2, rel=0.1)


def test_packages_hold_the_weights_and_give_out_a_model(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    package.save(tmp_path / "model.nav")
    loaded = nav.load(tmp_path / "model.nav", workdir=tmp_path, retest_conversions=False)
    assert isinstance(loaded.get_model("openvino"), openvino().Model)
    with loaded.open_runner("openvino", runtime=F32) as runner:
        (answer,) = runner({"input__0": DATA[0].numpy()}).values()
    with torch.no_grad():
        np.testing.assert_allclose(answer, model()(DATA[0]).numpy(), rtol=1e-4, atol=1e-5)


def test_a_stored_model_can_be_the_source(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    path = package.workspace / "openvino" / "model.xml"
    data = [{"input__0": item.numpy()} for item in DATA]
    again = nav.run(path, data, targets=[], workdir=tmp_path, run_profiling=False, git_info=False)
    assert [(row.format.name, row.status) for row in again.results] == [("openvino", "ok")]


def test_without_onnx_it_is_made_from_the_module_itself(tmp_path: Path) -> None:
    """The second route to the same format, taken when the way over ONNX is not there."""
    code = (
        "import sys, navcore as nav, test_openvino as here\n"
        "from pathlib import Path\n"
        "def broken(*_, **__): raise RuntimeError('this model cannot be written as ONNX')\n"
        "import torch; torch.onnx.export = broken\n"
        "package = here.exported(Path(sys.argv[1]))\n"
        "print([row.route for row in package.results if row.format.name == 'openvino'], package.get_status('openvino'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "['openvino:openvino_from_torch'] True"


def test_importing_openvino_for_a_step_leaves_no_statistics(tmp_path: Path) -> None:
    code = "from nav_openvino.silence import openvino; openvino().Core(); import openvino_telemetry"
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    subprocess.run([sys.executable, "-c", code], env={**environment, "HOME": str(tmp_path)}, check=True)
    assert not list(tmp_path.iterdir())


def test_what_openvino_was_missing_for_is_made_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as training_machine:
        training_machine.setitem(sys.modules, "openvino", ModuleType("openvino"))  # installed is something else
        package = exported(tmp_path / "training")
    (later,) = (row for row in package.results if row.format.name == "openvino")
    assert later.failure is not None
    assert (later.status, later.made_from, later.failure.cause) == (
        "unavailable", "onnx", "OpenVINO is not installed: pip install openvino"
    )  # fmt: skip
    assert package.get_status("onnx"), "what it is made from is made, though nobody asked for it"
    package.save(tmp_path / "model.nav")

    served = nav.load(tmp_path / "model.nav", workdir=tmp_path / "serving", run_profiling=False)

    assert rows(served)[F32].status == "ok"
    assert served.get_status("openvino")


def test_a_plugin_that_only_the_serving_machine_has_is_asked_for_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as training_machine:
        training_machine.setenv("NAVCORE_DISABLE_PLUGINS", "openvino")
        nav.run(
            model(), DATA, targets=["onnx"], workdir=tmp_path / "training", run_profiling=False, git_info=False
        ).save(tmp_path / "model.nav")
    served = nav.load(tmp_path / "model.nav", workdir=tmp_path / "s", targets="openvino", run_profiling=False)
    assert rows(served)[F32].status == "ok"
