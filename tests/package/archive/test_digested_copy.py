"""Copying takes the digests of exactly the bytes that it copies."""

from __future__ import annotations

import errno
import hashlib
import os
import zlib
from pathlib import Path

import pytest

from navcore.errors import PackageError
from navcore.package.archive.digested_copy import Sums, copy_and_digest, write_fully

MIB = 1 << 20


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 9 * MIB + 5])
def test_a_range_is_copied_and_checked(size: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    (tmp_path / "source").write_bytes(b"before" + content + b"after")
    with (tmp_path / "source").open("rb") as source, (tmp_path / "sink").open("wb") as sink:
        checks = copy_and_digest(source.fileno(), 6, size, sink.fileno(), 3)
    assert checks == Sums(hashlib.sha256(content).hexdigest(), zlib.crc32(content))
    assert (tmp_path / "sink").read_bytes() == (b"\0\0\0" + content if size else b"")


@pytest.mark.parametrize("size", [10, 3 * MIB])
def test_a_source_that_ends_early_is_refused(size: int, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(size - 1))
    with (tmp_path / "source").open("rb") as source, pytest.raises(PackageError) as caught:
        copy_and_digest(source.fileno(), 0, size, None)
    assert caught.value.code == "changed"


def test_a_source_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(PackageError, match="Is a directory") as caught:
            copy_and_digest(folder, 0, 10, None)
    finally:
        os.close(folder)
    assert caught.value.code == "unreadable"


def test_a_full_disk_is_an_error_of_the_system() -> None:
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space") as caught:
        write_fully(full.fileno(), b"x", 0)
    assert caught.value.errno == errno.ENOSPC
