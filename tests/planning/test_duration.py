"""How long a plan takes: by what its routes took here, else by what they declare, else by what such routes take."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from navcore.contract import Effort, ProfilerConfig
from navcore.planning.duration import USUAL, estimate
from navcore.planning.plan import Estimate, Plan, told_time
from navcore.workspace import RANKING, Settings

from .test_effort import FILE, INT8, LIVE, makes, planned, runs

EXPORT, QUANTISE, RUN = makes(LIVE, FILE), makes(FILE, INT8, effort="thorough", seconds=60.0), runs(INT8, "cpu")
UNMEASURED = Settings(run_profiling=False)


def seconds(plan: Plan, settings: Settings = UNMEASURED, *, processors: int = 1, **times: Any) -> float:
    found = {key.replace("__", ":"): float(value) for key, value in times.items()}
    return estimate(plan, settings, found, processors=processors).seconds


PLAN = planned(Effort.THOROUGH, "int8", routes=(EXPORT, QUANTISE, RUN))


def test_a_route_that_ran_here_counts_as_it_did_and_any_other_as_it_says() -> None:
    unseen = seconds(PLAN)
    assert unseen == pytest.approx(2 + USUAL["export_model"] + 60 + USUAL["make_runner"])
    assert seconds(PLAN, p__int8_from_file=10.0) == pytest.approx(unseen - 50)
    told = estimate(PLAN, UNMEASURED, {QUANTISE.id: 10.0}, processors=1)
    assert (told.known, told.parts) == (1, 3)


def test_processors_share_what_does_not_wait_for_each_other() -> None:
    assert seconds(PLAN, processors=8) == seconds(PLAN)  # one after the other
    others = tuple(makes(LIVE, attrs.evolve(FILE, name=f"x{number}", family=f"x{number}")) for number in range(8))
    wide = Plan(LIVE, tuple(step for one in others for step in _steps(one)))
    assert seconds(wide, processors=4) == pytest.approx(2 + 8 * USUAL["export_model"] / 4)


def _steps(route: Any) -> Any:
    from navcore.planning.plan import Step

    return (Step(route, LIVE, route.goal),)


def test_what_cannot_be_run_here_costs_nothing() -> None:
    plan = attrs.evolve(PLAN, checks=tuple(attrs.evolve(one, reason="no device") for one in PLAN.checks))
    assert seconds(plan) == pytest.approx(seconds(PLAN) - USUAL["make_runner"])


def test_measuring_is_the_ranking_the_windows_and_the_callers() -> None:
    plain = seconds(PLAN)
    assert seconds(PLAN, Settings(budget=40.0)) == pytest.approx(plain + 40)
    assert seconds(PLAN, Settings(budget=40.0), **_named(RANKING, 12.0)) == pytest.approx(plain + 12)
    assert seconds(PLAN, Settings(budget=10.0), **_named(RANKING, 12.0)) == pytest.approx(plain + 10)
    assert seconds(PLAN, Settings(ranking=False)) > plain
    windows = Settings(ranking=False, profiler_config=ProfilerConfig(batch_sizes=[1], measurement_interval=2000))
    assert seconds(PLAN, windows) > plain + 6
    assert seconds(PLAN, Settings(budget=1.0, callers=4)) == pytest.approx(plain + 1 + 4 * 2)


@pytest.mark.parametrize(
    ("length", "told"),
    [(0, "10 s"), (44, "40 s"), (94, "90 s"), (95, "2 min"), (100, "2 min"), (3500, "58 min"), (3590, "1 h"),
     (4200, "1 h 10 min"), (7190, "2 h")],
)  # fmt: skip
def test_a_time_is_told_as_roughly_as_it_is_known(length: float, told: str) -> None:
    assert told_time(length) == told


@given(st.floats(0, 1e7))
def test_no_time_is_told_that_is_far_from_it(length: float) -> None:
    count, unit, *rest = told_time(length).split()
    found = float(count) * {"s": 1, "min": 60, "h": 3600}[unit] + (60 * float(rest[0]) if rest else 0)
    assert abs(found - length) <= max(30.5, 0.1 * length)


def test_the_plan_says_it_in_its_last_line() -> None:
    known = attrs.evolve(PLAN, estimate=Estimate(130.0, 3))
    assert str(known).splitlines()[-1].split("  ", 1)[0] == "time"
    assert str(known).endswith(
        "about 2 min  for 2 formats to make and 1 runtime to check in, by what such steps usually take"
    )
    assert Estimate(1, 3, 2).basis == "by what 2 of the 3 steps took here before"
    assert Estimate(1, 3, 3).basis == "by what its steps took here before"
    assert "\ntime" not in str(PLAN)


def _named(name: str, value: float) -> dict[str, Any]:
    return {name: value}
