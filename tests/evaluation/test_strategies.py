"""Each strategy chooses among measured rows by its own idea of best."""

from __future__ import annotations

import pytest

from navcore.contract import Format
from navcore.evaluation import Choice, MaxThroughput, MinLatency, Smallest, Strategy


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
