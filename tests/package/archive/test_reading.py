"""Inspecting, reading one file, and extracting."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from navcore.errors import PackageError, PackageExists
from navcore.package.archive.reading import extract_archive, read_manifest, read_member
from navcore.package.archive.refusals import Refusal
from navcore.package.archive.safe_names import refuse_unsafe_names
from navcore.package.archive.writing import Member, write_archive

from .hostile import FILES, entry, manifest, package


@pytest.fixture
def good(tmp_path: Path) -> Path:
    alias = entry("onnx/copy.yaml", FILES["status.yaml"], same_as="status.yaml")
    path = tmp_path / "good.nav"
    path.write_bytes(package(document=manifest(files=[*manifest()["files"], alias])))
    return path


def test_inspecting_shows_files_and_metadata(good: Path) -> None:
    shown = read_manifest(good)
    assert [entry.name for entry in shown.files] == ["status.yaml", "onnx/model.onnx", "onnx/copy.yaml"]
    assert shown.meta == {"model": "m"}


def test_inspecting_reads_no_contents(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = good.read_bytes()
    content = range(data.index(FILES["onnx/model.onnx"]), data.index(FILES["onnx/model.onnx"]) + 180)
    read = os.preadv
    touched: set[int] = set()

    def watch(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        count = read(descriptor, buffers, offset)
        touched.update(range(offset, offset + count))
        return count

    monkeypatch.setattr(os, "preadv", watch)
    read_manifest(good)
    assert touched
    assert touched.isdisjoint(content)


def test_one_file_is_read_and_verified(good: Path) -> None:
    shown = read_manifest(good)
    assert read_member(good, shown, "status.yaml") == FILES["status.yaml"]
    assert read_member(good, shown, "onnx/copy.yaml") == FILES["status.yaml"]


def test_one_damaged_file_does_not_hide_another(good: Path) -> None:
    good.write_bytes(good.read_bytes().replace(b"weights", b"veights", 1))
    shown = read_manifest(good)
    assert read_member(good, shown, "status.yaml") == FILES["status.yaml"]
    with pytest.raises(PackageError, match=r"onnx/model\.onnx") as caught:
        read_member(good, shown, "onnx/model.onnx")
    assert caught.value.code == "digest"


def test_reading_one_file_refuses_what_is_unknown_large_or_exchanged(good: Path) -> None:
    shown = read_manifest(good)
    with pytest.raises(PackageError) as unknown:
        read_member(good, shown, "worst")
    with pytest.raises(PackageError) as large:
        read_member(good, shown, "status.yaml", largest=3)
    good.write_bytes(package())
    with pytest.raises(PackageError) as exchanged:
        read_member(good, shown, "status.yaml")
    assert [error.value.code for error in (unknown, large, exchanged)] == [
        "no-such-member", "member-too-large", "changed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "code"), [("missing", "unreadable"), ("folder", "not-a-file"), ("pipe", "not-a-file")]
)
def test_only_a_regular_file_is_opened(kind: str, code: str, tmp_path: Path) -> None:
    path = tmp_path / "x.nav"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(PackageError) as caught:
        read_manifest(path)
    assert caught.value.code == code


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_an_existing_target_is_left_alone(kind: str, good: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    if kind == "file":
        target.write_bytes(b"precious")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "elsewhere")
    before = target.lstat()
    with pytest.raises(PackageExists) as caught:
        extract_archive(good, target)
    assert caught.value.code == "exists"
    assert target.lstat() == before
    assert sorted(os.listdir(tmp_path)) == ["good.nav", "out"]


def test_extracted_files_get_plain_permissions(good: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    extract_archive(good, tmp_path / "out")
    expected = (tmp_path / "plain").stat().st_mode
    assert {path.stat().st_mode for path in (tmp_path / "out").rglob("*") if path.is_file()} == {expected}


@pytest.mark.parametrize("function", ["pwrite", "sendfile", "fsync", "mkdir", "rename"])
def test_a_disk_that_fails_while_extracting_keeps_nothing(
    function: str, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(PackageError, match=r"the file system at .* is full") as caught:
        extract_archive(good, tmp_path / "out")
    assert caught.value.code == "write-failed"
    assert caught.value.who == str(tmp_path / "out")
    assert os.listdir(tmp_path) == ["good.nav"]


def test_a_package_cut_while_it_is_extracted_is_refused(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.pwrite

    def cut_first(descriptor: int, data: memoryview, offset: int) -> int:
        os.truncate(good, 10)
        return write(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", cut_first)
    with pytest.raises(PackageError) as caught:
        extract_archive(good, tmp_path / "out")
    assert caught.value.code == Refusal.CHANGED
    assert os.listdir(tmp_path) == ["good.nav"]


def _agreeable(names: list[str]) -> bool:
    try:
        refuse_unsafe_names(["manifest.json", *names])
    except PackageError:
        return False
    return True


names = st.lists(st.text("aB0-_. é模", min_size=1, max_size=6), min_size=1, max_size=3).map(
    lambda parts: "onnx/assets/" + "/".join(parts)
)
folders = st.dictionaries(names, st.binary(max_size=40) | st.just(b"shared"), max_size=8).filter(
    lambda contents: _agreeable(list(contents))
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(contents=folders)
def test_any_folder_comes_back_as_it_was(contents: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("round")
    members = []
    for number, (name, content) in enumerate(contents.items()):
        (place / str(number)).write_bytes(content)
        members.append(Member(name, place / str(number)))
    write_archive(place / "x.nav", members, meta={"count": len(contents)})

    manifest = extract_archive(place / "x.nav", place / "out")

    found = {path.relative_to(place / "out").as_posix(): path for path in (place / "out").rglob("*") if path.is_file()}
    assert {name: path.read_bytes() for name, path in found.items()} == contents
    assert [entry.name for entry in manifest.files] == list(contents)
    assert manifest == read_manifest(place / "x.nav")
