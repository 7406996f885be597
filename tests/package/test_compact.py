"""``save(compact=True)``: formats say where their tensors lie, and what a package of them gives back."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

import navcore as nav
from navcore.package.archive.manifest import Part
from navcore.package.archive.reading import extract_archive, read_manifest
from navcore.package.save import pack

pytestmark = pytest.mark.processes

WEIGHTS = os.urandom(9000)
Regions = Callable[[Path], Mapping[Path, Sequence[tuple[int, int]]]]


def packed_by(package: Any, path: Path, regions: Regions) -> Path:
    """The package as it is packed where every format has these regions; two models have 9000 bytes in common."""
    for name, head in (("toy-alpha/model.toy", b"alpha"), ("toy-beta/model.beta", b"b")):
        (package.workspace / name).write_bytes(head + WEIGHTS)
    formats = tuple(attrs.evolve(row.format, regions=regions) for row in package.results)
    known: Any = SimpleNamespace(formats=formats)
    pack(package._workspace, package.record, path, keep=True, override=False, samples=True, compact_by=known)
    return path


def at_the_end(path: Path) -> Mapping[Path, Sequence[tuple[int, int]]]:
    return {path: [(path.stat().st_size - len(WEIGHTS), len(WEIGHTS))]} if path.stat().st_size > len(WEIGHTS) else {}


def test_what_formats_have_in_common_is_stored_once(finished: Any, tmp_path: Path) -> None:
    path = packed_by(finished, tmp_path / "x.nav", at_the_end)
    manifest = extract_archive(path, tmp_path / "out")
    assert manifest.file("toy-beta/model.beta").parts == (Part(1), Part(9000, "toy-alpha/model.toy", 5))
    assert [entry.name for entry in manifest.files if entry.parts] == ["toy-beta/model.beta"]
    for entry in manifest.files:
        assert (tmp_path / "out" / entry.name).read_bytes() == (finished.workspace / entry.name).read_bytes()


@pytest.mark.parametrize("told", [RuntimeError("no tensors"), {"x": 3}, {"x": [("a", 1)]}, None])
def test_a_format_that_cannot_say_is_packed_whole(
    told: Any, finished: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def regions(path: Path) -> Any:
        if isinstance(told, Exception):
            raise told
        return told

    with caplog.at_level(logging.WARNING, "navcore"):
        path = packed_by(finished, tmp_path / "x.nav", regions)
    assert "toy-alpha is packed whole: its tensors cannot be found" in caplog.text
    assert not any(entry.parts for entry in read_manifest(path).files)


def test_without_asking_a_package_is_one_that_every_navcore_reads(finished: Any, tmp_path: Path) -> None:
    finished.save(tmp_path / "plain.nav")
    finished.save(tmp_path / "compact.nav", compact=True)  # the toy's formats do not say where their numbers lie
    assert b'"manifest_version": 2' in (tmp_path / "plain.nav").read_bytes()[:200]
    assert (tmp_path / "plain.nav").read_bytes() == (tmp_path / "compact.nav").read_bytes()
    assert read_manifest(tmp_path / "plain.nav").meta["written_by"] == nav.__version__


def test_one_signature_holds_for_the_plain_and_the_compact_package(finished: Any, tmp_path: Path) -> None:
    """What is signed are the names and digests of the files, and these are the same."""
    compact = packed_by(finished, tmp_path / "compact.nav", at_the_end)
    finished.save(tmp_path / "plain.nav")
    signed = [
        [(one.place, one.sha256) for one in read_manifest(path).files] for path in (compact, tmp_path / "plain.nav")
    ]
    assert signed[0] == signed[1]
