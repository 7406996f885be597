"""Each hostile archive is refused with its own code, and leaves no trace on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from navcore.errors import PackageError
from navcore.package.archive.reading import extract_archive, read_manifest, read_member
from navcore.package.archive.refusals import Refusal

from .hostile import CASES, COMPACT, FILES, Case, compact_parts, package, zip_bytes

# What only writing, opening or a race can meet; test_reading.py and test_writing.py have them.
NOT_IN_A_CORPUS = {
    "unreadable", "not-a-file", "changed", "no-such-member", "member-too-large",
    "exists", "source-file", "source-changed", "write-failed", "signature",
    "meta", "status-yaml", "status-version", "status-shape", "content",  # tests/package/hostile_records.py has them
}  # fmt: skip
SEEN_BY_EXTRACTION_ONLY = {"local-mismatch", "digest", "checksum"}


def test_the_corpus_starts_from_a_good_package(tmp_path: Path) -> None:
    (tmp_path / "good.nav").write_bytes(package())
    manifest = extract_archive(tmp_path / "good.nav", tmp_path / "out")
    assert {entry.name: (tmp_path / "out" / entry.name).read_bytes() for entry in manifest.files} == FILES


def test_the_compact_corpus_starts_from_a_good_package(tmp_path: Path) -> None:
    (tmp_path / "good.nav").write_bytes(zip_bytes(compact_parts()))
    manifest = extract_archive(tmp_path / "good.nav", tmp_path / "out")
    assert {entry.name: (tmp_path / "out" / entry.name).read_bytes() for entry in manifest.files} == COMPACT
    assert read_member(tmp_path / "good.nav", manifest, "torch/model.pt") == COMPACT["torch/model.pt"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_hostile_archive_is_refused_before_anything_is_left(case: Case, tmp_path: Path) -> None:
    attic = tmp_path / "attic"
    attic.mkdir()
    path = attic / "hostile.nav"
    path.write_bytes(case.data)

    with pytest.raises(PackageError) as caught:
        extract_archive(path, attic / "out", limits=case.limits)

    assert caught.value.code == case.code, str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()
    assert [found.name for found in tmp_path.rglob("*")] == ["attic", "hostile.nav"]
    assert path.read_bytes() == case.data


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_inspecting_refuses_the_same_or_does_not_look_that_far(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "hostile.nav"
    path.write_bytes(case.data)
    code = "none"
    try:
        read_manifest(path, limits=case.limits)
    except PackageError as error:
        code = error.code
    assert code == case.code or (code == "none" and case.code in SEEN_BY_EXTRACTION_ONLY)


def test_every_code_has_a_hostile_archive() -> None:
    assert {case.code for case in CASES} == {code.value for code in Refusal} - NOT_IN_A_CORPUS
    assert len({case.title for case in CASES}) == len(CASES) >= 60


def test_the_threat_model_lists_every_code_with_its_meaning() -> None:
    text = (Path(__file__).parents[3] / "docs" / "threat-model.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{code.value}` | {code.meaning} |" for code in Refusal]
