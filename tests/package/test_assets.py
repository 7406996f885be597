"""An asset goes with its model: from the export, through the package, to the runner on another machine."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import navcore as nav
from navcore.testing import toy
from navcore.workspace.status.yaml_reading import from_yaml
from navcore.workspace.status.yaml_text import to_yaml

from .archive.hostile import manifest, package as package_of

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]
Run = Callable[..., nav.PackageDescriptor]
PLACE = "toy-levels/assets/levels.json"
MODEL = toy.ToyModel(factor=3.0, offset=1.0)
ASKED: dict[str, Any] = {"targets": ["toy-levels"], "run_profiling": False, "git_info": False}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workdir in which the rounded toy was made, and ``x.nav`` packed from it. Not to be changed: copy it."""
    workdir = tmp_path_factory.mktemp("made") / "work"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy")
        patch.setenv("NAVCORE_DISABLE_PLUGINS", "torch,onnx,tensorflow,openvino,trt")
        nav.run(MODEL, toy.dataloader(), workdir=workdir, **ASKED).save(workdir / "x.nav")
    return workdir


@pytest.fixture
def package(made: Path, run_toy: Run, workdir: Path) -> nav.PackageDescriptor:
    """The package of that run, in a workdir of its own, in which nothing is done again."""
    shutil.copytree(made, workdir)
    return run_toy(MODEL, **ASKED)


@pytest.fixture
def packed(made: Path, tmp_path: Path) -> Path:
    """Its ``.nav`` file, which may be changed."""
    return Path(shutil.copy(made / "x.nav", tmp_path / "x.nav"))


def repacked(
    path: Path, files: Mapping[str, bytes], *, status: Callable[[dict[str, object]], None] = lambda _row: None
) -> Path:
    """The package with other ``files`` (an empty one is left out), and another row of the format."""
    with zipfile.ZipFile(path) as archive:
        listed = json.loads(archive.read("manifest.json"))
        content = {one["name"]: archive.read(one.get("same_as") or one["name"]) for one in listed["files"]}
    record = from_yaml(content["status.yaml"].decode())
    status(next(row for row in record["model_status"] if row["variant"]["name"] == "toy-levels"))
    content |= {"status.yaml": to_yaml(record).encode(), **files}
    kept = {name: part for name, part in content.items() if part or name not in files}
    path.write_bytes(package_of(kept, manifest(kept, meta=listed["meta"])))
    return path


def test_the_row_names_it_and_its_precision_decides(package: nav.PackageDescriptor) -> None:
    row = package.results[-1]
    assert (row.assets, row.status) == (("levels.json",), nav.Status.OK)
    verdict = row.runtimes[0].verification
    assert verdict is not None
    assert (verdict.precision, verdict.bound) == ("toy-levels", 0.1)
    assert 1e-2 < (verdict.differences[0].relative_l2 or 0) < 0.1  # more than half precision explains
    assert row.runtimes[0].precision == "toy-levels"
    assert package.get_status("toy", precision="toy-levels")
    assert not package.get_status("toy", precision="fp8")


def test_it_is_no_part_of_the_model(package: nav.PackageDescriptor) -> None:
    row = package.results[-1]
    assert row.size == len(package.get_model("toy-levels").read_bytes())


def test_it_is_found_by_its_name(package: nav.PackageDescriptor) -> None:
    assert package.get_assets("toy-levels") == {"levels.json": package.workspace / PLACE}
    assert package.get_assets("toy-alpha") == {}
    assert package.get_assets("toy-live") == {}


def test_a_run_that_continues_finds_it_again(package: nav.PackageDescriptor, run_toy: Run, journalled: Run) -> None:
    before = journalled(package)
    again = run_toy(MODEL, **ASKED)
    assert again.get_assets("toy-levels") == package.get_assets("toy-levels")
    assert journalled(again) == before
    (package.workspace / PLACE).write_text("[]")
    repaired = run_toy(MODEL, **ASKED)
    assert len(json.loads(repaired.get_assets("toy-levels")["levels.json"].read_text())) == 33


@pytest.mark.parametrize("retest", [True, False])
def test_the_package_brings_it_to_another_folder(package: nav.PackageDescriptor, tmp_path: Path, retest: bool) -> None:
    package.save(tmp_path / "x.nav", keep_workdir=False)
    with zipfile.ZipFile(tmp_path / "x.nav") as archive:
        listed = {entry["name"]: entry for entry in json.loads(archive.read("manifest.json"))["files"]}
    assert (listed[PLACE]["kind"], len(listed[PLACE]["sha256"])) == ("asset", 64)
    there = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", retest_conversions=retest, run_profiling=False)
    assert there.get_assets("toy-levels") == {"levels.json": there.workspace / PLACE}
    with there.open_runner("toy-levels") as runner:
        assert runner({"x": np.ones((1, 2), np.float32)})["y"].tolist() == [[3.9375, 3.9375]]
    there.save(tmp_path / "again.nav")


def test_one_that_is_gone_is_named(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    (package.workspace / PLACE).unlink()
    (package.workspace / PLACE).symlink_to(package.workspace / "status.yaml")
    for use in (
        lambda: package.get_assets("toy-levels"),
        lambda: package.open_runner("toy-levels").__enter__(),
        lambda: package.save(tmp_path / "x.nav"),
    ):
        with pytest.raises(nav.PackageIncomplete, match=r"asset 'levels.json' of toy-levels is not in the workspace"):
            use()
    assert not (tmp_path / "x.nav").exists()


def test_what_was_put_beside_it_is_not_packed(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    (package.workspace / PLACE).with_name("mine.txt").write_text("a note")
    package.save(tmp_path / "x.nav")
    with zipfile.ZipFile(tmp_path / "x.nav") as archive:
        assert [name for name in archive.namelist() if "/assets/" in name] == [PLACE]


def test_a_package_without_it_has_not_that_model(packed: Path, tmp_path: Path) -> None:
    path = repacked(packed, {PLACE: b""})
    there = nav.load(path, workdir=tmp_path / "there", retest_conversions=False)
    assert there.results[-1].path is None
    assert f"its file is not in the package: {PLACE}" in there.results[-1].notes


def test_a_package_with_one_that_its_row_does_not_declare_is_refused(packed: Path, tmp_path: Path) -> None:
    path = repacked(packed, {"toy-levels/assets/other": b"content"})
    with pytest.raises(nav.PackageError, match=r"it holds the asset 'toy-levels/assets/other', which its status.yaml"):
        nav.load(path, workdir=tmp_path / "there")
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("name", ["../../status.yaml", "/etc/passwd", "aux", ""])
def test_a_strangers_name_leads_nowhere(packed: Path, tmp_path: Path, name: str) -> None:
    path = repacked(packed, {}, status=lambda row: row.update(assets=[name]))
    with pytest.raises(nav.PackageError, match=r"cannot be (a place in a workspace|the name of an asset)"):
        nav.load(path, workdir=tmp_path / "there")


def test_a_package_of_a_plugin_that_is_missing_is_loaded(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its precision and its assets are known by name alone."""
    monkeypatch.delenv("NAVCORE_EXTRA_PLUGINS")
    there = nav.load(packed, workdir=tmp_path / "there")
    row = there.results[-1]
    assert (row.elsewhere, row.format.precision) == (True, "toy-levels")
    assert any("no installed plugin knows this format" in note for note in row.notes)
    assert there.get_assets("toy-levels")["levels.json"].is_file()
