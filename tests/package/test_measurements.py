"""Raw numbers, read from a workspace or from a package that stays packed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from navcore.package import measurements
from navcore.package.measurements import reader_of_package, reader_of_workspace
from navcore.package.reading import read_record
from navcore.workspace.folder import Workspace

from .hostile_records import FILES, told

PLACE = "onnx/measurements/cpu.blocks.npz"
CONTENT = b"every latency"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / PLACE).parent.mkdir(parents=True)
    (tmp_path / PLACE).write_bytes(CONTENT)
    return Workspace(tmp_path)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "x.nav"
    path.write_bytes(told(files={**FILES, PLACE: CONTENT}))
    return path


def test_of_a_workspace(workspace: Workspace) -> None:
    read = reader_of_workspace(workspace)
    assert read(PLACE) == CONTENT
    assert read("onnx/measurements/other.blocks.npz") is None
    assert read("onnx/measurements") is None


def test_of_a_workspace_nothing_is_read_through_a_link_or_from_a_pipe(workspace: Workspace) -> None:
    folder = workspace.root / "onnx" / "measurements"
    (folder / "link.npz").symlink_to(folder / "cpu.blocks.npz")
    os.mkfifo(folder / "pipe.npz")
    read = reader_of_workspace(workspace)
    assert read("onnx/measurements/link.npz") is None
    assert read("onnx/measurements/pipe.npz") in (None, b"")


def test_of_a_package_without_extracting_it(package: Path) -> None:
    record, manifest = read_record(package)
    read = reader_of_package(package, manifest)
    assert record.results[1].format.name == "onnx"
    assert read(PLACE) == CONTENT
    assert read("onnx/measurements/other.blocks.npz") is None
    assert list(package.parent.iterdir()) == [package]


def test_of_a_package_nothing_is_read_that_was_exchanged(package: Path) -> None:
    _, manifest = read_record(package)
    package.write_bytes(package.read_bytes().replace(CONTENT, CONTENT.upper()))
    assert reader_of_package(package, manifest)(PLACE) is None


def test_a_package_is_looked_into_once(package: Path) -> None:
    read = reader_of_package(package, read_record(package)[1])
    assert read(PLACE) == CONTENT
    package.unlink()
    assert read(PLACE) == CONTENT


def test_of_all_together_only_so_much_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [f"onnx/measurements/cpu-{number}.errors.npz" for number in range(5)]
    package = tmp_path / "x.nav"
    package.write_bytes(told(files={**FILES, **{place: b"%d" % number * 100 for number, place in enumerate(places)}}))
    monkeypatch.setattr(measurements, "_ALL_TOGETHER", 250)
    read = reader_of_package(package, read_record(package)[1])
    assert [place for place in places if read(place) is not None] == places[:2]


def test_what_is_too_large_is_left_alone(workspace: Workspace, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "_LARGEST", len(CONTENT) - 1)
    assert reader_of_workspace(workspace)(PLACE) is None
    assert reader_of_package(package, read_record(package)[1])(PLACE) is None
