"""Packing: what is written, what is refused, and that the old file survives every accident."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from navcore.errors import PackageError, PackageExists
from navcore.package.archive.digested_copy import Span, Sums, copy_spans
from navcore.package.archive.reading import extract_archive, read_manifest
from navcore.package.archive.writing import Member, write_archive

pytestmark = pytest.mark.processes

MIB = 1 << 20


@pytest.fixture
def members(tmp_path: Path) -> list[Member]:
    source = tmp_path / "source"
    source.mkdir()
    contents = {"status.yaml": b"ok: true\n", "onnx/model.onnx": os.urandom(3 * MIB), "onnx/größe/leer": b""}
    for number, content in enumerate(contents.values()):
        (source / str(number)).write_bytes(content)
    return [Member(name, source / str(number)) for number, name in enumerate(contents)]


def test_independent_readers_agree(members: list[Member], tmp_path: Path) -> None:
    path = tmp_path / "x.nav"
    write_archive(path, members, meta={"model": "m"})
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["manifest.json", "status.yaml", "onnx/model.onnx", "onnx/größe/leer"]
        assert archive.read("onnx/model.onnx") == members[1].source.read_bytes()
        assert json.loads(archive.read("manifest.json"))["meta"] == {"model": "m"}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.skipif(shutil.which("unzip") is None, reason="there is no unzip program on this machine")
def test_unzip_agrees(members: list[Member], tmp_path: Path) -> None:
    write_archive(tmp_path / "x.nav", members, meta={})
    done = subprocess.run(["unzip", "-t", tmp_path / "x.nav"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No errors detected" in done.stdout


def test_the_same_input_gives_the_same_bytes(members: list[Member], tmp_path: Path) -> None:
    write_archive(tmp_path / "a.nav", members, meta={"a": 1, "b": 2})
    for member in members:
        os.utime(member.source, (0, 0))
        member.source.chmod(0o600)
    write_archive(tmp_path / "b.nav", members, meta={"b": 2, "a": 1})
    assert (tmp_path / "a.nav").read_bytes() == (tmp_path / "b.nav").read_bytes()


def test_equal_contents_are_stored_once_and_extracted_as_separate_files(tmp_path: Path) -> None:
    big = os.urandom(2 * MIB)
    middle = bytearray(big)
    middle[MIB] ^= 1
    contents = {"a": big, "b": bytes(middle), "c": big, "d": b"", "e": b"", "f": big}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    path = tmp_path / "x.nav"
    write_archive(path, [Member(f"onnx/{name}", tmp_path / name) for name in contents], meta={})

    manifest = extract_archive(path, tmp_path / "out")
    assert {entry.name: entry.same_as for entry in manifest.files} == {
        "onnx/a": None, "onnx/b": None, "onnx/c": "onnx/a", "onnx/d": None, "onnx/e": "onnx/d", "onnx/f": "onnx/a",
    }  # fmt: skip
    assert path.stat().st_size < 2 * len(big) + 4096
    assert {name: (tmp_path / "out" / "onnx" / name).read_bytes() for name in contents} == contents
    assert {(tmp_path / "out" / "onnx" / name).stat().st_nlink for name in contents} == {1}


def test_nothing_to_pack_is_a_package_too(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.nav", [], meta={})
    assert read_manifest(tmp_path / "x.nav").files == ()


def test_an_existing_file_is_replaced_on_request_only(members: list[Member], tmp_path: Path) -> None:
    path = tmp_path / "x.nav"
    path.write_bytes(b"old")
    with pytest.raises(PackageExists, match="override=True") as caught:
        write_archive(path, members, meta={})
    assert caught.value.code == "exists"
    assert path.read_bytes() == b"old"
    write_archive(path, members, meta={}, override=True)
    assert len(read_manifest(path).files) == 3


@pytest.mark.parametrize("kind", ["missing", "folder", "link", "pipe"])
def test_only_regular_files_are_packed(kind: str, members: list[Member], tmp_path: Path) -> None:
    source = tmp_path / "odd"
    if kind == "folder":
        source.mkdir()
    elif kind == "link":
        source.symlink_to(members[0].source)
    elif kind == "pipe":
        os.mkfifo(source)
    with pytest.raises(PackageError, match="odd cannot be packed") as caught:
        write_archive(tmp_path / "x.nav", [*members, Member("onnx/odd", source)], meta={})
    assert caught.value.code == "source-file"
    assert not (tmp_path / "x.nav").exists()


@pytest.mark.parametrize("name", ["../evil", "manifest.json", "Status.yaml", "status.yaml/x"])
def test_names_are_judged_as_when_reading(name: str, members: list[Member], tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"name|folder"):
        write_archive(tmp_path / "x.nav", [*members, Member(name, members[0].source)], meta={})
    assert os.listdir(tmp_path) == ["source"]


def test_more_copies_than_a_reader_accepts_are_refused_while_writing(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(2 * MIB))
    with pytest.raises(PackageError) as caught:
        write_archive(tmp_path / "x.nav", [Member(f"onnx/{n}", tmp_path / "big") for n in range(100)], meta={})
    assert caught.value.code == "expansion"
    assert os.listdir(tmp_path) == ["big"]


def test_a_source_that_changes_meanwhile_is_noticed(
    members: list[Member], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_while_somebody_writes(source: int, spans: list[Span], sink: int, at: int, *, own_only: bool) -> Sums:
        members[1].source.write_bytes(os.urandom(3 * MIB))
        return copy_spans(source, spans, sink, at, own_only=own_only)

    monkeypatch.setattr("navcore.package.archive.writing.copy_spans", copy_while_somebody_writes)
    with pytest.raises(PackageError, match="changed while it was being packed") as caught:
        write_archive(tmp_path / "x.nav", members, meta={})
    assert caught.value.code == "source-changed"
    assert os.listdir(tmp_path) == ["source"]


@pytest.mark.parametrize("written_before", [0, 1, 2, 3, 4, 5, 6])
def test_a_full_disk_leaves_the_old_file_at_every_write(
    written_before: int, members: list[Member], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.nav"
    path.write_bytes(b"old")
    write, count = os.pwrite, 0

    def fill_up(descriptor: int, data: memoryview, offset: int) -> int:
        nonlocal count
        if count == written_before:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count += 1
        return write(descriptor, data[: max(1, len(data) // 2)], offset)  # a short write, as a filling disk makes them

    monkeypatch.setattr(os, "pwrite", fill_up)
    with pytest.raises(PackageError, match=r"the file system at .* is full") as caught:
        write_archive(path, members, meta={}, override=True)
    assert caught.value.code == "write-failed"
    assert path.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["source", "x.nav"]


def test_a_file_size_limit_of_the_system_leaves_the_old_file(members: list[Member], tmp_path: Path) -> None:
    path = tmp_path / "x.nav"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, before[1]))
    try:
        with pytest.raises(PackageError, match="would exceed the largest size of 1 MiB") as caught:
            write_archive(path, members, meta={}, override=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert caught.value.code == "write-failed"
    assert path.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["source", "x.nav"]


KILLED = """
import sys
from pathlib import Path
from navcore.package.archive import Member, write_archive
folder = Path(sys.argv[1])
print("ready", flush=True)
while True:
    for version in "ab":
        members = [Member("onnx/weights", folder / version)]
        write_archive(folder / "x.nav", members, meta={"version": version}, override=True)
"""


def test_a_kill_at_any_time_leaves_one_complete_package(tmp_path: Path) -> None:
    """Killed while saving over and over; the first save of the next round clears the leftover away."""
    for version in "ab":
        (tmp_path / version).write_bytes(version.encode() * 2 * MIB)
    write_archive(tmp_path / "x.nav", [Member("onnx/weights", tmp_path / "a")], meta={"version": "a"})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    moments = random.Random(0)
    for number in range(12):
        command = [sys.executable, "-c", KILLED, str(tmp_path)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moments.uniform(0.0, 0.05))
            process.kill()
        manifest = extract_archive(tmp_path / "x.nav", tmp_path / f"out{number}")
        assert (tmp_path / f"out{number}" / "onnx" / "weights").read_bytes()[:1].decode() == manifest.meta["version"]
        assert len(list(tmp_path.glob(".nav-*"))) <= 1
    write_archive(tmp_path / "x.nav", [], meta={}, override=True)
    assert not list(tmp_path.glob(".nav-*"))


@pytest.mark.slow
def test_beyond_four_gigabytes(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate((4 << 30) + 7)
    (tmp_path / "small").write_bytes(b"behind it")
    path = tmp_path / "x.nav"
    write_archive(path, [Member("onnx/large", tmp_path / "large"), Member("onnx/small", tmp_path / "small")], meta={})
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("onnx/large").file_size == (4 << 30) + 7
        assert archive.read("onnx/small") == b"behind it"
    extract_archive(path, tmp_path / "out")
    assert (tmp_path / "out" / "onnx" / "large").stat().st_size == (4 << 30) + 7
    assert (tmp_path / "out" / "onnx" / "small").read_bytes() == b"behind it"
    for name in ("x.nav", "large", "out/onnx/large"):
        (tmp_path / name).unlink()
