"""What is a metric, and how far one may be from the source's."""

from __future__ import annotations

from typing import Any

import pytest

from navcore.errors import OptionError
from navcore.workspace.metrics import (
    MetricResult,
    bounds_given,
    metrics_given,
    refuse_bounds_without_metric,
    within_bound,
)
from navcore.workspace.results import RuntimeResult, Status


def accuracy(outputs: Any, item: Any) -> float:
    return 1.0


class Seen:
    def update(self, outputs: Any, item: Any) -> None: ...

    def compute(self) -> float:
        return 0.0


def test_a_mapping_names_functions_and_objects_that_see_the_whole_pass() -> None:
    seen = Seen()
    assert metrics_given("metrics", {"top-1 accuracy": accuracy, "f1": seen}) == {
        "top-1 accuracy": accuracy,
        "f1": seen,
    }


def test_a_function_alone_has_a_name_already() -> None:
    assert metrics_given("metrics", accuracy) == {"accuracy": accuracy}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "has to map names to functions"),
        ("accuracy", "has to map names to functions"),
        (lambda outputs, item: 0.0, "has to map names to functions"),  # it has no name
        (Seen, "has to map names to functions"),  # nobody made one
        ({}, "holds no metric"),
        ({"a": 1}, r"metrics\['a'\]=1 is neither a function nor an object with update and compute"),
        ({"a": Seen}, "is neither a function nor an object"),
        ({1: accuracy}, "has the key 1, which cannot name a column"),
        ({"": accuracy}, "cannot name a column"),
        ({"a/b": accuracy}, "cannot name a column"),
        ({"a\nb": accuracy}, "cannot name a column"),
        ({"a" * 101: accuracy}, "cannot name a column"),
    ],
)
def test_what_is_no_metric_is_refused(value: Any, told: str) -> None:
    with pytest.raises(OptionError, match=told):
        metrics_given("metrics", value)


def test_a_bound_may_be_below_zero() -> None:
    assert bounds_given("verified_when", {"accuracy": -0.005, "wer": 1}) == {"accuracy": -0.005, "wer": 1}


@pytest.mark.parametrize("value", [-0.005, {"accuracy": "-0.005"}, {"accuracy": float("nan")}, {"accuracy": True}])
def test_what_is_no_bound_is_refused(value: Any) -> None:
    with pytest.raises(OptionError):
        bounds_given("verified_when", value)


def test_a_bound_on_a_metric_that_is_not_there_is_refused() -> None:
    with pytest.raises(OptionError, match="names 'acuracy', which is not among the metrics") as caught:
        refuse_bounds_without_metric({"accuracy": accuracy}, {"acuracy": -0.1})
    assert caught.value.hint == "The metrics are accuracy."


@pytest.mark.parametrize(
    ("difference", "bound", "kept"),
    [
        (0.78 - 0.785, -0.005, True),  # a little less than −0.005 in floating point
        (-0.0051, -0.005, False),
        (0.3, -0.005, True),
        (0.005, 0.005, True),
        (0.0051, 0.005, False),
        (-1.0, 0.005, True),
        (0.0, 0, True),
        (1e-12, 0, False),
        (float("nan"), -0.005, False),
        (float("nan"), 0.005, False),
    ],
)
def test_below_zero_it_may_fall_so_far_and_above_it_may_rise(difference: float, bound: float, kept: bool) -> None:
    assert within_bound(difference, bound) is kept


def row(*metrics: MetricResult, verified: bool = False) -> RuntimeResult:
    return RuntimeResult("r", Status.OK, metrics=metrics, verified=verified)  # type: ignore[arg-type]


GOOD = MetricResult("accuracy", 0.78, 10, -0.001, -0.005)
BAD = MetricResult("f1", 0.5, 10, -0.1, -0.005)
FREE = MetricResult("speed", 0.5, 10, -0.1)
UNKNOWN = MetricResult("accuracy", 0.78, 10, None, -0.005)


def test_a_row_is_verified_by_all_of_its_bounds_or_by_the_users_word() -> None:
    assert row(GOOD, FREE).is_verified
    assert row(verified=True).is_verified
    assert row(BAD, verified=True).is_verified
    for metrics in ((), (FREE,), (GOOD, BAD), (UNKNOWN,)):
        assert not row(*metrics).is_verified
