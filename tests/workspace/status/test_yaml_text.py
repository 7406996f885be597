"""Plain YAML: any text and number survives, also in readers that follow YAML 1.2."""

from __future__ import annotations

import enum
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings, strategies as st

from navcore.workspace.status.yaml_reading import from_yaml
from navcore.workspace.status.yaml_text import plain, spelled, to_yaml, unspelled

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
)


@settings(deadline=None)
@given(st.dictionaries(texts, values))
def test_plain_data_comes_back(data: dict[str, Any]) -> None:
    text = to_yaml(data)
    assert from_yaml(text) == data
    assert yaml.safe_load(text) == data


@settings(deadline=None)
@given(st.text())
def test_any_text_can_be_written(text: str) -> None:
    content = to_yaml({"text": text}).encode()
    assert from_yaml(content.decode()) == {"text": text.encode("utf-8", "backslashreplace").decode()}


@pytest.mark.parametrize("text", ["1e5", "0o17", "2026-01-02", "2026-01-02T03:04:05", "1.5", "no", "null", "=", "<<"])
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    assert from_yaml(to_yaml({"text": text})) == {"text": text}


@pytest.mark.parametrize("text", ["1e5", "0o17", "0x1F", "12e34", ".5"])
def test_text_that_another_reader_takes_for_a_number_is_quoted(text: str) -> None:
    assert to_yaml({"text": text}) == f"text: '{text}'\n"


def test_dates_are_the_text_that_they_are() -> None:
    assert from_yaml("when: 2022-06-15T12:00:00.123456\n") == {"when": "2022-06-15T12:00:00.123456"}


def test_a_value_that_stands_twice_is_written_twice() -> None:
    shared = {"a": [1]}
    assert to_yaml({"x": shared, "y": shared}).count("- 1") == 2


def test_files_of_others_may_use_aliases() -> None:
    assert from_yaml("x: &x [1, 2]\ny: *x\n") == {"x": [1, 2], "y": [1, 2]}


def test_odd_values_become_plain_ones() -> None:
    class Colour(enum.Enum):
        RED = "red"

    assert plain({1: (Path("a/b"), Colour.RED, np.int64(3), np.float32(0.5), np.bool_(True), {2, 1})}) == {
        "1": ["a/b", "red", 3, 0.5, True, [1, 2]]
    }
    assert plain({"scales": np.arange(4, dtype=np.float32).reshape(2, 2)}) == {"scales": [[0, 1], [2, 3]]}
    assert plain([math.inf, -math.inf, math.nan]) == ["inf", "-inf", "nan"]


def test_numbers_beyond_all_numbers_survive_in_free_form_values() -> None:
    value = {"fill": -math.inf, "parts": [math.inf, "inf", {"float": "other"}]}
    assert unspelled(from_yaml(to_yaml({"value": spelled(value)}))["value"]) == value
