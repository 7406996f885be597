"""Keys are equal where the recipe is equal, and differ where anything in it differs."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, strategies as st

from navcore.contract.routes import Route
from navcore.workspace.digests import digest, digest_of_file, digest_of_state, versions_behind

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), plain, max_size=4))
def test_the_order_of_a_mapping_does_not_matter(data: dict[str, Any]) -> None:
    assert digest(data) == digest(dict(reversed(data.items())))
    assert len(digest(data)) == 64


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b"), ("ab",)),
        (("a", "b"), ("b", "a")),
        ((1,), (1.0,)),
        ((1,), ("1",)),
        ((True,), (1,)),
        ((None,), ("null",)),
        (([],), ({},)),
        ((["a"], "b"), (["a", "b"],)),
    ],
)
def test_different_recipes_have_different_keys(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert digest(*one) != digest(*other)


def test_what_is_not_plain_is_refused_rather_than_guessed() -> None:
    with pytest.raises(TypeError):
        digest(object())


def test_a_file_is_its_bytes_whatever_its_name(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"weights")
    other.write_bytes(b"weights")
    assert digest_of_file(one) == digest_of_file(other)
    other.write_bytes(b"Weights")
    assert digest_of_file(one) != digest_of_file(other)


def _folder(path: Path, files: dict[bytes, bytes]) -> Path:
    for name, content in files.items():
        file = Path(os.fsdecode(os.path.join(os.fsencode(path), name)))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path


def test_a_folder_is_its_files_and_their_names(tmp_path: Path) -> None:
    files = {b"a": b"1", b"b/c": b"2"}
    one = _folder(tmp_path / "one", files)
    assert digest_of_file(one) == digest_of_file(_folder(tmp_path / "two", dict(reversed(files.items()))))
    for number, changed in enumerate(
        [{b"a": b"2", b"b/c": b"1"}, {b"a": b"1", b"b/d": b"2"}, {b"a": b"1", b"b-c": b"2"}]
    ):
        assert digest_of_file(one) != digest_of_file(_folder(tmp_path / f"changed{number}", changed))
    assert digest_of_file(_folder(tmp_path / "odd", {b"caf\xe9": b"1"})), "names on disk need not be UTF-8"


def _state(*arrays: np.ndarray) -> str:
    return digest_of_state((f"w{number}", array) for number, array in enumerate(arrays))


@pytest.mark.parametrize(
    "dtype",
    ["float32", "float64", "float16", "int8", "uint64", "bool", "complex64", ml_dtypes.bfloat16, ml_dtypes.int4],
)
def test_weights_of_any_number_type(dtype: Any) -> None:
    ones = np.ones((2, 3), dtype=dtype)
    zeros = np.zeros((2, 3), dtype=dtype)
    assert _state(ones) == _state(ones.copy())
    assert len({_state(ones), _state(zeros), _state(ones.reshape(3, 2)), _state(ones, zeros), _state(zeros, ones)}) == 5


def test_weights_are_compared_by_value_not_by_layout() -> None:
    array = np.arange(6.0).reshape(2, 3)
    assert _state(array) == _state(np.asfortranarray(array)) == _state(array[:, ::-1][:, ::-1])
    assert _state(array) != _state(array.T)
    assert _state(np.asarray(3.0)) != _state(np.asarray(4.0))
    assert _state(np.zeros((0, 3))) != _state(np.zeros((3, 0)))


def test_weights_have_names() -> None:
    array = np.ones(1)
    assert digest_of_state([("a", array)]) != digest_of_state([("b", array)])
    assert digest_of_state([]) != digest_of_state([("a", array)])


def test_the_versions_behind_a_route_are_its_plugins_and_those_of_its_requirements() -> None:
    behind = versions_behind(Route(hook="convert", distribution="navcore", version="9.9"))
    assert behind["navcore"] == "9.9"
    assert behind["python"] == platform.python_version()
    assert behind["numpy"] == version("numpy")
    assert behind["ml_dtypes"] == version("ml_dtypes")
    assert "onnx" not in behind, "what the plugin does not require is not behind it"


def test_a_plugin_without_a_distribution_has_only_its_own_version() -> None:
    behind = versions_behind(Route(hook="convert", distribution="NAVCORE_EXTRA_PLUGINS"))
    assert behind == {"NAVCORE_EXTRA_PLUGINS": "", "python": platform.python_version()}
