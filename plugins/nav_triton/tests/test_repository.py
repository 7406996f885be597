"""What is written into a model repository, and what is refused before anything is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import navcore as nav
from nav_triton import Backend, save_repository
from nav_triton.repository import CONFIG

CPU = "CPUExecutionProvider"


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def beside(folder: Path) -> set[str]:
    return {path.name for path in folder.parent.iterdir()}


def changed(package: nav.PackageDescriptor, change: Callable[[Any], Any]) -> nav.PackageDescriptor:
    """The package with every row of a runtime changed."""
    results = tuple(attrs.evolve(row, runtimes=tuple(change(one) for one in row.runtimes)) for row in package.results)
    record = attrs.evolve(package.record, results=results)
    return nav.PackageDescriptor(package._workspace, record, package._registry, None)


def test_a_model_of_triton_s_own_back_end(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    written = save_repository(package, tmp_path / "r")
    assert (written.name, written.version, written.backend) == ("rows", 1, "onnxruntime")
    assert (written.format, written.runtime, written.max_batch_size) == ("onnx", CPU, 3)
    assert set(content(tmp_path / "r")) == {"rows/config.pbtxt", "rows/1/model.onnx", "rows/warmup/0"}
    assert beside(tmp_path / "r") == {"r"}
    sample = next(package.comparisons("profiling")).feeds["x"]
    assert (written.folder / "warmup" / "0").read_bytes() == sample.tobytes()


def test_a_model_of_the_package_s_own_runner(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    written = save_repository(package, tmp_path, backend="python", name="own", warm_up=False)
    assert written.backend == "python"
    assert set(content(tmp_path)) == {f"own/{file}" for file in (
        "config.pbtxt", "1/model.py", "1/navcore.json", "1/model/model.onnx")}  # fmt: skip
    told = json.loads((written.folder / "1" / "navcore.json").read_text())
    assert (told["format"], told["runtime"], told["filename"]) == ("onnx", CPU, "model.onnx")


def test_versions_are_numbered_and_share_the_configuration(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    save_repository(package, tmp_path)
    assert save_repository(package, tmp_path).version == 2
    assert save_repository(package, tmp_path, version=7).version == 7
    assert save_repository(package, tmp_path).version == 8
    before = content(tmp_path)
    with pytest.raises(nav.OptionError, match=r"Version 7 of rows is in the repository already.*override=True"):
        save_repository(package, tmp_path, version=7)
    with pytest.raises(nav.OptionError, match="says something else than version 9 needs"):
        save_repository(package, tmp_path, max_batch_size=16)
    with pytest.raises(nav.OptionError, match="would not fit the versions 1, 2, 7, 8"):
        save_repository(package, tmp_path, max_batch_size=16, override=True)
    assert content(tmp_path) == before


def test_what_is_asked_to_be_replaced_is_replaced(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    save_repository(package, tmp_path, backend="python")
    written = save_repository(package, tmp_path, version=1, override=True, max_batch_size=2)
    assert set(content(tmp_path)) == {"rows/config.pbtxt", "rows/1/model.onnx", "rows/warmup/0"}
    assert written.max_batch_size == 2
    assert "max_batch_size: 2" in (written.folder / CONFIG).read_text()


def test_several_models_lie_beside_each_other(
    package: nav.PackageDescriptor, alone: nav.PackageDescriptor, tmp_path: Path
) -> None:
    for one in (package, alone):
        save_repository(one, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"rows", "alone"}


def test_a_failure_leaves_nothing(
    package: nav.PackageDescriptor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_repository(package, tmp_path / "r")
    before = content(tmp_path / "r")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", lambda _path, _content: full(0))
    with pytest.raises(OSError, match="No space left"):
        save_repository(package, tmp_path / "r")
    with pytest.raises(OSError, match="No space left"):
        save_repository(package, tmp_path / "r", name="other")
    assert content(tmp_path / "r") == before
    assert beside(tmp_path / "r") == {"r"}


def test_links_in_the_repository_are_not_followed(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "rows").symlink_to(outside)
    with pytest.raises(nav.OptionError, match="is a symbolic link"):
        save_repository(package, tmp_path / "r", override=True)
    assert not list(outside.iterdir())


def test_a_folder_that_is_no_model_is_left_alone(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "mine").write_text("mine")
    with pytest.raises(nav.OptionError, match="is no model of a repository"):
        save_repository(package, tmp_path)
    assert content(tmp_path) == {"rows/mine": b"mine"}


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a..b", "ä", 'x"', "x\n"])
def test_a_name_is_a_folder_and_nothing_else(package: nav.PackageDescriptor, tmp_path: Path, name: str) -> None:
    with pytest.raises(nav.OptionError, match="cannot name a model of a repository"):
        save_repository(package, tmp_path / "r", name=name)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"version": 0}, "version=0 has to be a whole number of at least 1"),
        ({"version": True}, "version=True has to be a whole number"),
        ({"instances": 0}, "instances=0 has to be"),
        ({"queue_delay_us": -1}, "queue_delay_us=-1 has to be"),
        ({"max_batch_size": 1 << 31}, "max_batch_size=2147483648 has to be"),
        ({"backend": "pytorch"}, "backend='pytorch' does not serve onnx in CPUExecutionProvider: its back end is onnx"),
        ({"format": "tensorflow"}, "tensorflow is not ok on this machine.*Rows that are ok: onnx in CPU"),
        ({"format": "onnx", "runtime": "CUDAExecutionProvider"}, "onnx in CUDAExecutionProvider is not ok"),
        ({"verified_only": True}, "No row is verified by your word.*set_verified"),
        ({"max_batch_size": 0, "dynamic_batching": True}, "dynamic_batching=True cannot be had"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(
    package: nav.PackageDescriptor, tmp_path: Path, asked: dict[str, Any], told: str
) -> None:
    with pytest.raises(nav.NavcoreError, match=told):
        save_repository(package, tmp_path / "r", **asked)
    assert not (tmp_path / "r").exists()


def test_only_rows_that_are_ok_here(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    for change in ({"status": nav.Status.FAILED}, {"status": nav.Status.UNVERIFIED}, {"elsewhere": True}):
        broken = changed(package, lambda one, change=change: attrs.evolve(one, **change))
        with pytest.raises(nav.PackageIncomplete, match="No row is ok on this machine"):
            save_repository(broken, tmp_path / "r")
    vouched = changed(package, lambda one: attrs.evolve(one, verified=one.runtime == CPU))
    assert save_repository(vouched, tmp_path / "r", verified_only=True).runtime == CPU


def test_a_model_that_does_not_batch(alone: nav.PackageDescriptor, tmp_path: Path) -> None:
    written = save_repository(alone, tmp_path)
    assert written.max_batch_size == 0
    assert written.notes == (
        "Served by the package's own runner: 'total' is a number without axes, which Triton has in models that batch "
        "only.",
        "Triton does not stack requests: the model does not batch.",
    )
    with pytest.raises(nav.OptionError, match="backend='onnxruntime' cannot be used: 'total' is a number without"):
        save_repository(alone, tmp_path / "r", backend="onnxruntime")
    assert [one.dims for one in written.outputs] == [(1,), (3,)]
    text = (written.folder / CONFIG).read_text()
    assert "dynamic_batching" not in text
    with pytest.raises(nav.OptionError, match="max_batch_size=4 cannot be had: the model does not batch"):
        save_repository(alone, tmp_path / "r", max_batch_size=4)


def test_samples_that_depend_on_each_other_are_not_stacked(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    samples = attrs.evolve(package.record.samples, rows_independent=False)
    record = attrs.evolve(package.record, samples=samples)
    dependent = nav.PackageDescriptor(package._workspace, record, package._registry, None)
    written = save_repository(dependent, tmp_path)
    assert written.notes == ("Triton does not stack requests: the samples of a batch depend on each other.",)
    assert "dynamic_batching" not in (written.folder / CONFIG).read_text()
    assert save_repository(dependent, tmp_path / "r", dynamic_batching=True).notes == ()


def test_a_batch_that_a_package_claims_is_not_made_up_before_the_server_starts(
    package: nav.PackageDescriptor, tmp_path: Path
) -> None:
    written = save_repository(package, tmp_path, max_batch_size=(1 << 31) - 1)
    text = (written.folder / CONFIG).read_text()
    assert "max_batch_size: 2147483647" in text
    assert text.count("model_warmup") == 1
    assert "batch_size: 1\n" in text


def test_another_one_s_back_end(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    mine = Backend("mine", "weights.bin", parameters={'key "': "value\n"})
    written = save_repository(package, tmp_path, backend=mine)
    assert (written.folder / "1" / "weights.bin").is_file()
    assert 'key: "key \\""' in (written.folder / CONFIG).read_text()


def test_a_package_of_a_stranger_is_tested_before_it_is_served(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    package.save(tmp_path / "x.nav")
    recorded = nav.load(tmp_path / "x.nav", workdir=tmp_path / "a", retest_conversions=False)
    with pytest.raises(nav.PackageIncomplete, match="What was recorded elsewhere is not served"):
        save_repository(recorded, tmp_path / "r")
    tested = nav.load(tmp_path / "x.nav", workdir=tmp_path / "b", run_profiling=False)
    assert save_repository(tested, tmp_path / "r").runtime == CPU


def test_what_can_execute_code_needs_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from navcore.testing import toy

    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy")
    settings: dict[str, Any] = {"targets": ["toy-gamma"], "run_profiling": False, "git_info": False}
    package = nav.run(toy.ToyModel(), toy.dataloader(), workdir=tmp_path / "w", **settings)
    assert save_repository(package, tmp_path / "r", format="toy-gamma").backend == "python"
    package.save(tmp_path / "x.nav")
    stranger = nav.load(tmp_path / "x.nav", workdir=tmp_path / "s", run_profiling=False)
    with pytest.raises(nav.TrustRequired, match="Loading toy-gamma can execute code"):
        save_repository(stranger, tmp_path / "r2", format="toy-gamma")
    assert not (tmp_path / "r2").exists()


def test_the_files_are_open_to_whom_the_umask_allows(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        written = save_repository(package, tmp_path / "r")
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in (written.folder, written.folder / "1")}
    assert modes == {0o755}
    assert np.all([path.stat().st_mode & 0o444 == 0o444 for path in written.folder.rglob("*")])
