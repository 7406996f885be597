"""Which names may stand in a package, alone and together."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given, strategies as st

from navcore.errors import PackageError
from navcore.package.archive.safe_names import LONGEST_NAME, refuse_unsafe_name, refuse_unsafe_names


@pytest.mark.parametrize(
    "name",
    [
        "status.yaml",
        "trt-fp16/model.plan",
        "a b/c+d=e@f.txt",
        ".hidden",
        "x" * 255,
        "größe/模型.onnx",
        "console",
        "com10",
    ],
)
def test_ordinary_names_pass(name: str) -> None:
    refuse_unsafe_name(name)


def test_a_name_is_measured_in_bytes() -> None:
    longest = "/".join(["é" * 100] * 5) + "/" + "x" * (LONGEST_NAME - 1005)
    assert len(longest.encode()) == LONGEST_NAME
    refuse_unsafe_name(longest)
    with pytest.raises(PackageError, match="longer than") as caught:
        refuse_unsafe_name(longest + "x")
    assert caught.value.code == "name-too-long"


def test_a_folder_may_hold_many_files_and_equal_names_may_stand_in_different_folders() -> None:
    refuse_unsafe_names(["a/model", "b/model", "a/config", "a/c/model", "c"])


def test_a_clash_names_both() -> None:
    with pytest.raises(PackageError, match="'Weights' and 'weights'") as caught:
        refuse_unsafe_names(["Weights/a", "weights/b"])
    assert caught.value.code == "name-clash"


@given(st.text())
def test_what_passes_is_one_plain_relative_path_on_every_system(name: str) -> None:
    try:
        refuse_unsafe_name(name)
    except PackageError:
        return
    assert "/".join(PurePosixPath(name).parts) == name
    windows = PureWindowsPath(name)
    assert not windows.drive
    assert not windows.root
    assert windows.parts == PurePosixPath(name).parts
    assert unicodedata.normalize("NFC", name) == name


@given(st.lists(st.sampled_from(["a", "A", "b", "a/b", "A/c", "b/a", "b/a/c"]), max_size=4))
def test_what_passes_together_is_distinct_when_case_is_ignored(names: list[str]) -> None:
    folded = [name.lower() for name in names]
    folders = {name[: len(folder)] for name in names for folder in folded if name.lower().startswith(folder + "/")}
    spellings = {name[:1] for name in names if "/" in name}
    good = len(set(folded)) == len(folded) and not folders and len({s.lower() for s in spellings}) == len(spellings)
    try:
        refuse_unsafe_names(names)
    except PackageError:
        assert not good
    else:
        assert good
