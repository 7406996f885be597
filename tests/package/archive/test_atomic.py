"""What cannot be written is refused as everything about a package is: with a code, and what was there stays."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from navcore.errors import PackageError, PackageExists
from navcore.package.archive.atomic import atomic_file, atomic_folder


def test_a_missing_parent_is_a_write_failure_with_its_reason(tmp_path: Path) -> None:
    writing = atomic_file(tmp_path / "missing" / "x.nav", replace=False)
    with pytest.raises(PackageError, match="No such file or directory") as caught, writing:
        pytest.fail("the block must not run")
    assert caught.value.code == "write-failed"


def test_a_file_that_comes_into_being_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(PackageExists), atomic_file(tmp_path / "x.nav", replace=False):
        (tmp_path / "x.nav").write_bytes(b"somebody else's")
    assert (tmp_path / "x.nav").read_bytes() == b"somebody else's"


@pytest.mark.parametrize("replace", [True, False])
def test_a_folder_cannot_be_replaced_by_a_file(tmp_path: Path, replace: bool) -> None:
    with pytest.raises(PackageExists), atomic_file(tmp_path, replace=replace):
        pytest.fail("the block must not run")


def test_the_slower_of_two_is_refused_and_leaves_the_faster_alone(tmp_path: Path) -> None:
    def appear_twice() -> None:
        with atomic_folder(tmp_path / "out") as slow:
            (slow / "slow").touch()
            with atomic_folder(tmp_path / "out") as fast:
                (fast / "fast").touch()

    with pytest.raises(PackageExists):
        appear_twice()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fast"]


def test_want_of_room_names_the_file_system(tmp_path: Path) -> None:
    told = pytest.raises(PackageError, match=r"the file system at .* is full: .* are free")
    with told as caught, atomic_file(tmp_path / "x.nav", replace=False):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.code == "write-failed"
    assert list(tmp_path.iterdir()) == []
