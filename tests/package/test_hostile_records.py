"""Each package with a hostile record is refused with its code, before anything of it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

import navcore as nav
from navcore.errors import PackageError
from navcore.package.reading import NOT_HERE, read_told

from .archive.hostile import CASES as ARCHIVES
from .hostile_records import CASES, FILES, RECORD, Case, good, put, told


def test_the_corpus_starts_from_a_good_package(tmp_path: Path) -> None:
    found = read_told(good(tmp_path / "good.nav"))
    assert found.record == RECORD
    assert found.holds_samples
    assert found.weights == len(FILES["onnx/model.onnx"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_hostile_record_is_refused_with_its_code(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "hostile.nav"
    path.write_bytes(case.data)
    with pytest.raises(PackageError) as caught:
        read_told(path)
    assert caught.value.code == case.code, str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("case", CASES[::12], ids=lambda case: case.title)
def test_loading_refuses_it_too_and_leaves_nothing(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "hostile.nav"
    path.write_bytes(case.data)
    with pytest.raises(PackageError) as caught:
        nav.load(path, workdir=tmp_path / "work")
    assert caught.value.code == case.code
    assert [one.name for one in tmp_path.rglob("*")] == ["hostile.nav"]


def test_the_corpora_are_as_large_as_they_have_to_be() -> None:
    assert len({case.title for case in CASES}) == len(CASES)
    assert len(CASES) + len(ARCHIVES) >= 420


def test_a_row_whose_model_is_not_in_the_package_is_shown_without_it(tmp_path: Path) -> None:
    path = tmp_path / "x.nav"
    path.write_bytes(told(files={name: data for name, data in FILES.items() if name != "onnx/model.onnx"}))
    row = read_told(path).record.results[1]
    assert row.path is None
    assert row.notes == (f"{NOT_HERE}: onnx/model.onnx",)


def test_names_of_tensors_may_hold_what_frameworks_put_there(tmp_path: Path) -> None:
    path = tmp_path / "x.nav"
    path.write_bytes(told(put("output_metadata", 0, "name")("/encoder/Gemm_output_0:0")))
    samples = read_told(path).record.samples
    assert samples is not None
    assert samples.signature.output_names == ("/encoder/Gemm_output_0:0",)
