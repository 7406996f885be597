"""What the rows of OpenVINO say is true: their precision, their error, their files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import navcore as nav
from nav_openvino.processor import why_no_bf16, why_no_fp16
from nav_openvino.silence import openvino

from .openvino_models import DATA, exported, model, rows

FP32, BF16, FP16, MANY = "openvino-cpu", "openvino-cpu-bf16", "openvino-cpu-fp16", "openvino-cpu-throughput"
in_bf16 = pytest.mark.skipif(why_no_bf16() is not None, reason=str(why_no_bf16()))
in_fp16 = pytest.mark.skipif(why_no_fp16() is not None, reason=str(why_no_fp16()))


def test_it_computes_in_float32_and_where_it_can_in_bfloat16_in_a_row_of_its_own(
    package: nav.PackageDescriptor,
) -> None:
    found = rows(package)
    assert [name for name, row in found.items() if row.status != "unavailable"] == [FP32, *[BF16] * (not why_no_bf16())]
    row = found[FP32]
    assert (row.status, row.precision, row.provider, row.notes) == ("ok", "fp32", "CPU", ())
    assert row.verification.differences[0].relative_l2 < 1e-5


@pytest.mark.parametrize(
    ("runtime", "precision"),
    [pytest.param(BF16, "bf16", marks=in_bf16), pytest.param(FP16, "fp16", marks=in_fp16)],
)
def test_a_lower_precision_is_a_row_of_its_own_with_its_own_error(tmp_path: Path, runtime: str, precision: str) -> None:
    asked = rows(exported(tmp_path, runtimes={"openvino": [FP32, runtime]}))
    assert {name: (row.status, row.precision) for name, row in asked.items()} == {
        FP32: ("ok", "fp32"),
        runtime: ("ok", precision),
    }
    exact, coarse = (asked[name].verification.differences[0].relative_l2 for name in (FP32, runtime))
    assert coarse > 100 * exact
    assert asked[runtime].verification.bound > asked[FP32].verification.bound
    assert asked[runtime].notes == (f"2 of 2 matrix products and convolutions are computed in {precision}.",)


def test_a_precision_that_the_processor_lacks_is_a_row_with_the_reason(tmp_path: Path) -> None:
    lacking = {name: why for name, why in ((BF16, why_no_bf16()), (FP16, why_no_fp16())) if why is not None}
    if not lacking:
        pytest.skip("this processor has both bfloat16 and float16")
    found = rows(exported(tmp_path, runtimes={"openvino": [FP32, *lacking]}))
    assert {name: found[name].failure.cause for name in lacking} == lacking
    assert {found[name].status for name in lacking} == {"unavailable"}
    assert found[FP32].status == "ok"


def test_throughput_is_a_row_of_its_own_and_says_how_it_was_arranged(tmp_path: Path) -> None:
    row = rows(exported(tmp_path, runtimes={"openvino": [FP32, MANY]}))[MANY]
    assert (row.status, row.precision) == ("ok", "fp32")
    (note,) = row.notes
    assert re.fullmatch(r"Arranged for throughput: (1 call|\d+ calls) at once, in (1 stream|\d+ streams)\.", note)


def test_the_hint_is_an_option_of_every_other_runtime(tmp_path: Path) -> None:
    row = rows(exported(tmp_path, options={f"openvino/{FP32}": {"hint": "throughput"}}))[FP32]
    assert row.status == "ok"
    assert any(note.startswith("Arranged for throughput: ") for note in row.notes)


def test_half_of_the_weights_size_is_an_option(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    half = exported(tmp_path, options={"openvino": {"fp16": True}}, atol=1.0)
    sizes = [(one.workspace / "openvino" / "model.bin").stat().st_size for one in (package, half)]
    assert sizes[1] == pytest.approx(sizes[0] / 2, rel=0.1)
    assert rows(half)[FP32].precision == "fp32", "what is stored in float16 is computed in float32"


def test_packages_hold_the_weights_and_give_out_a_model(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    package.save(tmp_path / "model.nav")
    loaded = nav.load(tmp_path / "model.nav", workdir=tmp_path, retest_conversions=False)
    assert isinstance(loaded.get_model("openvino"), openvino().Model)
    with loaded.open_runner("openvino", runtime=FP32) as runner:
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
        "import sys, navcore as nav, openvino_models as here\n"
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

    assert rows(served)[FP32].status == "ok"
    assert served.get_status("openvino")


def test_a_plugin_that_only_the_serving_machine_has_is_asked_for_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as training_machine:
        training_machine.setenv("NAVCORE_DISABLE_PLUGINS", "openvino")
        exported(tmp_path / "training", targets=["onnx"]).save(tmp_path / "model.nav")
    served = nav.load(tmp_path / "model.nav", workdir=tmp_path / "s", targets="openvino", run_profiling=False)
    assert rows(served)[FP32].status == "ok"
