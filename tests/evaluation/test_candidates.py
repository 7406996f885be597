"""Which row is the best: never one that a user could not run on all of their data."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from navcore.contract.effort import Effort
from navcore.contract.formats import Format
from navcore.evaluation.candidates import candidates_of, fastest_runtime
from navcore.evaluation.strategies import MaxThroughput, MaxThroughputUnder, MinLatency, Smallest, Strategy
from navcore.workspace.results import (
    BatchPerformance,
    Difference,
    FormatResult,
    RuntimeResult,
    Status,
    Verification,
)
from navcore.workspace.settings import Settings


def measured(name: str, latency: float, *, frozen: tuple[str, ...] = (), status: Status = Status.OK) -> FormatResult:
    performance = BatchPerformance(1, latency, 0.0, latency, None, None, None, 1000 / latency, 50)
    verification = Verification(status, frozen_axes=frozen)
    row = RuntimeResult("r", status, verification=verification, performance=(performance,))
    return FormatResult(Format(name), status, runtimes=(row,))


def test_the_fastest_row_is_the_best() -> None:
    best = MinLatency().choose(candidates_of([measured("slow", 2.0), measured("fast", 1.0)]))
    assert best is not None
    assert best.format.name == "fast"


def test_a_row_that_fixes_an_axis_of_the_data_is_not_the_best() -> None:
    best = MinLatency().choose(candidates_of([measured("moves", 2.0), measured("fixed", 1.0, frozen=("frames",))]))
    assert best is not None
    assert best.format.name == "moves"


def test_an_unproved_row_is_never_the_best() -> None:
    assert MinLatency().choose(candidates_of([measured("unproved", 1.0, status=Status.UNVERIFIED)])) is None


def row(
    name: str, latency: float, held: str, *, precision: str | None = None, runtime: str = "r", verified: bool = False
) -> FormatResult:
    performance = BatchPerformance(1, latency, 0.0, latency, None, None, None, 1000 / latency, 50)
    verification = Verification(Status.OK, precision=held, bound=0.07)
    one = RuntimeResult(runtime, Status.OK, verification=verification, performance=(performance,), verified=verified)
    return FormatResult(Format(name, family="f", precision=precision), Status.OK, route="made", runtimes=(one,))


def source(precision: str | None = None) -> FormatResult:
    return FormatResult(
        Format("s"), Status.OK, live=True, runtimes=(RuntimeResult("r", Status.OK, precision=precision),)
    )


def best_of(*rows: FormatResult, strategy: Strategy | None = None, **asked: Any) -> str | None:
    found = (strategy or MinLatency()).choose(candidates_of(rows, None, Settings(**asked)))
    return None if found is None else found.format.name


EXACT, INT8 = row("exact", 2.0, "fp32"), row("int8", 1.0, "int8", precision="int8")


def test_what_promises_less_than_the_source_is_not_the_best_unasked() -> None:
    assert best_of(source(), EXACT, INT8) == "exact"
    assert best_of(source(), INT8) is None
    assert [one.coarser for one in candidates_of([source(), EXACT, INT8])] == [False, True]


@pytest.mark.parametrize("strategy", [MinLatency(), MaxThroughput(), MaxThroughputUnder(latency_ms=9), Smallest()])
def test_no_strategy_takes_it_unasked(strategy: Strategy) -> None:
    small = attrs.evolve(INT8, size=1)
    assert best_of(source(), attrs.evolve(EXACT, size=2), small, strategy=strategy) == "exact"


@pytest.mark.parametrize(
    "strategy",
    [MinLatency(max_error=0.5), MaxThroughput(max_error=0.5), MaxThroughputUnder(latency_ms=9, max_error=0.5)],
)
def test_who_says_how_far_off_a_row_may_be_gets_it(strategy: Strategy) -> None:
    off = Difference("y", 0.1, 0.1, 0.03, 1.0, 4, 1.0)
    (one,) = INT8.runtimes
    assert one.verification is not None
    told = attrs.evolve(one, verification=attrs.evolve(one.verification, differences=(off,)))
    assert best_of(source(), EXACT, attrs.evolve(INT8, runtimes=(told,)), strategy=strategy) == "int8"


@pytest.mark.parametrize("asked", [{"targets": ("int8",)}, {"targets": ("f",)}, {"atol": 1.0}, {"rtol": 1.0}])
def test_who_asked_for_it_gets_it(asked: dict[str, Any]) -> None:
    assert best_of(source(), EXACT, INT8, **asked) == "int8"


def test_more_effort_is_more_time_and_no_loss() -> None:
    assert best_of(source(), EXACT, INT8, effort=Effort.THOROUGH) == "exact"


def test_the_users_own_word_for_a_row_is_enough() -> None:
    assert best_of(source(), EXACT, row("int8", 1.0, "int8", precision="int8", verified=True)) == "int8"


def test_a_runtime_that_computes_in_less_has_to_be_named_itself() -> None:
    fast = row("exact", 1.0, "bf16", runtime="r-bf16")
    rows = attrs.evolve(EXACT, runtimes=(*EXACT.runtimes, *fast.runtimes))
    named = candidates_of([source(), rows], None, Settings(targets=("exact",)))
    assert [(one.runtime, one.coarser) for one in named] == [("r", False), ("r-bf16", True)]
    both = Settings(runtimes={"f": ("r", "r-bf16")})
    assert [one.coarser for one in candidates_of([source(), rows], None, both)] == [False, False]


def test_a_source_that_computes_in_less_promises_no_more() -> None:
    assert best_of(source("fp16"), EXACT, row("half", 1.0, "fp16", precision="fp16")) == "half"


def test_the_bound_of_a_precision_of_a_plugins_own_is_the_one_that_applied() -> None:
    assert best_of(source("fp32"), EXACT, row("own", 1.0, "own", precision="own")) == "exact"
    assert best_of(source("fp32"), EXACT, row("own", 1.0, "own", precision="own"), targets=("own",)) == "own"


def test_the_usual_runtime_of_a_format_is_the_fastest_of_the_most_precise() -> None:
    fast = row("exact", 1.0, "bf16", runtime="r-bf16")
    rows = attrs.evolve(EXACT, runtimes=(*fast.runtimes, *EXACT.runtimes))
    assert fastest_runtime(rows, ["r", "r-bf16"]) == "r"
    assert fastest_runtime(rows, ["r-bf16"]) == "r-bf16"
