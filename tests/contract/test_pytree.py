"""Nested calls and results become flat, named tensors and come back as they were."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given, strategies as st

from navcore.contract.pytree import fill_call, flatten_call, flatten_result, rename_tensors
from navcore.errors import DataloaderError, SourceError


class Tensor:
    """Stands for a framework's tensor: told apart by identity alone."""


def is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


keys = st.text("abcdefgh", min_size=1, max_size=6)
constants = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=4)
leaves = st.builds(Tensor) | constants


def structures(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    mappings = st.dictionaries(keys, inner, max_size=3) | st.dictionaries(st.integers(0, 9), inner, max_size=3)
    return mappings | st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple)


nested = st.recursive(leaves, structures, max_leaves=8)
# Top-level names are unique, so that no path of one can be the path of another.
mappings = st.dictionaries(keys, nested, min_size=1, max_size=4).map(lambda item: {**item, "last": Tensor()})
tuples = st.lists(nested, max_size=4).map(lambda item: (*item, Tensor()))


@given(mappings)
def test_a_mapping_comes_back_as_keywords(item: dict[str, Any]) -> None:
    call, tensors = flatten_call(item, is_tensor)
    args, kwargs = fill_call(call, dict(tensors))
    assert args == []
    assert kwargs == item
    assert list(kwargs) == list(item)


@given(tuples)
def test_a_sequence_comes_back_as_positions(item: tuple[Any, ...]) -> None:
    call, tensors = flatten_call(item, is_tensor)
    args, kwargs = fill_call(call, dict(tensors))
    assert tuple(args) == item
    assert kwargs == {}


@given(mappings | tuples)
def test_names_are_unique_and_hold_after_a_way_through_json(item: Any) -> None:
    call, tensors = flatten_call(item, is_tensor)
    assert len(dict(tensors)) == len(tensors)
    assert fill_call(json.loads(json.dumps(call)), dict(tensors)) == fill_call(call, dict(tensors))


@given(mappings | tuples)
def test_renaming_changes_the_names_and_nothing_else(item: Any) -> None:
    call, tensors = flatten_call(item, is_tensor)
    names = {name: f"new {name}" for name, _ in tensors}
    renamed = {names[name]: tensor for name, tensor in tensors}
    assert fill_call(rename_tensors(call, names), renamed) == fill_call(call, dict(tensors))


def test_two_names_can_be_swapped() -> None:
    first, second = Tensor(), Tensor()
    call, _ = flatten_call({"a": first, "b": second}, is_tensor)
    swapped = rename_tensors(call, {"a": "b", "b": "a"})
    assert fill_call(swapped, {"b": first, "a": second}) == ([], {"a": first, "b": second})


@pytest.mark.parametrize(
    ("item", "names"),
    [
        (Tensor(), ["input__0"]),
        ([Tensor(), Tensor()], ["input__0", "input__1"]),
        ((Tensor(), (Tensor(), [Tensor()])), ["input__0", "input__1__0", "input__1__1__0"]),
        ({"ids": Tensor(), "cache": [(Tensor(), Tensor())]}, ["ids", "cache__0__0", "cache__0__1"]),
        (OrderedDict(z=Tensor(), a=Tensor()), ["z", "a"]),
        ({"state": {0: Tensor(), 1: Tensor()}, "flag": True}, ["state__0", "state__1"]),
    ],
)
def test_names_are_keys_or_numbered(item: Any, names: list[str]) -> None:
    assert [name for name, _ in flatten_call(item, is_tensor)[1]] == names


def test_constants_stay_in_the_call() -> None:
    tensor = Tensor()
    call, _ = flatten_call({"x": tensor, "use_cache": False, "scale": 0.5, "mode": "fast", "past": None}, is_tensor)
    _, kwargs = fill_call(call, {"x": tensor})
    assert kwargs == {"x": tensor, "use_cache": False, "scale": 0.5, "mode": "fast", "past": None}


@pytest.mark.parametrize("item", [None, 3, "text", [], {}, (1, "a"), {"a": None}])
def test_an_item_without_a_tensor_is_refused(item: Any) -> None:
    with pytest.raises(DataloaderError, match="holds no tensor"):
        flatten_call(item, is_tensor)


def test_a_value_that_is_neither_tensor_nor_constant_is_named_by_its_path() -> None:
    with pytest.raises(DataloaderError, match=r"'options__1' is a complex"):
        flatten_call({"x": Tensor(), "options": [1, 2j]}, is_tensor)


def test_a_nested_key_that_cannot_travel_as_data_is_refused() -> None:
    with pytest.raises(DataloaderError, match="key of type tuple"):
        flatten_call({"x": {(0, 1): Tensor()}}, is_tensor)


@pytest.mark.parametrize("item", [{"a__0": Tensor(), "a": [Tensor()]}, {"a": {1: Tensor(), "1": Tensor()}}])
def test_two_tensors_under_one_name_are_refused(item: Any) -> None:
    with pytest.raises(DataloaderError, match=r"one name, 'a__[01]'"):
        flatten_call(item, is_tensor)


@pytest.mark.parametrize(
    ("result", "names"),
    [
        (Tensor(), ["output__0"]),
        ((Tensor(), None, Tensor()), ["output__0", "output__2"]),
        ([Tensor(), [Tensor()]], ["output__0", "output__1__0"]),
        ({"logits": Tensor(), "past": ((Tensor(), Tensor()),)}, ["logits", "past__0__0", "past__0__1"]),
        ({"loss": 0.5, "logits": Tensor()}, ["logits"]),
        ([{"boxes": Tensor()}, {"boxes": Tensor()}], ["output__0__boxes", "output__1__boxes"]),
        (None, []),
        ("text", []),
    ],
)
def test_results_are_flattened_in_order(result: Any, names: list[str]) -> None:
    assert [name for name, _ in flatten_result(result, is_tensor)] == names


def test_results_under_one_name_are_refused() -> None:
    with pytest.raises(SourceError, match="one name, 'a__0'"):
        flatten_result({"a": (Tensor(),), "a__0": Tensor()}, is_tensor)
