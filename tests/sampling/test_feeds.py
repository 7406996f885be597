"""An item of a dataset becomes the inputs of a call, whatever else it holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from navcore.errors import InputError
from navcore.sampling.feeds import feeds_of

X, MASK = np.zeros((2, 3), np.float32), np.ones((2, 3), np.int64)
LABEL = np.array([1, 0])


def read(item: Any, *names: str) -> dict[str, Any]:
    return feeds_of(item, 7, names, lambda value: value if isinstance(value, np.ndarray) else None)


@pytest.mark.parametrize(
    "item",
    [
        X,
        (X,),
        [X],
        {"x": X},
        {"x": X, "label": LABEL},
        {"x": X, "label": "cat"},
        {"label": LABEL, "x": X},
        (X, LABEL),
        (X, "cat"),
        (X, 3, {"id": "a"}),
        ({"x": X}, LABEL),
        ({"x": X, "file": "a.png"}, "cat"),
    ],
    ids=lambda item: str(type(item).__name__),
)
def test_what_the_model_does_not_take_is_the_metrics(item: Any) -> None:
    feeds = read(item, "x")
    assert list(feeds) == ["x"]
    np.testing.assert_array_equal(feeds["x"], X)


@pytest.mark.parametrize(
    "item", [(X, MASK), (X, MASK, LABEL), {"mask": MASK, "x": X}, ({"mask": MASK, "x": X}, LABEL), {"a": X, "b": MASK}]
)
def test_two_inputs_are_told_by_name_or_by_position(item: Any) -> None:
    feeds = read(item, "x", "mask")
    np.testing.assert_array_equal(feeds["x"], X)
    np.testing.assert_array_equal(feeds["mask"], MASK)


def test_a_structure_is_found_by_the_names_of_its_parts() -> None:
    item = {"batch": {"x": X, "mask": MASK}, "label": "cat"}
    assert set(read(item, "batch__x", "batch__mask")) == {"batch__x", "batch__mask"}


def test_a_label_does_not_stand_in_for_an_input_that_is_missing() -> None:
    with pytest.raises(InputError, match=r"Item 7 holds 2 tensors, and the model takes x, mask\."):
        read({"x": X, "label": LABEL}, "x", "mask")


def test_too_few_are_refused() -> None:
    with pytest.raises(InputError, match=r"Item 7 holds 1 tensors, and the model takes x, mask\."):
        read((X,), "x", "mask")


def test_an_item_without_any_tensor_is_told_as_such() -> None:
    with pytest.raises(InputError, match="holds no tensor: it is a str"):
        read("nothing", "x")
