"""What a declared type means, in each of its spellings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from nav_torch import TensorType, as_tensor_type
from navcore import InputError

AXES = st.lists(st.one_of(st.none(), st.integers(0, 99), st.sampled_from(["batch", "time", "x_1"])), min_size=1)


@given(AXES)
def test_a_type_a_tuple_and_text_say_the_same(axes: list[Any]) -> None:
    wanted = TensorType(*axes)
    assert as_tensor_type(wanted) is wanted
    assert as_tensor_type(tuple(axes)) == wanted
    assert as_tensor_type(" ".join("?" if axis is None else str(axis) for axis in axes)) == wanted


@pytest.mark.parametrize("dtype", ["int64", torch.int64, np.int64, np.dtype("int64"), "torch.int64"])
def test_a_dtype_in_any_spelling(dtype: Any) -> None:
    assert TensorType("batch", dtype=dtype).dtype == "int64"


def test_a_type_is_a_value() -> None:
    assert TensorType("batch", 80) == TensorType("batch", 80)
    assert len({TensorType("batch", 80), TensorType("batch", 80), TensorType("batch", None)}) == 2
    with pytest.raises(AttributeError):
        TensorType("batch").axes = ()  # type: ignore[misc]


def test_nested_types() -> None:
    state = TensorType(2, "batch", 6)
    assert as_tensor_type((state, "2 batch 6")) == (state, state)
    assert as_tensor_type([("batch", 3), [state, state]]) == (TensorType("batch", 3), state, state)


def test_types_of_nemo_share_the_batch_and_nothing_else() -> None:
    def kinds(*names: str) -> Any:
        return SimpleNamespace(axes=[SimpleNamespace(kind=SimpleNamespace(name=name)) for name in names], optional=True)

    assert as_tensor_type(kinds("Batch", "Dimension", "Time"), "audio") == TensorType(
        "batch", None, "audio_time", optional=True
    )
    assert as_tensor_type(kinds("Batch", "Time", "Time", "Sequence"), "y") == TensorType(
        "batch", "y_time", "y_time_", None, optional=True
    )
    silent = as_tensor_type(SimpleNamespace(axes=()))
    assert isinstance(silent, TensorType)
    assert silent.axes is None


@pytest.mark.parametrize("axis", ["two words", "", "1st", -1, 2.5, True])
def test_what_is_no_axis_is_refused(axis: Any) -> None:
    with pytest.raises(InputError, match="An axis of a TensorType is"):
        TensorType("batch", axis)


def test_what_is_no_type_is_refused() -> None:
    with pytest.raises(InputError, match="The type of 'x' is a float"):
        as_tensor_type(1.5, "x")
