"""Any names become distinct keys that TensorFlow leaves alone, and plain names stay as they are."""

from __future__ import annotations

import re

from hypothesis import given, strategies as st

from nav_tf.keys import safe_keys


@given(st.lists(st.text(max_size=8), unique=True, max_size=6))
def test_keys_are_plain_and_distinct(names: list[str]) -> None:
    keys = safe_keys(names)
    assert len(set(keys)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", key) for key in keys)


@given(st.lists(st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,6}", fullmatch=True), unique=True, max_size=6))
def test_keys_of_keys_are_themselves(names: list[str]) -> None:
    keys = safe_keys(names)
    assert safe_keys(keys) == keys


def test_only_what_is_not_plain_changes() -> None:
    assert safe_keys(("x", "input.ids", "input_ids", "2b", "class", "ü")) == (
        "x", "input_ids_", "input_ids", "tensor_2b", "tensor_class", "tensor",
    )  # fmt: skip
