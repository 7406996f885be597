"""The numbers between two arrays, held against plain Python arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from navcore.evaluation.differences import distance, gap_between, is_floating, relatives, summarise

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOATS = [np.dtype(np.float16), BFLOAT16, np.dtype(np.float32), np.dtype(np.float64)]
INTEGERS = [np.dtype(name) for name in ("int8", "uint8", "int32", "uint32", "int64", "uint64")]

Array = np.ndarray[Any, Any]


@st.composite
def integer_pairs(draw: st.DrawFn) -> tuple[Array, Array]:
    dtype = draw(st.sampled_from(INTEGERS))
    shape = draw(hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
    return draw(hnp.arrays(dtype, shape)), draw(hnp.arrays(dtype, shape))


@st.composite
def float_pairs(draw: st.DrawFn) -> tuple[Array, Array]:
    """Any bit patterns: NaN, infinities, denormals and the largest floats among them."""
    dtype = draw(st.sampled_from(FLOATS))
    shape = draw(hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
    bits = np.dtype(f"u{dtype.itemsize}")
    first, second = draw(hnp.arrays(bits, shape)), draw(hnp.arrays(bits, shape))
    keep = draw(hnp.arrays(np.bool_, shape))
    return first.view(dtype), np.where(keep, first, second).view(dtype)


def wide(array: Array) -> list[float]:
    with np.errstate(invalid="ignore"):
        return [float(value) for value in array.reshape(-1).astype(np.float64)]


def agree(first: float, second: float) -> bool:
    return first == second or (math.isnan(first) and math.isnan(second))


@given(integer_pairs())
def test_integers_are_subtracted_exactly(pair: tuple[Array, Array]) -> None:
    source, exported = pair
    gap = gap_between(source, exported)
    rows = list(zip(source.reshape(-1).tolist(), exported.reshape(-1).tolist(), strict=True))
    assert gap.atol == float(max((abs(a - b) for a, b in rows), default=0))
    assert gap.differing == sum(a != b for a, b in rows)
    shares = [0.0 if a == b else math.inf if b == 0 else float(Fraction(abs(a - b), abs(b))) for a, b in rows]
    assert gap.rtol == pytest.approx(max(shares, default=0.0), rel=1e-12)
    assert gap.error is None
    assert gap.cosine is None


@given(float_pairs())
def test_floats_are_subtracted_in_float64(pair: tuple[Array, Array]) -> None:
    source, exported = pair
    gap = gap_between(source, exported)
    rows = list(zip(wide(source), wide(exported), strict=True))
    strays = sum(not agree(a, b) and not (math.isfinite(a) and math.isfinite(b)) for a, b in rows)
    assert gap.elements == len(rows)
    assert gap.strays == strays
    assert gap.differing == sum(not agree(a, b) for a, b in rows)
    expected = max((abs(a - b) for a, b in rows if math.isfinite(a) and math.isfinite(b)), default=0.0)
    assert gap.atol == (math.inf if strays else expected)


@given(float_pairs())
def test_no_measure_is_ever_nan(pair: tuple[Array, Array]) -> None:
    gap = gap_between(*pair)
    found = [gap.atol, gap.rtol, gap.error, gap.size, *relatives([gap])]
    assert not any(value is None or math.isnan(value) for value in found)
    assert gap.cosine is None or -1 <= gap.cosine <= 1


@given(float_pairs())
def test_an_array_is_at_no_distance_from_itself(pair: tuple[Array, Array]) -> None:
    source, _ = pair
    gap = gap_between(source, source.copy())
    assert (gap.atol, gap.rtol, gap.error, gap.differing, gap.strays) == (0, 0, 0, 0, 0)
    assert distance(source, source) == 0


@given(hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(0.1, 10)), st.floats(0.001, 1000))
def test_relative_l2_does_not_depend_on_the_unit(source: Array, unit: float) -> None:
    exported = source * 1.01
    assert distance(source, exported) == pytest.approx(0.01)
    assert distance(source * unit, exported * unit) == pytest.approx(0.01)


def test_unsigned_integers_do_not_wrap_around() -> None:
    assert gap_between(np.array([1, 250], np.uint8), np.array([2, 5], np.uint8)).atol == 245


def test_large_integers_that_float64_cannot_tell_apart_do_differ() -> None:
    big = np.array([2**53, -(2**63)], np.int64)
    gap = gap_between(big, np.array([2**53 + 1, 2**63 - 1], np.int64))
    assert gap.differing == 2
    assert gap.atol == float(2**64 - 1)
    assert gap_between(big[:1], big[:1] + 1).atol == 1


def test_booleans_are_compared_logically() -> None:
    gap = gap_between(np.array([True, True, False]), np.array([True, False, False]))
    assert (gap.atol, gap.differing, gap.elements) == (1, 1, 3)


def test_text_is_compared_for_equality() -> None:
    gap = gap_between(np.array(["cat", "dog"]), np.array(["cat", "eel"]))
    assert (gap.atol, gap.differing, gap.error) == (1, 1, None)


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2])
def test_dtypes_of_ml_dtypes_are_floating_point(dtype: Any) -> None:
    array = np.array([1, 2]).astype(dtype)
    assert is_floating(array.dtype)
    assert gap_between(array, array + array).atol == 2


def test_int4_is_an_integer() -> None:
    array = np.array([-8, 7]).astype(ml_dtypes.int4)
    assert not is_floating(array.dtype)
    assert gap_between(array, array[::-1].copy()).atol == 15


def test_complex_numbers_differ_by_their_modulus() -> None:
    assert gap_between(np.array([3 + 4j]), np.array([0j])).atol == 5


def test_relative_difference_divides_by_the_exported_value() -> None:
    gap = gap_between(np.array([3.0, 0.0]), np.array([2.0, 0.0]))
    assert gap.rtol == 0.5
    assert gap_between(np.array([1.0]), np.array([0.0])).rtol == math.inf


def test_equal_non_finite_values_count_as_equal() -> None:
    masked = np.array([np.nan, -np.inf, np.inf, 1.0], np.float32)
    assert gap_between(masked, masked.copy()).differing == 0


@pytest.mark.parametrize(("source", "exported"), [(1.0, np.nan), (np.nan, 1.0), (np.inf, -np.inf), (np.inf, np.nan)])
def test_any_other_non_finite_value_is_infinitely_far(source: float, exported: float) -> None:
    gap = gap_between(np.array([source, 1.0]), np.array([exported, 1.0]))
    assert (gap.strays, gap.atol, gap.rtol) == (1, math.inf, math.inf)
    assert relatives([gap]) == [math.inf]


def test_squares_do_not_overflow() -> None:
    huge = np.array([1e300, -1e300])
    assert distance(huge, 2 * huge) == pytest.approx(1)


@pytest.mark.parametrize("fill", [-1e4, -1e9, float(np.finfo(np.float32).min)])
def test_a_fill_value_does_not_hide_an_error_elsewhere(fill: float) -> None:
    logits = np.array([fill, 1.5, -2.0, fill], np.float32)
    wrong = np.array([fill, 3.0, -4.0, fill], np.float32)
    assert distance(logits, wrong) == pytest.approx(1)


def test_a_large_value_that_differs_is_no_fill() -> None:
    assert distance(np.array([1e6, 1.0]), np.array([1.1e6, 1.0])) == pytest.approx(0.1)


def test_empty_arrays_do_not_differ() -> None:
    empty = np.zeros((0, 3), np.float32)
    found = summarise("y", ["sample 0"], [gap_between(empty, empty)])
    assert (found.elements, found.atol, found.relative_l2, found.cosine, found.differing) == (0, 0, 0, None, 0)


def test_rank_zero_is_one_element() -> None:
    gap = gap_between(np.array(2.0), np.array(1.0))
    assert (gap.elements, gap.atol, gap.rtol, gap.cosine) == (1, 1, 1, 1)


def test_arrays_of_other_shape_are_not_broadcast() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        gap_between(np.ones(3), np.ones(1))


def test_one_bad_sample_is_not_diluted_by_many_good_ones() -> None:
    ones = np.ones(10)
    gaps = [gap_between(ones, ones)] * 99 + [gap_between(ones, 2 * ones)]
    found = summarise("y", [f"sample {index}" for index in range(100)], gaps)
    assert found.relative_l2 == pytest.approx(1)
    assert found.worst == "sample 99"
    assert found.differing == 0.01
    assert found.elements == 1000


def test_a_sum_that_happens_to_be_small_is_measured_against_the_usual_size() -> None:
    typical = [gap_between(np.array([value]), np.array([value])) for value in (1.0, -2.0, 1.5)]
    small = gap_between(np.array([1e-4]), np.array([1.01e-4]))
    assert relatives([small]) == pytest.approx([0.01])
    assert relatives([*typical, small])[-1] == pytest.approx(1e-6 / 0.1 / 1.25, rel=1e-3)


def test_one_huge_sample_does_not_make_the_others_unimportant() -> None:
    gaps = [gap_between(np.array([value]), np.array([2 * value])) for value in (1.0, 1.2, 0.9)]
    huge = gap_between(np.array([1e9]), np.array([1e9]))
    assert max(relatives([*gaps, huge])) == pytest.approx(1)


def test_an_output_that_is_zero_throughout_may_differ_by_a_rounding() -> None:
    zero = np.zeros(5)
    assert relatives([gap_between(zero, zero + 1e-8)]) == pytest.approx([1e-5])
    assert relatives([gap_between(zero, zero + 1e-3)]) == pytest.approx([1])


def test_cosine_sees_direction_only() -> None:
    source = np.array([1.0, 2.0])
    assert gap_between(source, 3 * source).cosine == pytest.approx(1)
    assert gap_between(source, -source).cosine == pytest.approx(-1)
    assert gap_between(source, 0 * source).cosine == 0
    assert gap_between(0 * source, 0 * source).cosine == 1
