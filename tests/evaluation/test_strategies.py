"""Each strategy chooses among measured rows by its own idea of best."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from navcore.contract import Format
from navcore.errors import OptionError
from navcore.evaluation import Choice, MaxThroughput, MaxThroughputUnder, MinLatency, Smallest, Strategy
from navcore.workspace import PairedRatio


def choice(name: str, latency: float, batch_size: int = 1, size: int | None = None) -> Choice:
    return Choice(Format(name), "r", latency, batch_size, 1000 * batch_size / latency, True, size)


QUICK = choice("quick", 1.0, size=300)
BUSY = choice("busy", 4.0, batch_size=8, size=200)
SMALL = choice("small", 3.0, size=100)
UNKNOWN = choice("unknown", 2.0)


@pytest.mark.parametrize(
    ("strategy", "best"), [(MinLatency(), QUICK), (MaxThroughput(), BUSY), (Smallest(), SMALL)], ids=repr
)
def test_each_has_its_own_best(strategy: Strategy, best: Choice) -> None:
    assert strategy.choose([UNKNOWN, BUSY, SMALL, QUICK]) == best


@pytest.mark.parametrize("strategy", [MinLatency(), MaxThroughput(), Smallest()], ids=repr)
def test_of_nothing_nothing_is_best(strategy: Strategy) -> None:
    assert strategy.choose([]) is None


def test_latencies_are_compared_at_one_batch_size_only() -> None:
    assert MinLatency().choose([choice("one", 5.0, batch_size=1), choice("eight", 4.0, batch_size=8)]) is not None
    best = MinLatency().choose([choice("one", 5.0, batch_size=1), choice("eight", 4.0, batch_size=8)])
    assert best is not None
    assert best.format.name == "one"


def test_what_has_no_size_is_not_the_smallest() -> None:
    assert Smallest().choose([UNKNOWN]) is None


def ranked(name: str, latency: float, ratio: float, error: float | None = 1e-6) -> Choice:
    paired = PairedRatio(name, "r", 1, ratio, ratio, ratio, 5)  # type: ignore[arg-type]
    return Choice(Format(name), "r", latency, 1, 1000 / latency, True, 100, paired, error=error)


def test_ratios_that_were_measured_in_turn_come_before_latencies() -> None:
    faster, measured_in_a_quiet_minute = ranked("faster", 2.0, 3.0), ranked("slower", 1.0, 2.0)
    assert MinLatency().choose([measured_in_a_quiet_minute, faster]) == faster


def test_where_one_has_no_ratio_latencies_decide() -> None:
    assert MinLatency().choose([QUICK, ranked("faster", 2.0, 3.0)]) == QUICK


@pytest.mark.parametrize("strategy", [MinLatency, MaxThroughput, Smallest])
def test_what_is_further_from_the_source_than_allowed_is_left_out(strategy: type) -> None:
    exact, rough, unknown = (
        ranked("exact", 2.0, 1.0, 1e-6),
        ranked("rough", 1.0, 2.0, 1e-2),
        ranked("x", 0.5, 4.0, None),
    )
    assert strategy(max_error=1e-3).choose([rough, unknown, exact]) == exact
    assert strategy(max_error=1e-9).choose([rough, unknown, exact]) is None


def test_throughput_under_a_latency() -> None:
    slow = choice("slow", 40.0, batch_size=64)
    assert MaxThroughput().choose([BUSY, QUICK, slow]) == BUSY
    assert MaxThroughputUnder(latency_ms=2).choose([BUSY, QUICK, slow]) == QUICK
    assert MaxThroughputUnder(latency_ms=0.1).choose([BUSY, QUICK, slow]) is None


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_is_above_zero(value: float) -> None:
    with pytest.raises(OptionError, match="has to be above 0"):
        MaxThroughputUnder(latency_ms=value)
    with pytest.raises(OptionError, match="has to be above 0"):
        MinLatency(max_error=value)


@pytest.mark.parametrize("value", ["0.01", True, [1]])
def test_a_limit_is_a_number(value: Any) -> None:
    with pytest.raises(OptionError, match="has to be a number"):
        MaxThroughputUnder(latency_ms=value)
    with pytest.raises(OptionError, match="has to be a number"):
        MinLatency(max_error=value)


def test_only_a_largest_error_may_be_left_out() -> None:
    assert MinLatency(max_error=None).max_error is None
    with pytest.raises(OptionError, match="latency_ms=None has to be a number"):
        MaxThroughputUnder(latency_ms=None)  # type: ignore[arg-type]


def test_a_ratio_of_nothing_is_the_slowest() -> None:
    nothing, something = ranked("nothing", 1.0, 0.0), ranked("something", 2.0, 0.5)
    assert MinLatency().choose([nothing, something]) == something


def judged(name: str, latency: float, **metrics: float) -> Choice:
    return Choice(Format(name), "r", latency, 1, 1000 / latency, True, 100, metrics=metrics)


GOOD, POOR = judged("good", 2.0, accuracy=0.79, wer=0.1), judged("poor", 1.0, accuracy=0.7, wer=0.2)
UNJUDGED, BROKEN = judged("unjudged", 0.5), judged("broken", 0.5, accuracy=float("nan"), wer=float("nan"))


@pytest.mark.parametrize("limits", [{"metric": ("accuracy", 0.78)}, {"max_metric": ("wer", 0.12)}], ids=repr)
@pytest.mark.parametrize(
    "strategy", [MinLatency, MaxThroughput, Smallest, functools.partial(MaxThroughputUnder, latency_ms=20)]
)
def test_a_metric_may_bound_what_is_chosen(strategy: Callable[..., Strategy], limits: dict[str, Any]) -> None:
    assert strategy(**limits).choose([UNJUDGED, BROKEN, POOR, GOOD]) == GOOD
    assert strategy(**limits).choose([UNJUDGED, POOR]) is None


@pytest.mark.parametrize(
    "bound", ["accuracy", ("accuracy",), (0.78, "accuracy"), ("accuracy", float("nan")), ("a", True)]
)
def test_what_is_no_bound_on_a_metric_is_refused(bound: Any) -> None:
    with pytest.raises(OptionError, match="has to be the name of a metric and a number"):
        MinLatency(metric=bound)
