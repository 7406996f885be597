"""One pass over the dataloader: each way in which it can be wrong has its own sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from navcore.errors import DataloaderError, InputError, OptionError
from navcore.sampling.first_pass import observe
from navcore.sampling.settings import SamplingSettings

Array = np.ndarray[Any, Any]


def to_array(value: Any) -> Array | None:
    return value if isinstance(value, np.ndarray) else None


def x(*shape: int, dtype: str = "float32") -> Array:
    return np.zeros(shape, dtype)


class Loader:
    """Says one length and gives other items."""

    def __init__(self, length: int, items: list[Any]) -> None:
        self.length, self.items = length, items

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Any]:
        yield from self.items


class Sized:
    def __len__(self) -> int:
        return 3


class Unsized(Loader):
    def __len__(self) -> int:
        raise TypeError("this dataset is a stream")


class Broken(Loader):
    def __iter__(self) -> Iterator[Any]:
        yield self.items[0]
        raise OSError("disk on fire\nsecond line")


@pytest.mark.parametrize(
    ("dataloader", "sentence"),
    [
        ((x(1) for _ in range(3)), r"a generator, has no len\(\)"),
        (Unsized(3, [x(1)]), r"has no len\(\)"),
        (Sized(), "cannot be iterated"),
        ([], "is empty"),
        (set("ab"), r"The dataloader is a set, which has no order: .* Pass a list\."),
        (frozenset("ab"), "is a frozenset"),
        (np.zeros((4, 2, 5)), r"The dataloader is one tensor, of shape \(4, 2, 5\)\. Pass a list of items"),
        (Loader(3, [x(1), x(1)]), "ended after 2 of 3 items"),
        (Broken(3, [x(1)]), "failed at item 1: OSError: disk on fire"),
        ([{"a": x(1)}, {"b": x(1)}], "Item 1 of the dataloader holds b where item 0 holds a"),
        ([{"a": x(1)}, {"a": x(1), "b": x(1)}], "holds a, b where item 0 holds a"),
        ([(x(1), x(1)), (x(1),)], "holds input__0 where item 0 holds input__0, input__1"),
        ([{"a": x(1)}, {"a": x(1, dtype="float64")}], "holds 'a' as float64 where item 0 holds float32"),
        ([x(1, 2), x(1, 2), x(2)], "Item 2 of the dataloader holds 'input__0' with 1 axes where item 0 has 2"),
        ([{"a": x(1), "flag": True}, {"a": x(1), "flag": False}], "holds False at 'flag' where item 0 holds True"),
        (
            [(x(1), [2, "a"]), (x(1), [2, "b"])],
            "Item 1 of the dataloader holds 'b' at 'input__1__1' where item 0 holds 'a'",
        ),
        ([{"a": [x(1)]}, {"a": (x(1),)}], "nests its tensors"),
        ([np.array(["text"])], "dtype <U4, which is not numeric"),
        ([np.array([object()])], "dtype object, which is not numeric"),
        ([np.array(["2020-01-01"], "datetime64[D]")], "dtype datetime64"),
        (["text"], "holds no tensor"),
        ([{"a": {1, 2}}], "is a set, neither a tensor nor a constant"),
    ],
)
def test_a_dataloader_that_cannot_be_used(dataloader: Any, sentence: str) -> None:
    with pytest.raises(DataloaderError, match=sentence):
        observe(dataloader, SamplingSettings(), to_array)


def test_a_tensor_that_cannot_be_read_is_told_with_its_item() -> None:
    def failing(value: Any) -> Array | None:
        raise RuntimeError("tensor is on another planet")

    with pytest.raises(DataloaderError, match="Item 0 of the dataloader cannot be read: RuntimeError: tensor is on"):
        observe([x(1)], SamplingSettings(), failing)


def test_more_items_than_the_length_are_ignored_and_told() -> None:
    seen = observe(Loader(2, [x(1, 2), x(1, 3), x(1, 99)]), SamplingSettings(), to_array)
    assert len(seen) == 2
    assert seen.sizes("input__0", 1) == (2, 3)
    assert "more items than its len() of 2" in seen.notes[0]


def test_the_items_of_a_mapping_go_by_key_not_by_position() -> None:
    seen = observe([{"a": x(1, 2), "b": x(1, 3)}, {"b": x(1, 5), "a": x(1, 4)}], SamplingSettings(), to_array)
    assert seen.names == ("a", "b")
    assert seen.sizes("a", 1) == (2, 4)
    assert seen.sizes("b", 1) == (3, 5)


def test_constants_that_are_equal_are_one_call_also_nan() -> None:
    items = [{"a": x(1), "scale": float("nan")}, {"scale": float("nan"), "a": x(1)}]
    assert len(observe(items, SamplingSettings(), to_array)) == 2


def test_a_tensor_is_converted_once_per_pass() -> None:
    converted: list[int] = []

    def counting(value: Any) -> Array | None:
        if isinstance(value, np.ndarray):
            converted.append(id(value))
        return to_array(value)

    observe([x(1)], SamplingSettings(), counting)
    assert len(converted) == 1


def test_input_names_are_given_in_order_and_keep_the_keywords() -> None:
    seen = observe([{"a": x(1), "b": x(1)}], SamplingSettings(input_names=("left", "right")), to_array)
    assert seen.names == ("left", "right")
    assert seen.call["kwargs"] == [["a", {"tensor": "left"}], ["b", {"tensor": "right"}]]


@pytest.mark.parametrize(
    ("item", "asked", "names"),
    [
        ((x(1), x(1)), {}, ("left", "right")),
        ({"a": x(1), "b": x(1)}, {}, ("a", "b")),
        ((x(1), x(1)), {"input_names": ("a", "b")}, ("a", "b")),
    ],
)
def test_the_model_s_own_names_are_for_items_that_have_none(item: Any, asked: Any, names: tuple[str, ...]) -> None:
    request = SamplingSettings(positional_names=("left", "right"), **asked)
    assert observe([item], request, to_array).names == names


@pytest.mark.parametrize("names", [("only",), ("a", "b", "c")])
def test_too_few_or_too_many_input_names_list_both_sides(names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=rf"{', '.join(names)}.*input__0, input__1"):
        observe([(x(1), x(1))], SamplingSettings(input_names=names), to_array)


def test_one_name_as_text_is_one_name() -> None:
    assert SamplingSettings(input_names="input").input_names == ("input",)


def test_the_byte_order_of_an_array_does_not_show() -> None:
    seen = observe([x(1, dtype=">f4"), x(1, dtype="<f4")], SamplingSettings(), to_array)
    assert seen.dtypes == ("float32",)


@pytest.mark.parametrize(
    "asked", [{"sample_count": 0}, {"batch_sizes": (0,)}, {"input_names": ("a", "a")}, {"output_names": ("b", "b")}]
)
def test_a_request_that_means_nothing_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        SamplingSettings(**asked)
