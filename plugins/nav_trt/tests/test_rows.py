"""What a user sees of engines on a machine without a device: built, never called verified, each with its reason."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import navcore as nav
from nav_trt import RTX_FORMATS, TRT_FORMATS
from nav_trt.availability import why_no_device
from navcore import Status, TrustRequired, Unavailable
from navcore.workspace.results import FormatResult

pytestmark = pytest.mark.skipif(why_no_device() is None, reason="there is a CUDA device, so engines are verified here")
BUILT = {"trt-rtx-fp32": "fp32", "trt-rtx-tf32": "fp32", "trt-rtx-fp16": "fp16", "trt-rtx-bf16": "bf16"}


def row(package: nav.PackageDescriptor, name: str) -> FormatResult:
    return next(one for one in package.results if one.format.name == name)


@pytest.mark.parametrize("name", BUILT)
def test_an_engine_is_built_in_a_child_and_stays_unverified(name: str, package: nav.PackageDescriptor) -> None:
    built = row(package, name)

    assert built.status == Status.UNVERIFIED
    assert built.path is not None
    assert (package.workspace / built.path).stat().st_size > 1000
    assert built.facts["flavour"] == "tensorrt-rtx"
    assert built.facts["profile"] == "image 1x3x8x8..2x3x9x8..4x3x12x10"
    assert built.facts["layers"] == f"3 {BUILT[name]}"
    (runtime,) = built.runtimes
    assert (runtime.runtime, runtime.status) == ("trt-rtx", Status.UNAVAILABLE)
    assert runtime.failure is not None
    assert runtime.failure.cause == "no CUDA device"


@pytest.mark.parametrize("name", ["trt-fp32", "trt-fp16"])
def test_ordinary_tensorrt_is_a_row_with_its_reason(name: str, package: nav.PackageDescriptor) -> None:
    missing = row(package, name)
    assert missing.status == Status.UNAVAILABLE
    assert missing.path is None
    assert missing.failure is not None
    assert missing.failure.cause == "no CUDA device"


def test_8_bits_are_unavailable_on_a_plain_graph(package: nav.PackageDescriptor) -> None:
    missing = row(package, "trt-rtx-int8")
    assert missing.status == Status.UNAVAILABLE
    assert missing.failure is not None
    assert "int8 needs a quantized ONNX" in missing.failure.cause


def test_nothing_unverified_is_ok_or_the_best(package: nav.PackageDescriptor) -> None:
    assert not package.get_status("trt-rtx")
    assert not package.get_status("trt-rtx", runtime_provider="trt-rtx")
    assert not package.get_status(nav.Format.TENSORRT)
    best = package.best()
    assert best is not None
    assert best.format.name in ("onnx", "onnx-fp16")


def test_the_table_says_it_in_one_line_each(package: nav.PackageDescriptor) -> None:
    lines = [line.split() for line in str(package).splitlines()]
    for name in BUILT:
        (line,) = [words for words in lines if words[:1] == [name]]
        told = " ".join(line[1:])
        assert told.startswith("trt-rtx unverified")
        assert told.endswith("no CUDA device")


def test_the_record_on_disk_says_it_too(package: nav.PackageDescriptor) -> None:
    from navcore.workspace.status.file import read_status

    kept = read_status(package.workspace / "status.yaml")
    statuses = {one.format.name: one.status for one in kept.results}
    assert {statuses[name] for name in BUILT} == {Status.UNVERIFIED}


def test_the_casts_are_verified_on_the_way(package: nav.PackageDescriptor) -> None:
    half, brain = row(package, "onnx-fp16"), row(package, "onnx-bf16")
    assert half.status == brain.status == Status.OK
    assert next(one.runtime for one in half.runtimes if one.status == Status.OK) == "CPUExecutionProvider"
    checked = next(one for one in brain.runtimes if one.status == Status.OK)
    assert checked.runtime == "OnnxReferenceEvaluator"
    assert any("spot check" in note for note in checked.notes)
    assert not checked.performance


def test_a_runner_cannot_be_had_and_says_why(package: nav.PackageDescriptor) -> None:
    with pytest.raises(Unavailable, match="trt-rtx-fp32 cannot run in trt-rtx here: no CUDA device"), \
            package.open_runner("trt-rtx-fp32", runtime="trt-rtx"):  # fmt: skip
        pass


def test_a_saved_package_keeps_its_engines_which_need_trust(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    file = tmp_path / "pictures.nav"
    package.save(file)
    options: dict[str, Any] = {"workdir": tmp_path / "here", "retest_conversions": False, "override_workdir": True}

    careful = nav.load(file, **options)
    assert row(careful, "trt-rtx-fp16").facts == row(package, "trt-rtx-fp16").facts
    assert row(careful, "trt-rtx-fp16").status == Status.UNVERIFIED
    with pytest.raises(TrustRequired, match="Loading trt-rtx-fp16 can execute code"):
        careful.get_model("trt-rtx-fp16")

    plan = nav.load(file, **options, trust=True).get_model("trt-rtx-fp16")
    original = row(package, "trt-rtx-fp16").path
    assert original is not None
    assert Path(plan).read_bytes() == (package.workspace / original).read_bytes()


def test_a_plan_shows_every_engine_with_what_is_in_its_way(
    picture_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = [one.name for one in (*TRT_FORMATS, *RTX_FORMATS)]
    text = str(nav.plan(picture_file, targets=targets))

    for one in TRT_FORMATS:
        assert re.search(rf"^later +{one.name} +from onnx, elsewhere: no CUDA device$", text, re.MULTILINE)
    assert text.count("checked by trt-rtx (unavailable: no CUDA device)") == len(RTX_FORMATS)


def test_the_faces_words_for_engines_reach_the_builder(
    picture_file: Path, images: list[np.ndarray], tmp_path: Path
) -> None:
    package = nav.onnx.export(
        picture_file,
        images[:1],
        target_formats=["trt-rtx"],
        target_precisions=["fp32", "tf32"],
        trt_dynamic_axes={"image": {0: (1, 3, 5), 2: (8, 16, 32)}},
        max_workspace_size=1 << 30,
        workdir=tmp_path,
        run_profiling=False,
        disable_git_info=True,
    )
    engines = {one.format.name: one for one in package.results if one.format.family == "trt-rtx"}

    assert set(engines) == {"trt-rtx-fp32", "trt-rtx-tf32"}
    assert {one.facts["profile"] for one in engines.values()} == {"image 1x3x8x8..3x3x16x8..5x3x32x8"}
    assert [engines[name].facts["tf32"] for name in ("trt-rtx-fp32", "trt-rtx-tf32")] == ["off", "on"]
    recorded = json.dumps(package.record.settings.options, default=str)
    assert str(1 << 30) in recorded


def test_an_engine_that_could_not_be_built_at_home_is_built_where_the_builder_is(
    picture_file: Path, images: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as training_machine:
        training_machine.setitem(sys.modules, "tensorrt_rtx", ModuleType("tensorrt_rtx"))  # installed is something else
        package = nav.run(
            picture_file, images, targets="trt-rtx-fp32", workdir=tmp_path / "training", run_profiling=False
        )
    later = row(package, "trt-rtx-fp32")
    assert later.failure is not None
    assert (later.status, later.made_from) == (Status.UNAVAILABLE, "onnx")
    assert "TensorRT-RTX is not installed" in later.failure.cause
    package.save(tmp_path / "model.nav")

    served = nav.load(tmp_path / "model.nav", workdir=tmp_path / "serving", run_profiling=False, memory_limit=8 << 30)

    built = row(served, "trt-rtx-fp32")
    assert (built.status, built.elsewhere) == (Status.UNVERIFIED, False)
    assert built.path is not None
    assert built.facts["flavour"] == "tensorrt-rtx"
