"""Numbers on an axis, and labels that cover nothing."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, strategies as st

from navcore.package.report.html.ticks import Label, domain_of, placed_labels, power_ticks, round_ticks

positive = st.floats(1e-6, 1e6)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.5, 6.0, [0.5, 1, 2, 5]),
        (0.98, 1.06, [0.98, 1.0, 1.02, 1.04, 1.06]),
        (1e-3, 1e3, [1e-3, 1e-2, 1e-1, 1, 10, 100, 1000]),
    ],
)
def test_round_numbers_stand_on_an_axis(low: float, high: float, ticks: list[float]) -> None:
    assert round_ticks(low, high) == pytest.approx(ticks)


@given(positive, st.floats(1.001, 1e6))
def test_some_few_ticks_lie_within_any_axis(low: float, ratio: float) -> None:
    found = round_ticks(low, low * ratio)
    assert 1 <= len(found) <= 8
    assert all(low * 0.999999 <= tick <= low * ratio * 1.000001 for tick in found)
    assert found == sorted(set(found))


@given(positive, st.floats(1, 1e12))
def test_powers_of_ten_lie_within_any_axis(low: float, ratio: float) -> None:
    found = power_ticks(low, low * ratio)
    assert len(found) <= 8
    assert all(low * 0.999999 <= tick <= low * ratio * 1.000001 for tick in found)


def test_a_domain_leaves_room_also_around_one_number() -> None:
    low, high = domain_of([2.0])
    assert low < 2.0 < high


def box(label: Label) -> tuple[float, float, float, float]:
    long = 6.4 * len(label.text)
    left = {"left": label.x, "center": label.x - long / 2, "right": label.x - long}[label.align]
    return left, label.y - 7, left + long, label.y + 7


@given(st.lists(st.tuples(st.floats(0, 640), st.floats(0, 320)), max_size=40))
def test_no_label_covers_another_or_leaves_the_plot(points: list[tuple[float, float]]) -> None:
    asked = [(x, y, f"a-format-{number}", str(number)) for number, (x, y) in enumerate(points)]
    labels = placed_labels(asked, 640, 320)
    assert len(labels) == len(points)
    placed = [label for label in labels if label is not None]
    for one, other in itertools.combinations(map(box, placed), 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    for left, top, right, bottom in map(box, placed):
        assert left >= 0
        assert top >= 0
        assert right <= 640
        assert bottom <= 320


def test_where_a_name_has_no_room_its_sign_stands_and_where_not_even_that_nothing() -> None:
    wanted = [(20.0, 20.0, "x" * 30, "1"), (20.0, 20.0, "y" * 30, "2" * 30)]
    first, second = placed_labels(wanted, 60, 60)
    assert first is not None
    assert first.text == "1"
    assert second is None


def test_labels_keep_off_the_bars() -> None:
    (label,) = placed_labels([(100.0, 100.0, "name", "1")], 640, 320, [(60.0, 160.0, 100.0)])
    assert label is not None
    assert abs(label.y - 100) > 7
