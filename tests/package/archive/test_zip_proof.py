"""The layout that the writer's encoding makes is the one that the reader proves, on both sides of 4 GiB."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from navcore.errors import PackageError
from navcore.package.archive.size_limits import SizeLimits
from navcore.package.archive.zip_format import ZipMember, central_record, end_records, local_header, zip_member
from navcore.package.archive.zip_proof import prove_local_header, read_structure

GIB = 1 << 30


def _sparse_archive(path: Path, sizes: dict[str, int]) -> list[ZipMember]:
    """Write headers and records only; the contents are holes of the file."""
    members: list[ZipMember] = []
    with path.open("wb") as file:
        for name, size in sizes.items():
            members.append(zip_member(name, size, members[-1].end if members else 0))
            file.seek(members[-1].offset)
            file.write(local_header(members[-1]))
        directory = b"".join(central_record(member) for member in members)
        file.seek(members[-1].end)
        file.write(directory + end_records(len(members), members[-1].end, len(directory)))
    return members


@pytest.mark.parametrize(
    "sizes",
    [
        {"a": 0, "größe/b": 10},
        {"just below": 0xFFFFFFFE},
        {"just at the border": 0xFFFFFFFF},
        {"large": 5 * GIB, "behind it": 3, "larger": 9 * GIB},
        {"many": 2 * GIB, "together": 2 * GIB, "over the border": 2 * GIB},
    ],
    ids=lambda sizes: ", ".join(sizes),
)
def test_what_is_encoded_is_read_back_by_us_and_by_zipfile(sizes: dict[str, int], tmp_path: Path) -> None:
    path = tmp_path / "sparse.zip"
    members = _sparse_archive(path, sizes)
    archive = os.open(path, os.O_RDONLY)
    try:
        assert list(read_structure(archive, SizeLimits())) == members
        for member in members:
            prove_local_header(archive, member)
    finally:
        os.close(archive)
    with zipfile.ZipFile(path) as independent:
        infos = independent.infolist()
        assert {info.filename: info.file_size for info in infos} == sizes
        assert [info.header_offset for info in infos] == [member.offset for member in members]
        for info in infos:
            independent.open(info).close()


def test_a_zip64_number_that_lies_in_the_local_header_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "sparse.zip"
    (member,) = _sparse_archive(path, {"large": 5 * GIB})
    with path.open("r+b") as file:
        file.seek(member.data_offset - 8)
        file.write(b"\1")
    archive = os.open(path, os.O_RDONLY)
    try:
        assert read_structure(archive, SizeLimits()) == (member,)
        with pytest.raises(PackageError) as caught:
            prove_local_header(archive, member)
    finally:
        os.close(archive)
    assert caught.value.code == "local-mismatch"
