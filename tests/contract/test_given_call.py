"""The tensors of a call are found by the template that the call once gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from navcore.contract import fill_call, flatten_call, read_call

TENSOR = st.builds(lambda number: np.full((1,), number), st.integers(0, 99))
VALUE = st.recursive(
    st.one_of(TENSOR, st.integers(0, 3), st.none(), st.text(max_size=2)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=6,
)


def is_tensor(value: Any) -> bool:
    return isinstance(value, np.ndarray)


@given(
    st.one_of(
        st.lists(VALUE, min_size=1, max_size=3).map(lambda rest: [np.zeros(1), *rest]),
        st.dictionaries(st.sampled_from("uvw"), VALUE, max_size=3).map(lambda rest: {"x": np.zeros(1), **rest}),
    )
)
def test_it_is_the_opposite_of_filling(item: Any) -> None:
    call, leaves = flatten_call(item, is_tensor)
    args, kwargs = fill_call(call, dict(leaves))
    found = read_call(call, args, kwargs, is_tensor)
    assert list(found) == [name for name, _ in leaves]
    assert all(found[name] is leaf for name, leaf in leaves)


ITEM: Mapping[str, Any] = {"x": np.zeros(1), "mask": np.ones(1), "scale": 2.0}
CALL, _ = flatten_call(ITEM, is_tensor)
X, MASK = ITEM["x"], ITEM["mask"]
PARAMETERS = ("x", "scale", "mask")


def test_positions_and_names_are_exchanged_by_the_parameters() -> None:
    assert read_call(CALL, [X], {"mask": MASK}, is_tensor, PARAMETERS) == {"x": X, "mask": MASK}
    assert read_call(CALL, [X, 2.0, MASK], {}, is_tensor, PARAMETERS) == {"x": X, "mask": MASK}
    by_position, _ = flatten_call([X, MASK], is_tensor)
    found = read_call(by_position, [X], {"mask": MASK}, is_tensor, ("x", "mask"))
    assert found == {"input__0": X, "input__1": MASK}


@pytest.mark.parametrize(
    ("args", "kwargs", "told"),
    [
        ([], {"x": X}, "argument 'mask' is missing"),
        ([X], {"mask": MASK}, "argument 'x' is missing"),  # without parameters nobody knows what a position is
        ([], {"x": X, "mask": MASK, "scale": 3.0}, "argument 'scale' is 3.0, and was 2.0 when"),
        ([], {"x": X, "mask": MASK, "other": 1}, "argument 'other' was not there when"),
        ([], {"x": [X], "mask": MASK}, "argument 'x' is a list, and has to be a tensor"),
        ([], {"x": X, "mask": MASK, "scale": True}, "argument 'scale' is True, and was 2.0"),
    ],
)
def test_what_does_not_fit_is_named(args: list[Any], kwargs: dict[str, Any], told: str) -> None:
    with pytest.raises(TypeError, match=told):
        read_call(CALL, args, kwargs, is_tensor)


def test_an_argument_is_given_once_and_nothing_more_may_be_none() -> None:
    with pytest.raises(TypeError, match="argument 'x' is given twice"):
        read_call(CALL, [X], {"x": X, "mask": MASK}, is_tensor, PARAMETERS)
    assert set(read_call(CALL, [], {"x": X, "mask": MASK, "other": None}, is_tensor)) == {"x", "mask"}


def test_structures_have_to_be_of_the_same_shape() -> None:
    call, _ = flatten_call([{"a": X, "b": [X, MASK]}], is_tensor)
    assert len(read_call(call, [{"a": X, "b": (X, MASK)}], {}, is_tensor)) == 3
    with pytest.raises(TypeError, match=r"argument 1\['b'\] has to be a sequence of 2"):
        read_call(call, [{"a": X, "b": [X]}], {}, is_tensor)
    with pytest.raises(TypeError, match="argument 1 has to be a mapping with a, b"):
        read_call(call, [{"a": X}], {}, is_tensor)
