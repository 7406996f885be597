"""Sizes seen in the data become symbols and ranges; what the user says wins, unless the data contradict it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from navcore.contract.signature import Axis
from navcore.errors import DataloaderError, OptionError
from navcore.sampling.first_pass import observe
from navcore.sampling.input_axes import InputAxes, infer_inputs, symbol_sizes
from navcore.sampling.settings import SamplingSettings

Array = np.ndarray[Any, Any]
Shapes = dict[str, tuple[int, ...]]


def infer(items: Sequence[Shapes], **asked: Any) -> InputAxes:
    request = SamplingSettings(**asked)
    arrays = [{name: np.zeros(shape, "float32") for name, shape in item.items()} for item in items]
    return infer_inputs(observe(arrays, request, lambda v: v if isinstance(v, np.ndarray) else None), request)


def shapes(found: InputAxes) -> dict[str, tuple[int | str, ...]]:
    return {spec.name: spec.shape for spec in found.signature.inputs}


@pytest.mark.parametrize(
    ("sizes", "usual"), [((1, 1, 1, 4, 8), 1), ((8, 8, 3, 4, 4, 5), 4), ((7, 9, 9), 9), ((6, 2), 2)]
)
def test_the_usual_batch_is_the_most_frequent_one_and_of_several_the_smallest(sizes: Any, usual: int) -> None:
    found = infer([{"x": (size, 3)} for size in sizes])
    assert found.usual_batch == usual
    assert found.signature.axes[0].typical == int(np.median(sizes))
    assert infer([{"x": (size, 3)} for size in sizes], batch_dim=None).usual_batch is None


def test_the_axes_of_a_text_model() -> None:
    found = infer([{"ids": (4, n), "mask": (4, n)} for n in (7, 3, 9)])
    assert shapes(found) == {"ids": ("batch", "ids_dim1"), "mask": ("batch", "ids_dim1")}
    assert found.signature.axes == (Axis("batch", 1, 4, 4), Axis("ids_dim1", 3, 7, 9))
    assert found.batch_size == 4
    assert found.notes == ()


def test_an_axis_that_does_not_vary_is_fixed_but_the_batch_axis_always_moves() -> None:
    found = infer([{"x": (1, 3, 8)}, {"x": (1, 3, 8)}])
    assert shapes(found) == {"x": ("batch", 3, 8)}
    assert found.signature.axes == (Axis("batch", 1, 1, 2),)


def test_a_model_that_does_not_batch_has_no_batch_axis() -> None:
    found = infer([{"x": (2, 3)}, {"x": (5, 3)}], batch_dim=None)
    assert shapes(found) == {"x": ("x_dim0", 3)}
    assert found.batch_size == 1


@pytest.mark.parametrize(("batch_dim", "shape"), [(1, ("x_dim0", "batch")), (-1, ("x_dim0", "batch"))])
def test_the_batch_may_lie_along_another_axis(batch_dim: int, shape: tuple[str, ...]) -> None:
    assert shapes(infer([{"x": (2, 4)}, {"x": (3, 4)}], batch_dim=batch_dim)) == {"x": shape}


def test_an_input_of_another_size_along_the_batch_has_no_batch_axis() -> None:
    found = infer([{"x": (4, 3), "table": (7, 2), "scale": ()}, {"x": (2, 3), "table": (7, 2), "scale": ()}])
    assert shapes(found) == {"x": ("batch", 3), "table": (7, 2), "scale": ()}


def test_a_scalar_may_be_the_first_input() -> None:
    assert shapes(infer([{"scale": (), "x": (4, 3)}])) == {"scale": (), "x": ("batch", 3)}


def test_the_batch_of_one_input_may_lie_along_an_axis_of_its_own() -> None:
    items = [{"x": (n, 5), "state": (2, n, 8)} for n in (2, 4)]
    found = infer(items, dynamic_axes={"x": {0: "batch"}, "state": {1: "batch"}})
    assert shapes(found) == {"x": ("batch", 5), "state": (2, "batch", 8)}
    found = infer(items, dynamic_axes={"state": {1: "batch"}})
    assert shapes(found) == {"x": ("batch", 5), "state": (2, "batch", 8)}
    found = infer(items, dynamic_axes={"x": {0: "n"}, "state": {1: "n"}})
    assert shapes(found) == {"x": ("n", 5), "state": (2, "n", 8)}


def test_an_axis_that_is_called_the_batch_has_its_size() -> None:
    with pytest.raises(
        OptionError, match=r"axis 1 of 'state' the batch axis, and it has sizes 3, 3 where axis 0 of 'x'"
    ):
        infer([{"x": (n, 5), "state": (2, 3)} for n in (2, 4)], dynamic_axes={"state": {1: "batch"}})


def test_a_cache_may_be_empty() -> None:
    found = infer([{"x": (2, 3), "past": (2, n)} for n in (0, 4)])
    assert shapes(found)["past"] == ("batch", "past_dim1")
    assert found.signature.axis("past_dim1") == Axis("past_dim1", 0, 2, 4)


def test_a_batch_dim_that_no_input_has_is_refused() -> None:
    with pytest.raises(OptionError, match=r"batch_dim is 2, an axis that no input has \('x' has 2 axes\)\."):
        infer([{"x": (4, 3)}], batch_dim=2)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(DataloaderError, match="Item 1 of the dataloader is an empty batch"):
        infer([{"x": (4, 3)}, {"x": (0, 3)}])


def test_axes_of_one_input_that_agree_are_one_axis_and_told() -> None:
    found = infer([{"x": (1, 8, 8)}, {"x": (1, 6, 6)}])
    assert shapes(found) == {"x": ("batch", "x_dim1", "x_dim1")}
    assert "Axes 1 and 2 of input x have equal sizes in all items" in found.notes[0]


def test_the_range_of_the_batch_holds_the_largest_batch_that_will_be_asked_for() -> None:
    assert infer([{"x": (4, 3)}], batch_sizes=(1, 32)).signature.axis("batch") == Axis("batch", 1, 4, 32)


def test_dynamic_axes_replace_those_of_the_data() -> None:
    found = infer([{"x": (4, 8, 6)}, {"x": (4, 9, 6)}], dynamic_axes={"x": {0: "n", 1: "length"}})
    assert shapes(found) == {"x": ("n", "length", 6)}
    assert found.signature.batch_symbol == "n"
    assert found.signature.axes == (
        Axis("n", 1, 4, 4, declared=True),
        Axis("length", 8, 8, 9, declared=True),
    )


def test_dynamic_axes_may_be_a_list() -> None:
    found = infer([{"x": (4, 8)}, {"x": (4, 9)}], dynamic_axes={"x": [0, -1]})
    assert shapes(found) == {"x": ("batch", "x_dim1")}
    assert found.signature.axis("batch").declared


def test_a_declared_axis_that_the_data_do_not_vary_gets_half_its_size_to_be_tested_at() -> None:
    found = infer([{"x": (4, 15)}], dynamic_axes={"x": {1: "length"}})
    assert found.signature.axis("length") == Axis("length", 8, 15, 15, declared=True)


def test_dynamic_axes_that_leave_out_a_varying_axis_are_refused() -> None:
    with pytest.raises(OptionError, match="Axis 1 of 'x' varies between 8 and 9 in the dataloader"):
        infer([{"x": (4, 8)}, {"x": (4, 9)}], dynamic_axes={"x": {0: "batch"}})


def test_equal_names_mean_equal_sizes() -> None:
    with pytest.raises(OptionError, match=r"both 'n', but they are 3 and 4 in item 1"):
        infer(
            [{"x": (1, 5), "y": (1, 5)}, {"x": (1, 3), "y": (1, 4)}],
            dynamic_axes={"x": {1: "n"}, "y": {1: "n"}},
        )


def test_another_axis_cannot_be_called_like_the_batch() -> None:
    with pytest.raises(OptionError, match="the name of the batch axis"):
        infer([{"x": (4, 4)}], dynamic_axes={"x": {0: "n", 1: "n"}})


def test_two_names_for_the_batch_are_one_axis() -> None:
    found = infer([{"x": (4, 3), "y": (4, 3)}], dynamic_axes={"x": {0: "batch"}, "y": {0: "batch_size"}})
    assert shapes(found) == {"x": ("batch", 3), "y": ("batch", 3)}
    assert "batch, batch_size" in found.notes[0]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"dynamic_axes": {"x": {5: "n"}}}, "names axis 5 of 'x', which has 2 axes"),
        ({"dynamic_axes": {"x": "batch"}}, r"dynamic_axes\['x'\] is 'batch', and not"),
        ({"dynamic_axes": {"x": 0}}, r"dynamic_axes\['x'\] is 0, and not"),
        ({"axis_ranges": {"x": {2: (1, 2, 3)}}}, "names axis 2 of 'x'"),
        ({"axis_ranges": {"y": {0: (1, 2, 3)}}}, "speaks of 'y'"),
        ({"axis_ranges": {"seq": (1, 2, 3)}}, "speaks of 'seq'"),
        ({"axis_ranges": {"batch": (4, 2, 3)}}, r"range of axis 'batch' is \(4, 2, 3\)"),
        ({"axis_ranges": {"batch": (1, 2)}}, "rising order"),
        ({"axis_ranges": {"x": {0: (1, 2, 4)}, "batch": (1, 2, 8)}}, "several ranges"),
    ],
)
def test_what_does_not_fit_the_inputs_is_refused(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        infer([{"x": (4, 3)}], **asked)


def test_ranges_by_name() -> None:
    found = infer([{"x": (4, 8)}, {"x": (4, 9)}], axis_ranges={"x_dim1": (1, 16, 64), "batch": (1, 8, 16)})
    assert found.signature.axes == (Axis("batch", 1, 8, 16), Axis("x_dim1", 1, 16, 64))


def test_a_range_by_number_declares_its_axis() -> None:
    found = infer([{"x": (4, 8, 5)}], axis_ranges={"x": {0: (1, 4, 8), 1: (4, 8, 32), 2: (5, 5, 5)}})
    assert shapes(found) == {"x": ("batch", "x_dim1", 5)}
    assert found.signature.axis("x_dim1") == Axis("x_dim1", 4, 8, 32, declared=True)


def test_a_range_that_leaves_out_sizes_of_the_data_is_widened_and_told() -> None:
    found = infer([{"x": (4, 8)}, {"x": (4, 20)}], axis_ranges={"x_dim1": (10, 12, 16), "batch": (4, 4, 8)})
    assert found.signature.axis("x_dim1") == Axis("x_dim1", 8, 12, 20)
    assert found.signature.axis("batch") == Axis("batch", 1, 4, 8)
    assert len(found.notes) == 2


@st.composite
def some_items(draw: st.DrawFn) -> list[Shapes]:
    ranks = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    count = draw(st.integers(1, 6))
    batches = draw(st.lists(st.integers(1, 3), min_size=count, max_size=count))
    return [
        {f"t{i}": (batch, *draw(st.tuples(*[st.integers(0, 4)] * (rank - 1)))) for i, rank in enumerate(ranks)}
        for batch in batches
    ]


@given(some_items())
def test_every_item_fits_the_signature_that_was_learnt_from_it(items: list[Shapes]) -> None:
    found = infer(items)
    signature = found.signature
    assert found.batch_size == max(item["t0"][0] for item in items)
    for item in items:
        feeds: dict[str, Array] = {name: np.zeros(shape) for name, shape in item.items()}
        sizes = symbol_sizes(signature, feeds)
        for spec in signature.inputs:
            filled = tuple(sizes[size] if isinstance(size, str) else size for size in spec.shape)
            assert filled == item[spec.name]
        for symbol, size in sizes.items():
            axis = signature.axis(symbol)
            assert axis.minimum <= size <= axis.maximum


@given(some_items())
def test_exactly_the_axes_that_vary_are_dynamic_and_agreeing_ones_share_a_symbol(items: list[Shapes]) -> None:
    signature = infer(items).signature
    columns: dict[tuple[int, ...], str] = {}
    for spec in signature.inputs:
        for axis, size in list(enumerate(spec.shape))[1:]:
            column = tuple(item[spec.name][axis] for item in items)
            assert isinstance(size, str) is (len(set(column)) > 1)
            if isinstance(size, str):
                assert columns.setdefault(column, size) == size
    assert len(set(columns.values())) == len(columns)
