"""Twice the batch as long as that gains: which sizes are measured, which is best, and why there is no further."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from navcore.evaluation.doubling import Doubling, doubled_note, gains_of, most_at


def carried_out(doubling: Doubling, throughput: Callable[[int], float]) -> dict[int, float]:
    """What is measured of a model that has so many samples per second at a batch."""
    found: dict[int, float] = {}
    while (size := doubling.after(list(found.values()))) is not None:
        found[size] = throughput(size)
    return found


def test_it_ends_once_twice_in_a_row_nothing_is_gained() -> None:
    found = carried_out(Doubling(), lambda size: min(size, 8) * 100.0)
    assert list(found) == [1, 2, 4, 8, 16, 32]
    assert most_at(found) == 8, "of equals the smallest"


def test_one_doubling_that_gains_nothing_is_forgiven() -> None:
    found = carried_out(Doubling(), {1: 100, 2: 200, 4: 190, 8: 400, 16: 390, 32: 380}.__getitem__)
    assert list(found) == [1, 2, 4, 8, 16, 32]
    assert most_at(found) == 8


@pytest.mark.parametrize(("gain", "further"), [(1.049, False), (1.05, True), (0.5, False)])
def test_less_than_five_percent_gain_nothing(gain: float, further: bool) -> None:
    throughputs = [100.0, 100.0 * gain, 100.0 * gain**2]
    assert (Doubling().after(throughputs) is not None) is further


def test_the_largest_that_is_allowed_is_the_last_also_where_it_is_not_twice_the_one_before() -> None:
    assert list(carried_out(Doubling(1, 24, declared=True), float)) == [1, 2, 4, 8, 16, 24]
    assert list(carried_out(Doubling(3, 3, declared=True), float)) == [3]


def test_there_is_an_end_even_where_everything_gains() -> None:
    assert max(carried_out(Doubling(), float)) == 2**20


def test_the_note_names_the_best_and_says_why_it_ended() -> None:
    doubling = Doubling(1, 24, declared=True)
    assert doubled_note({1: 5.0, 2: 9.0, 4: 9.1, 8: 9.2}, doubling.end(gains_of([5.0, 9.0, 9.1, 9.2]))) == (
        "Batch doubled to 8: most samples per second at 8. It ended there: twice in a row twice the batch gained less "
        "than 5 %."
    )
    assert doubling.end([1.0, 1.0]) == "that is the largest that axis_ranges allows"
    assert Doubling(unlike="it draws").told("no room") == "no room; larger batches were not compared, since it draws"
