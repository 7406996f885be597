"""Optimization profiles from the ranges that the signature knows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, create_autospec

import pytest
import tensorrt_rtx as trt
from hypothesis import given, strategies as st

from nav_trt.profiles import add_profile, profile_shapes, written
from navcore import Axis, ConversionError, Signature, TensorSpec


def network(*inputs: tuple[str, tuple[int, ...]], shape_tensor: bool = False) -> Any:
    tensors = []
    for name, shape in inputs:
        tensor = create_autospec(trt.ITensor, instance=True)
        tensor.name, tensor.shape, tensor.is_shape_tensor = name, shape, shape_tensor
        tensors.append(tensor)
    return SimpleNamespace(num_inputs=len(tensors), get_input=tensors.__getitem__)


def signature(*axes: Axis, **shapes: tuple[int | str, ...]) -> Signature:
    return Signature(tuple(TensorSpec(name, "float32", shape) for name, shape in shapes.items()), axes=axes)


SAME = {"x": "x", "z": "z"}


@given(st.lists(st.integers(1, 99), min_size=3, max_size=3), st.lists(st.integers(1, 99), min_size=3, max_size=3))
def test_several_axes_move_each_in_its_own_range(rows: list[int], columns: list[int]) -> None:
    rows, columns = sorted(rows), sorted(columns)
    known = signature(
        Axis("r", rows[0], rows[1], rows[2]), Axis("c", columns[0], columns[1], columns[2]), x=("r", 3, "c"), z=("c", 7)
    )

    shapes = profile_shapes(network(("x", (-1, 3, -1)), ("z", (-1, 7))), known, SAME)

    assert shapes["x"] == tuple((rows[end], 3, columns[end]) for end in range(3))
    assert shapes["z"] == tuple((columns[end], 7) for end in range(3))


def test_an_input_that_does_not_move_is_left_out() -> None:
    known = signature(Axis("r", 1, 2, 3), x=("r", 3), z=(5,))
    assert set(profile_shapes(network(("x", (-1, 3)), ("z", (5,))), known, SAME)) == {"x"}


def test_what_the_graph_fixed_stays_fixed() -> None:
    known = signature(Axis("r", 1, 2, 3), Axis("c", 4, 5, 6), x=("r", "c"))
    assert profile_shapes(network(("x", (-1, 5))), known, SAME) == {"x": ((1, 5), (2, 5), (3, 5))}


def test_an_axis_that_is_open_in_the_graph_only_takes_the_datas_size() -> None:
    assert profile_shapes(network(("x", (-1, -1))), signature(x=(4, 3)), SAME) == {"x": ((4, 3), (4, 3), (4, 3))}


def test_inputs_are_looked_up_under_the_name_they_are_fed_from() -> None:
    known = signature(Axis("r", 1, 2, 3), input__0=("r", 3))
    assert set(profile_shapes(network(("x", (-1, 3))), known, {"x": "input__0"})) == {"x"}


def test_a_missing_range_is_an_error_that_shows_how_to_give_it() -> None:
    with pytest.raises(ConversionError, match="Axis 1 of input 'x' moves, and its range is not known") as caught:
        profile_shapes(network(("x", (2, -1))), signature(x=(2, "length")), SAME)
    assert caught.value.hint == "Give it: trt_dynamic_axes={'x': {1: (min, opt, max)}}."


def test_another_number_of_axes_is_an_error() -> None:
    with pytest.raises(ConversionError, match="Input 'x' has 2 axes in the graph and 3 in the data"):
        profile_shapes(network(("x", (-1, 3))), signature(x=("r", 3, 3)), SAME)


def test_an_input_whose_values_are_shapes_is_refused() -> None:
    with pytest.raises(ConversionError, match="The values of input 'x' decide about shapes"):
        profile_shapes(network(("x", (2,)), shape_tensor=True), signature(x=(2,)), SAME)


def test_the_profile_is_handed_to_the_builder() -> None:
    builder: MagicMock = create_autospec(trt.Builder, instance=True)
    config: MagicMock = create_autospec(trt.IBuilderConfig, instance=True)
    profile = create_autospec(trt.IOptimizationProfile, instance=True)
    builder.create_optimization_profile.return_value = profile

    add_profile(builder, config, {"x": ((1, 4), (2, 4), (8, 4)), "z": ((1,), (1,), (2,))})

    assert [call.args for call in profile.set_shape.call_args_list] == [
        ("x", (1, 4), (2, 4), (8, 4)),
        ("z", (1,), (1,), (2,)),
    ]
    config.add_optimization_profile.assert_called_once_with(profile)


def test_nothing_moves_and_no_profile_is_added() -> None:
    config: MagicMock = create_autospec(trt.IBuilderConfig, instance=True)
    add_profile(create_autospec(trt.Builder, instance=True), config, {})
    config.add_optimization_profile.assert_not_called()


def test_the_record_is_short() -> None:
    assert written({"x": ((1, 8), (4, 8), (64, 8)), "z": ((1,), (1,), (2,))}) == "x 1x8..4x8..64x8, z 1..1..2"
    assert written({}) == ""
