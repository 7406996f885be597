"""The shades of the map of errors."""

from __future__ import annotations

import math

import attrs
import pytest

from .missing_extra import drawing

pytestmark = drawing


@pytest.mark.parametrize(
    ("error", "shade"), [(0.0, 0), (1e-12, 1), (1e-7, 2), (9e-7, 2), (1e-6, 3), (1e-2, 7), (50.0, 7), (math.inf, 8)]
)
def test_a_shade_per_decade_and_one_for_no_error(error: float, shade: int) -> None:
    from navcore.package.report.html.strips import shade_of

    assert shade_of(error, None) == shade


def test_beyond_its_bound_an_error_has_a_shade_of_its_own() -> None:
    from navcore.package.report.html.strips import BEYOND, shade_of

    assert shade_of(1e-4, 1e-4) != BEYOND
    assert shade_of(1.1e-4, 1e-4) == BEYOND


def test_every_shade_has_a_meaning_on_the_page() -> None:
    from navcore.package.report.html.page import _shades
    from navcore.package.report.html.strips import BEYOND

    names = [name for name, _ in _shades()]
    assert names == [*(f"heat{number}" for number in range(BEYOND)), "alarm"]
    assert dict(_shades())["heat2"] == "from 1e-7"


def test_where_there_are_too_many_comparisons_the_worst_of_some_is_shown() -> None:
    from navcore.package.report.html.measured import Errors
    from navcore.package.report.html.strips import columns_of

    labels = tuple(map(str, range(7)))
    errors = Errors("onnx", "cpu", "y", labels, (0.0, 3.0, 1.0, None, None, None, 2.0), None)
    assert columns_of(errors, 7) == list(errors.values)
    assert columns_of(errors, 4) == [3.0, 1.0, None, 2.0]
    assert columns_of(attrs.evolve(errors, values=(), comparisons=()), 4) == []
