"""Axes, specs and signatures say what a model takes and bind arrays to its call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from navcore.contract.pytree import flatten_call
from navcore.contract.signature import Axis, Signature, TensorSpec, dtype_named
from navcore.errors import OptionError, PluginError

Array = np.ndarray[Any, Any]


def to_array(value: Any) -> Array | None:
    return value if isinstance(value, np.ndarray) else None


def is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


@pytest.mark.parametrize(
    "name", ["float32", "float16", "int64", "uint8", "bool", "complex64", "bfloat16", "float8_e4m3fn"]
)
def test_a_dtype_is_found_by_its_name(name: str) -> None:
    assert dtype_named(name).name == name


@given(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)))
def test_a_range_rises(sizes: tuple[int, int, int]) -> None:
    if list(sizes) == sorted(sizes):
        assert Axis("seq", *sizes).maximum == sizes[2]
    else:
        with pytest.raises(OptionError, match="'seq'"):
            Axis("seq", *sizes)


def test_a_negative_size_is_no_range() -> None:
    with pytest.raises(OptionError, match="-1"):
        Axis("seq", -1, 2, 3)


def test_dimensions_are_minus_one_where_an_axis_moves() -> None:
    assert TensorSpec("ids", "int64", ("batch", "seq", 4)).dimensions == (-1, -1, 4)
    assert TensorSpec("scale", "float32", ()).dimensions == ()


@pytest.mark.parametrize(
    ("shape", "batch_dim", "batched"),
    [
        (("batch", 3), 0, True),
        ((3, "batch"), 0, True),
        ((3, "batch"), 1, True),
        ((3, "batch"), -1, True),
        (("seq", 3), 0, False),
        ((), 0, False),
        ((), -1, False),
        ((3,), 1, False),
        (("batch", 3), None, False),
    ],
)
def test_a_batch_axis_is_the_one_that_has_the_batch_symbol(
    shape: tuple[int | str, ...], batch_dim: int | None, batched: bool
) -> None:
    spec = TensorSpec("x", "float32", shape)
    assert Signature(inputs=(spec,), batch_dim=batch_dim).has_batch(spec) is batched


@pytest.mark.parametrize(
    ("shape", "axis"),
    [(("batch", 3), 0), ((2, "batch", 5), 1), (("batch", "batch"), 0), ((2, 3), None), ((), None), ((4, "seq"), None)],
)
def test_the_batch_axis_is_at_batch_dim_or_where_else_its_symbol_is(
    shape: tuple[int | str, ...], axis: int | None
) -> None:
    spec = TensorSpec("x", "float32", shape)
    assert Signature(inputs=(spec,)).batch_axis(spec) == axis
    assert Signature(inputs=(spec,), batch_dim=None).batch_axis(spec) is None


def test_an_axis_is_found_by_its_symbol() -> None:
    signature = Signature(inputs=(), axes=(Axis("batch", 1, 2, 4), Axis("seq", 3, 5, 9)))
    assert signature.axis("seq").typical == 5
    with pytest.raises(KeyError, match="length"):
        signature.axis("length")


def a_signature(item: Any, outputs: tuple[str, ...] = ()) -> tuple[Signature, dict[str, Array]]:
    call, leaves = flatten_call(item, is_array)
    inputs = tuple(TensorSpec(name, array.dtype.name, array.shape) for name, array in leaves)
    specs = tuple(TensorSpec(name, "float32", ()) for name in outputs)
    return Signature(inputs=inputs, outputs=specs, call=call), dict(leaves)


def test_binding_puts_arrays_where_the_model_expects_them() -> None:
    x, past = np.zeros((2, 3)), np.ones((2, 1))
    signature, feeds = a_signature({"x": x, "cache": [(past, past)], "use_cache": True})
    args, kwargs = signature.bind(feeds)
    assert args == []
    assert kwargs["x"] is x
    assert kwargs["cache"] == [(past, past)]
    assert kwargs["use_cache"] is True


def test_binding_goes_by_name_whatever_the_order_of_the_feeds() -> None:
    signature, feeds = a_signature((np.zeros(1), np.ones(2)))
    backwards = dict(reversed(feeds.items()))
    assert [array.shape for array in signature.bind(backwards)[0]] == [(1,), (2,)]
    assert signature.positional(backwards, lambda array: array.shape) == [(1,), (2,)]


def test_outputs_are_named_by_structure_until_they_are_declared() -> None:
    result = {"logits": np.zeros(2), "past": (np.ones(1), None)}
    signature, _ = a_signature(np.zeros(1))
    assert list(signature.name_outputs(result, to_array)) == ["logits", "past__0"]
    declared, _ = a_signature(np.zeros(1), ("a", "b"))
    named = declared.name_outputs(result, to_array)
    assert named["a"] is result["logits"]
    assert list(named) == ["a", "b"]


def test_one_tensor_may_be_returned_twice() -> None:
    signature, _ = a_signature(np.zeros(1))
    x = np.zeros(2)
    assert list(signature.name_outputs((x, x), to_array)) == ["output__0", "output__1"]


def test_another_number_of_outputs_than_declared_is_refused() -> None:
    signature, _ = a_signature(np.zeros(1), ("a", "b"))
    with pytest.raises(PluginError, match="returned 1 tensors where 2 outputs are declared: a, b"):
        signature.name_outputs(np.zeros(1), to_array)
