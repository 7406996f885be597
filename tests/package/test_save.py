"""Packing: what is in a ``.nav`` file, and what happens to what was there before."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import navcore as nav
from navcore.package.archive.reading import read_manifest

pytestmark = pytest.mark.processes

Run = Callable[..., nav.PackageDescriptor]


def members(path: Path) -> set[str]:
    return {entry.name for entry in read_manifest(path).files}


def test_a_package_holds_models_configs_logs_status_and_samples(packed: Path) -> None:
    names = members(packed)
    assert {"status.yaml", "navigator.log", "toy-alpha/model.toy", "toy-alpha/config.yaml"} <= names
    assert {"toy-gamma/model.gamma", "toy-gamma/gamma_from_beta.log", "model_input/correctness/0.npz"} <= names
    assert "probes/index.json" in names
    assert not any("journal" in name or "marker" in name or "making" in name for name in names)
    assert read_manifest(packed).meta["model_name"] == "navigator_model"


def test_what_else_lies_in_the_workspace_is_not_packed(finished: Any, tmp_path: Path) -> None:
    (finished.workspace / "secret.txt").write_text("x")
    (finished.workspace / "toy-alpha" / ".nav-0123456789ab-0123456789ab.part").write_text("x")
    (finished.workspace / "toy-alpha" / "link").symlink_to("/etc/hostname")
    nav.save(finished, tmp_path / "x.nav")
    assert not any("secret" in name or ".part" in name or "link" in name for name in members(tmp_path / "x.nav"))


def test_without_data_there_are_no_samples(finished: Any, tmp_path: Path) -> None:
    nav.save(finished, tmp_path / "x.nav", save_data=False)
    names = members(tmp_path / "x.nav")
    assert not any(name.startswith(("model_input", "model_output", ".navcore")) for name in names)


def test_an_existing_file_is_kept_without_override(finished: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.nav"
    path.write_text("mine")
    with pytest.raises(nav.PackageExists):
        finished.save(path)
    with pytest.raises(FileExistsError):
        finished.save(path)
    assert path.read_text() == "mine"
    finished.save(path, override=True)
    assert "status.yaml" in members(path)


def test_the_old_file_stays_when_packing_fails(finished: Any, tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "x.nav"
    finished.save(path)
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises((nav.PackageError, nav.WorkspaceError), match="is full: "):
        finished.save(path, override=True)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"x.nav", "work"}


def test_without_keeping_the_workdir_only_this_workspace_goes(finished: Any, workdir: Path, tmp_path: Path) -> None:
    (workdir / "mine.txt").write_text("x")
    (workdir / "other.nav.workspace").mkdir()
    finished.save(tmp_path / "x.nav", keep_workdir=False)
    assert not finished.workspace.exists()
    assert (workdir / "mine.txt").exists()
    assert (workdir / "other.nav.workspace").exists()
    assert (workdir / "toy.nav").exists()


@pytest.mark.parametrize("keep", [True, False])
def test_a_package_is_not_written_into_the_workspace_it_packs(finished: Any, keep: bool) -> None:
    with pytest.raises(nav.OptionError, match="inside the workspace"):
        finished.save(finished.workspace / "x.nav", keep_workdir=keep)


def test_unverified_runtimes_are_warned_of(finished: Any, tmp_path: Path, caplog: Any) -> None:
    finished.set_verified("toy-alpha", "toy-runtime")
    with caplog.at_level(logging.WARNING, logger="navcore"):
        finished.save(tmp_path / "x.nav")
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert told[0].endswith("toy-beta in toy-runtime, toy-gamma in toy-runtime.")
