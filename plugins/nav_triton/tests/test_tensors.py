"""How Triton declares a tensor, and which it does not have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

import navcore as nav
from nav_triton.tensors import Served, indexed_name, numpy_type, served, triton_type, why_no_batches


def signature(*specs: nav.TensorSpec, **settings: object) -> nav.Signature:
    axes = (nav.Axis("batch", 1, 2, 8),)
    return nav.Signature(inputs=specs, outputs=specs, axes=axes, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float32", "float64", "bfloat16"])
def test_a_type_and_its_dtype_are_each_other_s(dtype: str) -> None:
    assert numpy_type(triton_type(nav.TensorSpec("x", dtype, (1,)))).name == dtype


def test_text_is_a_string_and_other_types_are_refused_by_name() -> None:
    assert triton_type(nav.TensorSpec("x", "str", (1,))) == "STRING"
    with pytest.raises(nav.InputError, match="no data type for 'x', which is complex64"):
        triton_type(nav.TensorSpec("x", "complex64", (1,)))
    with pytest.raises(nav.InputError, match="no data type for 'x', which is float8_e5m2"):
        triton_type(nav.TensorSpec("x", "float8_e5m2", (1,)))


def test_the_batch_axis_is_left_out_and_moving_axes_are_minus_one() -> None:
    spec = nav.TensorSpec("x", "float32", ("batch", 4, "n"))
    assert served([spec], batched=True, indexed=False) == (Served("x", "x", "FP32", (4, -1)),)
    assert served([spec], batched=False, indexed=False) == (Served("x", "x", "FP32", (-1, 4, -1)),)


def test_a_number_has_one_element_that_triton_takes_away() -> None:
    (one,) = served([nav.TensorSpec("x", "bool", ("batch",))], batched=True, indexed=False)
    assert one == Served("x", "x", "BOOL", (1,), scalar=True)
    assert one.declared(batched=True)["reshape"] == {"shape": ()}
    assert "reshape" not in one.declared(batched=False)
    with pytest.raises(nav.InputError, match="no tensors without elements, and 'x'"):
        served([nav.TensorSpec("x", "bool", (3, 0))], batched=False, indexed=False)


def test_triton_batches_along_the_first_axis_of_every_tensor() -> None:
    front, state = nav.TensorSpec("x", "float32", ("batch", 4)), nav.TensorSpec("h", "float32", (1, "batch", 4))
    assert why_no_batches(signature(front)) == ""
    assert "is along axis 1" in why_no_batches(signature(front, state))
    assert why_no_batches(signature(front, nav.TensorSpec("m", "float32", (4,)))) == "'m' has no batch axis"
    assert why_no_batches(signature(front, batch_dim=None)) == "the model does not batch"


@pytest.mark.parametrize(
    ("name", "number", "wanted"),
    [("x", 0, "x__0"), ("input__1", 1, "input__1"), ("input__1", 0, "input_1__0"), ("a__b", 2, "a_b__2"),
     ("x_", 0, "x__0"), ("__", 3, "tensor__3"), ("cache__0__1", 4, "cache_0_1__4")],
)  # fmt: skip
def test_names_for_torchscript(name: str, number: int, wanted: str) -> None:
    assert indexed_name(name, number) == wanted


@given(st.text(min_size=1), st.integers(0, 40))
def test_the_back_end_reads_the_position_behind_the_first_double_underscore(name: str, number: int) -> None:
    # As libtorch.cc does it: find("__"), and digits alone behind it.
    _, cut, index = indexed_name(name, number).partition("__")
    assert cut
    assert index == str(number)


def test_two_tensors_of_one_name_are_refused() -> None:
    specs = [nav.TensorSpec("x", "float32", (1,)), nav.TensorSpec("x", "float32", (1,))]
    with pytest.raises(nav.InputError, match="Two tensors have the name 'x'"):
        served(specs, batched=False, indexed=False)
    assert np.dtype("float32") == numpy_type("FP32")
