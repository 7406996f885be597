"""A result file is complete and untouched, or it is no result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from navcore.errors import InputError
from navcore.execution.isolation.result_file import (
    ResultWatch,
    read_request,
    read_result,
    read_written,
    write_request,
    write_result,
)

_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_results = st.dictionaries(st.text(), _plain, max_size=5)
# tmp_path is shared by all examples, which is fine: each one overwrites the file.
_same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)


@_same_folder
@given(result=_results)
def test_any_plain_data_comes_back_as_it_was(tmp_path: Path, result: dict[str, Any]) -> None:
    write_result(tmp_path, result, done=True)

    assert read_result(tmp_path) == result


@_same_folder
@given(data=st.data(), result=_results)
def test_a_torn_file_is_no_result(tmp_path: Path, data: st.DataObject, result: dict[str, Any]) -> None:
    write_result(tmp_path, result)
    content = (tmp_path / "result.json").read_bytes()
    (tmp_path / "result.json").write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])

    assert read_result(tmp_path) is None


@_same_folder
@given(data=st.data(), result=_results)
def test_a_changed_byte_is_no_result(tmp_path: Path, data: st.DataObject, result: dict[str, Any]) -> None:
    write_result(tmp_path, result)
    content = bytearray((tmp_path / "result.json").read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    (tmp_path / "result.json").write_bytes(content)

    assert read_result(tmp_path) is None


def test_the_file_is_json_for_whoever_looks_at_it(tmp_path: Path) -> None:
    write_result(tmp_path, {"answer": 42}, done=True)

    said = json.loads((tmp_path / "result.json").read_text())
    assert (said["done"], said["result"]) == (True, {"answer": 42})


def test_progress_is_not_the_final_result(tmp_path: Path) -> None:
    watch = ResultWatch(tmp_path)
    seen = [watch.is_done()]
    for done in (False, True):
        write_result(tmp_path, {"windows": 3}, done=done)
        seen.append(watch.is_done())
        written = read_written(tmp_path)
        assert written is not None
        assert written.done is done

    assert seen == [False, False, True]


def test_a_result_that_is_no_plain_data_leaves_the_last_one_alone(tmp_path: Path) -> None:
    write_result(tmp_path, {"windows": 1})

    with pytest.raises(TypeError, match="not JSON serializable"):
        write_result(tmp_path, {"path": tmp_path})
    assert read_result(tmp_path) == {"windows": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_no_file_is_no_result(tmp_path: Path) -> None:
    assert read_result(tmp_path) is None
    assert read_result(tmp_path / "not there") is None


def test_a_request_comes_back_as_it_was(tmp_path: Path) -> None:
    assert read_request(write_request(tmp_path, {"do": ["this", 1.5, None]})) == {"do": ["this", 1.5, None]}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_a_file_that_is_no_request_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "request.json").write_bytes(content)

    with pytest.raises(InputError, match=r"request\.json"):
        read_request(tmp_path / "request.json")
