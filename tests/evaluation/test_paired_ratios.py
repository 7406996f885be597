"""A ratio of pairs: its median, and an interval that narrows with their number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from navcore.evaluation.paired_ratios import median_interval, paired_ratio

TIMES = st.lists(st.floats(0.01, 1000), min_size=1, max_size=30)


def test_what_slowed_both_down_cancels_out() -> None:
    slowed = np.array([1, 1, 10, 1, 3, 1, 7], float)
    value, low, high = paired_ratio(6 * slowed, 2 * slowed, seed=1)
    assert (value, low, high) == pytest.approx((3, 3, 3))


def test_one_pair_in_ten_that_is_far_off_moves_nothing() -> None:
    others = [1.0] * 9 + [50.0]
    assert paired_ratio([2.0] * 10, others, seed=1)[0] == 2


def test_the_interval_narrows_with_the_number_of_pairs() -> None:
    random = np.random.default_rng(5)
    noise = 1 + 0.1 * random.standard_normal(400)
    few, many = (median_interval(noise[:count], seed=1) for count in (10, 400))
    assert few[1] - few[0] > 3 * (many[1] - many[0])


def test_it_is_the_same_for_the_same_seed() -> None:
    values = [1.0, 1.5, 0.7, 1.1, 0.9, 1.3]
    assert median_interval(values, seed=3) == median_interval(values, seed=3)


def test_two_pairs_say_no_more_than_themselves() -> None:
    assert median_interval([1.0, 2.0], seed=1) == (1.0, 2.0)


@given(TIMES, st.integers(0, 99))
def test_the_median_lies_within_its_interval(values: list[float], seed: int) -> None:
    low, high = median_interval(values, seed)
    assert 0 < low <= np.median(values) <= high
    if len(values) not in (3, 4):
        assert min(values) <= low
        assert high <= max(values)


@pytest.mark.parametrize("rounds", [3, 4, 25])
def test_an_interval_of_ninety_five_percent_holds_the_truth_as_often(rounds: int) -> None:
    random = np.random.default_rng(11)
    held = 0
    for seed in range(200):
        low, high = median_interval(np.exp(0.1 * random.standard_normal(rounds)), seed)
        held += low <= 1 <= high
    assert held >= 180, "of 200 intervals about 190 should hold the true median"
