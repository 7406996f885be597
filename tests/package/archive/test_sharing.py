"""Compact packages: regions that are equal are stored once, and every file comes back to the byte."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from navcore.errors import PackageError
from navcore.package.archive.digested_copy import Span, Sums, copy_spans
from navcore.package.archive.manifest import Part
from navcore.package.archive.reading import extract_archive, read_manifest, read_member
from navcore.package.archive.sharing import SMALLEST
from navcore.package.archive.writing import Member, write_archive

pytestmark = pytest.mark.processes

MIB = 1 << 20
WEIGHTS, OTHER = os.urandom(2 * MIB + 3), os.urandom(MIB)
FILES = {"onnx/model.onnx": [b"onnx", WEIGHTS, b"!", OTHER], "torch/model.pt": [b"pt", OTHER, b"..", WEIGHTS, b"end"],
         "torch/model.pt2": [WEIGHTS, OTHER]}  # fmt: skip


def written(place: Path, files: dict[str, list[bytes]], name: str = "x.nav") -> Path:
    """A package of files, each put together of pieces; those of the smallest size on are told as regions."""
    members = []
    for number, (member, pieces) in enumerate(files.items()):
        source = place / f"source{number}"
        source.write_bytes(b"".join(pieces))
        ends = [sum(map(len, pieces[: index + 1])) for index in range(len(pieces))]
        told = [(end - len(piece), len(piece)) for piece, end in zip(pieces, ends, strict=True)]
        members.append(Member(member, source, tuple(region for region in told if region[1] >= SMALLEST)))
    write_archive(place / name, members, meta={"n": len(files)}, override=True)
    return place / name


def test_equal_regions_are_stored_once_and_every_file_comes_back(tmp_path: Path) -> None:
    path = written(tmp_path, FILES)
    manifest = extract_archive(path, tmp_path / "out")
    for name, pieces in FILES.items():
        assert (tmp_path / "out" / name).read_bytes() == b"".join(pieces)
        assert (tmp_path / "out" / name).stat().st_nlink == 1
    assert path.stat().st_size < len(WEIGHTS) + len(OTHER) + 4096
    assert {entry.name: entry.parts for entry in manifest.files} == {
        "onnx/model.onnx": (),
        "torch/model.pt": (
            Part(2), Part(MIB, "onnx/model.onnx", 4 + len(WEIGHTS) + 1), Part(2),
            Part(len(WEIGHTS), "onnx/model.onnx", 4), Part(3),
        ),
        "torch/model.pt2": (
            Part(len(WEIGHTS), "onnx/model.onnx", 4), Part(MIB, "onnx/model.onnx", 4 + len(WEIGHTS) + 1),
        ),
    }  # fmt: skip
    assert read_member(path, manifest, "torch/model.pt", largest=8 * MIB) == b"".join(FILES["torch/model.pt"])


def test_what_is_left_of_a_file_has_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    path = written(tmp_path, FILES)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "manifest.json", "onnx/model.onnx", ".rest/torch/model.pt", ".rest/torch/model.pt2",
        ]  # fmt: skip
        assert archive.read(".rest/torch/model.pt") == b"pt..end"
        assert archive.read(".rest/torch/model.pt2") == b""
        assert json.loads(archive.read("manifest.json"))["manifest_version"] == 3


def test_without_anything_in_common_it_is_a_package_as_any_other(tmp_path: Path) -> None:
    """Also one whose regions are said: nothing of them is in the file, and every navcore reads it."""
    alone = {"onnx/model.onnx": [WEIGHTS], "torch/model.pt": [OTHER]}
    told = written(tmp_path, alone).read_bytes()
    members = [Member(name, tmp_path / f"source{number}") for number, name in enumerate(alone)]
    write_archive(tmp_path / "plain.nav", members, meta={"n": 2})
    assert told == (tmp_path / "plain.nav").read_bytes()
    assert b'"manifest_version": 2' in told[:200]


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    first = written(tmp_path, FILES).read_bytes()
    for source in tmp_path.glob("source*"):
        os.utime(source, (0, 0))
    assert written(tmp_path, FILES, "again.nav").read_bytes() == first


def test_a_file_with_a_twin_and_a_file_that_repeats_itself(tmp_path: Path) -> None:
    files = {"onnx/a": [b"a", OTHER, b"b", OTHER], "torch/b": [b"c", OTHER], "torch/c": [b"c", OTHER]}
    path = written(tmp_path, files)
    manifest = extract_archive(path, tmp_path / "out")
    assert {name: (tmp_path / "out" / name).read_bytes() for name in files} == {
        name: b"".join(pieces) for name, pieces in files.items()
    }
    assert manifest.file("onnx/a").parts == (Part(1 + MIB + 1), Part(MIB, "onnx/a", 1))
    assert manifest.file("torch/c").same_as == "torch/b"
    assert [entry.own_size for entry in manifest.files] == [1 + MIB + 1, 1, 0]
    assert path.stat().st_size < MIB + 4096


@pytest.mark.parametrize(
    "regions",
    [((0, 1 << 40),), ((-5, MIB),), ((MIB, -MIB),), ((5 * MIB, MIB),), ((0, MIB), (1, MIB), (2, MIB)), ((0, 0),)],
)
def test_regions_that_are_told_wrongly_cost_room_and_nothing_else(
    regions: tuple[tuple[int, int], ...], tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(WEIGHTS)
    (tmp_path / "b").write_bytes(WEIGHTS + b"x")
    members = [Member("onnx/a", tmp_path / "a", regions), Member("onnx/b", tmp_path / "b", regions)]
    write_archive(tmp_path / "x.nav", members, meta={})
    extract_archive(tmp_path / "x.nav", tmp_path / "out")
    assert (tmp_path / "out" / "onnx" / "b").read_bytes() == WEIGHTS + b"x"


def test_inspecting_reads_no_byte_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, FILES)
    read, touched = os.preadv, 0

    def watch(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        nonlocal touched
        count = read(descriptor, buffers, offset)
        touched += count
        return count

    monkeypatch.setattr(os, "preadv", watch)
    read_manifest(path)
    assert 0 < touched < 8192


def test_damage_in_what_files_share_is_found_in_every_one(tmp_path: Path) -> None:
    path = written(tmp_path, FILES)
    data = bytearray(path.read_bytes())
    data[data.index(WEIGHTS) + MIB] ^= 1
    path.write_bytes(data)
    manifest = read_manifest(path)
    for name in FILES:
        with pytest.raises(PackageError, match="SHA-256 differs") as caught:
            read_member(path, manifest, name, largest=8 * MIB)
        assert caught.value.code == "digest"
    with pytest.raises(PackageError):
        extract_archive(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_source_that_changes_after_its_regions_were_compared_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_while_somebody_writes(source: int, spans: list[Span], sink: int, at: int, *, own_only: bool) -> Sums:
        (tmp_path / "source0").write_bytes(os.urandom((tmp_path / "source0").stat().st_size))
        return copy_spans(source, spans, sink, at, own_only=own_only)

    monkeypatch.setattr("navcore.package.archive.writing.copy_spans", copy_while_somebody_writes)
    with pytest.raises(PackageError, match="changed while it was being packed") as caught:
        written(tmp_path, FILES)
    assert caught.value.code == "source-changed"
    assert not (tmp_path / "x.nav").exists()


TENSORS = [bytes([number]) * SMALLEST + os.urandom(number) for number in range(5)]
some_pieces = st.lists(st.sampled_from(TENSORS) | st.binary(max_size=9), max_size=8)


@settings(max_examples=60, deadline=None)
@given(contents=st.lists(some_pieces, min_size=1, max_size=4))
def test_any_files_come_back_as_they_were(
    contents: list[list[bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("shared")
    files = {f"onnx/{number}": pieces for number, pieces in enumerate(contents)}
    path = written(place, files)
    manifest = extract_archive(path, place / "out")
    assert {name: (place / "out" / name).read_bytes() for name in files} == {
        name: b"".join(pieces) for name, pieces in files.items()
    }
    different = {piece for pieces in contents for piece in pieces if len(piece) >= SMALLEST}
    small = sum(len(piece) for pieces in contents for piece in pieces if len(piece) < SMALLEST)
    assert sum(entry.own_size for entry in manifest.files) <= sum(map(len, different)) + small
