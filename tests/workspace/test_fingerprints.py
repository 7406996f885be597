"""A product is known by what its bytes are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from navcore.workspace.fingerprints import fingerprint


@pytest.fixture(params=["file", "folder"])
def product(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "model"
    inside = path
    if request.param == "folder":
        path.mkdir()
        inside = path / "variables"
    inside.write_bytes(b"weights")
    return path


def inner(product: Path) -> Path:
    return product / "variables" if product.is_dir() else product


def test_what_has_not_moved_is_not_read(product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = fingerprint(product)
    monkeypatch.setattr("navcore.workspace.fingerprints.digest_of_file", lambda _path: pytest.fail("it was read"))
    assert taken.fits(product)


def test_other_bytes_of_the_same_size_are_noticed(product: Path) -> None:
    taken = fingerprint(product)
    inner(product).write_bytes(b"WEIGHTS")
    assert not taken.fits(product)


def test_a_copy_is_the_same_product(product: Path, tmp_path: Path) -> None:
    taken = fingerprint(product)
    (shutil.copytree if product.is_dir() else shutil.copy2)(product, tmp_path / "copy")
    assert taken.fits(tmp_path / "copy")


def test_touched_is_not_changed_and_gone_is_gone(product: Path) -> None:
    taken = fingerprint(product)
    os.utime(inner(product), (0, 0))
    assert taken.fits(product)
    inner(product).unlink()
    assert not taken.fits(product)
