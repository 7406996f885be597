"""Measuring with scripted windows: when it stops, what it pools, what it claims."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from navcore.contract.profiler_config import ProfilerConfig
from navcore.errors import PluginError
from navcore.evaluation import stable_windows, windows as windows_room
from navcore.evaluation.stable_windows import measure
from navcore.evaluation.windows import CALLS_FOR_PERCENTILE, Window
from navcore.workspace.results import BatchPerformance

Array = np.ndarray[Any, Any]
TIME = ProfilerConfig(measurement_interval=1000)
COUNT = ProfilerConfig(None, "count_windows", measurement_request_count=30)


@pytest.fixture(autouse=True)
def _no_hypervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is scripted here, and what this machine really loses meanwhile is not."""
    monkeypatch.setattr(windows_room, "_stolen", lambda: None)


class Scripted:
    """A runner, its windows and the time, all by script.

    A window takes the next of ``averages`` (ms) for each of its calls; call number n outside of windows takes
    ``latency(n)`` seconds, the first being number 0.
    """

    def __init__(
        self, averages: Iterable[float], *, calls: int = 4, latency: Callable[[int], float] = lambda _: 0.01
    ) -> None:
        self.averages = iter(averages)
        self.calls = calls
        self.latency = latency
        self.now = 0.0
        self.warm_up_calls = 0
        self.windows = 0

    def window(self) -> Array:
        latencies = np.full(self.calls, next(self.averages))
        self.now += float(latencies.sum()) / 1000
        self.windows += 1
        return latencies

    def call(self) -> None:
        self.now += self.latency(self.warm_up_calls)
        self.warm_up_calls += 1

    def clock(self) -> float:
        return self.now

    def measure(self, config: ProfilerConfig = TIME, *, batch_size: int = 1) -> BatchPerformance:
        return measure(self.window, call=self.call, config=config, batch_size=batch_size, clock=self.clock).performance


def test_three_windows_that_agree_are_pooled() -> None:
    found = Scripted([10, 10.5, 11]).measure(batch_size=2)
    assert (found.stable, found.windows, found.request_count, found.batch_size) == (True, 3, 12, 2)
    assert found.avg_latency == pytest.approx(10.5)
    assert found.p50_latency == pytest.approx(10.5)
    assert found.std_latency == pytest.approx(np.std([10, 10.5, 11]))
    assert found.throughput == pytest.approx(2 * 1000 / 10.5)


def test_exactly_the_percentage_is_still_stable_and_more_is_not() -> None:
    config = ProfilerConfig(measurement_interval=1000, stability_percentage=25, max_trials=3)
    assert Scripted([8, 10, 8]).measure(config).stable
    assert not Scripted([8, 10.001, 8]).measure(config).stable


def test_only_the_last_three_windows_of_a_late_agreement_are_pooled() -> None:
    found = Scripted([50, 30, 20, 10, 10, 10]).measure()
    assert (found.stable, found.windows, found.request_count) == (True, 6, 12)
    assert found.avg_latency == 10


def test_two_windows_never_suffice() -> None:
    script = Scripted([10] * 10)
    script.measure()
    assert script.windows == 3


def test_an_unstable_measurement_keeps_all_windows_and_says_why() -> None:
    found = Scripted([10, 20] * 5).measure()
    assert (found.stable, found.windows, found.request_count) == (False, 10, 40)
    assert found.avg_latency == 15
    assert "in 10 windows no three in a row agreed within 10 %" in found.notes[0]
    assert "20, 10, 20 ms" in found.notes[0]


def test_fewer_than_three_trials_are_never_stable() -> None:
    config = ProfilerConfig(measurement_interval=1000, max_trials=2)
    found = Scripted([10, 10]).measure(config)
    assert (found.stable, found.windows) == (False, 2)
    assert "max_trials=2" in found.notes[0]


def test_a_model_that_does_not_batch_has_a_throughput_of_calls() -> None:
    found = Scripted([10, 10, 10]).measure(batch_size=-1)
    assert (found.batch_size, found.throughput) == (-1, 100)


@pytest.mark.parametrize("percent", [90, 95, 99])
def test_a_percentile_is_claimed_only_from_enough_calls(percent: int) -> None:
    needed = CALLS_FOR_PERCENTILE[percent]
    # Unstable for want of windows, so that what is pooled is one window of exactly that many calls.
    config = ProfilerConfig(measurement_interval=1000, max_trials=1)
    enough = Scripted([5], calls=needed).measure(config)
    short = Scripted([5], calls=needed - 1).measure(config)
    assert getattr(enough, f"p{percent}_latency") == 5
    assert getattr(short, f"p{percent}_latency") is None
    assert short.p50_latency == 5


def test_the_least_numbers_of_calls_follow_from_the_binomial() -> None:
    """The largest of n calls lies above the percentile with 99 % confidence when percentile^n ≤ 1 %."""
    for percent, needed in CALLS_FOR_PERCENTILE.items():
        assert (percent / 100) ** needed <= 0.01 < (percent / 100) ** (needed - 1)


def test_percentiles_interpolate_linearly() -> None:
    latencies = np.arange(200.0) + 100
    found = measure(lambda: latencies, call=lambda: None, config=TIME, batch_size=1).performance
    assert found.p90_latency == pytest.approx(np.percentile(np.tile(latencies, 3), 90))


# Warm-up


def test_the_first_call_is_kept_apart_as_the_cold_start() -> None:
    found = Scripted([10, 10, 10], latency=lambda number: 0.01 if number else 7).measure()
    assert found.cold_start == pytest.approx(7000)
    assert found.avg_latency == 10


def warm_up_calls(latency: Callable[[int], float], config: ProfilerConfig = TIME) -> int:
    script = Scripted([10, 10, 10], calls=config.calls or 4, latency=latency)
    script.measure(config)
    return script.warm_up_calls


def test_a_slow_model_is_warm_after_three_calls() -> None:
    assert warm_up_calls(lambda _: 2.0) == 3


def test_a_quick_model_is_warmed_up_for_three_blocks() -> None:
    """Time blocks last a twentieth of a window, here 50 ms: that is 13 calls of 1/256 s."""
    assert warm_up_calls(lambda _: 1 / 256) == 1 + 3 * 13


def test_warming_up_goes_on_while_calls_get_faster_but_not_forever() -> None:
    assert warm_up_calls(lambda number: max(0.06, 2.0 / 2**number)) == 1 + 6
    assert warm_up_calls(lambda number: 100 / 1.2**number) == 1 + 10


def test_the_warm_up_of_count_windows_is_at_most_one_window_of_calls() -> None:
    assert warm_up_calls(lambda _: 0.001, COUNT) == 1 + 30
    assert warm_up_calls(lambda _: 0.2, COUNT) == 1 + 2 * 3


# What a profiler plugin may return


@pytest.mark.parametrize(
    "returned",
    [None, [], np.zeros((2, 2)), [0.0], [-1.0], [np.nan], [np.inf], "fast", {"latency": 1}],
)
def test_anything_but_latencies_is_blamed_on_the_profiler(returned: Any) -> None:
    with pytest.raises(PluginError, match="profiler"):
        measure(lambda: returned, call=lambda: None, config=TIME, batch_size=1)


def test_a_count_window_of_another_count_is_blamed_on_the_profiler() -> None:
    with pytest.raises(PluginError, match="measured 29 calls where 30 were asked for"):
        Scripted([10], calls=29).measure(COUNT)


def test_what_the_runner_raises_is_not_hidden() -> None:
    def broken() -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        measure(lambda: np.ones(3), call=broken, config=TIME, batch_size=1)


def test_the_share_of_the_cpu_and_the_switches_are_recorded() -> None:
    found = measure(lambda: np.ones(3), call=lambda: None, config=TIME, batch_size=1).performance
    assert found.cpu_share is not None
    assert found.cpu_share >= 0
    assert found.switches is not None
    assert found.switches >= 0


# Windows that others disturbed


class Disturbed:
    """Windows of one second, each with its average in ms and the processor time that its process got."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *windows: tuple[float, float]) -> None:
        self._left = iter(windows)
        monkeypatch.setattr(stable_windows, "take_window", self._next)

    def _next(self, *_: object) -> Window:
        average, share = next(self._left)
        return Window(np.full(4, average), 0.0, 1.0, share, 0)

    def measure(self, max_trials: int = 10) -> stable_windows.Measured:
        config = ProfilerConfig(measurement_interval=1000, max_trials=max_trials)
        return measure(lambda: np.ones(1), call=lambda: None, config=config, batch_size=1)


def test_a_disturbed_window_is_measured_again_and_the_later_one_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Disturbed(monkeypatch, (10, 1), (30, 0.4), (10, 1), (10.5, 1)).measure()
    assert (found.performance.stable, found.performance.windows, len(found.windows)) == (True, 4, 4)
    assert found.performance.avg_latency == pytest.approx(np.mean([10, 10, 10.5]))
    assert found.performance.notes == ()


def test_also_where_it_happens_to_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Disturbed(monkeypatch, (10, 1), (10, 1), (10.9, 0.4), (10, 1)).measure().performance
    assert (found.windows, found.avg_latency, found.notes) == (4, 10, ())


def test_the_first_window_is_found_to_be_disturbed_once_there_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Disturbed(monkeypatch, (20, 0.5), (10, 1), (10, 1), (10, 1)).measure().performance
    assert (found.stable, found.windows, found.avg_latency) == (True, 4, 10)


def test_it_is_measured_again_once_and_then_stands_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Disturbed(monkeypatch, (10, 1), (10, 0.4), (10, 0.4), (10, 1)).measure().performance
    assert (found.stable, found.windows) == (True, 4)
    assert found.notes == ("Others wanted the same processors in 1 of 3 windows.",)


def test_a_process_that_mostly_waits_is_not_disturbed_by_having_little_processor_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Disturbed(monkeypatch, (10, 0.3), (10, 0.1), (10, 0.3)).measure().performance
    assert (found.stable, found.windows, found.notes) == (True, 3, ())


def test_three_trials_leave_no_room_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Disturbed(monkeypatch, (10, 1), (10, 0.4), (10, 1)).measure(max_trials=3).performance
    assert (found.stable, found.windows) == (True, 3), "as the page has it"
    assert found.notes == ("Others wanted the same processors in 1 of 3 windows.",)


def test_four_trials_leave_room_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Disturbed(monkeypatch, (10, 1), (30, 0.4), (10, 1), (10, 1)).measure(max_trials=4).performance
    assert (found.stable, found.windows, found.avg_latency) == (True, 4, 10)


def test_when_the_trials_are_over_windows_count_as_they_were_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = [(10, 1), (20, 0.4), (40, 1), (40, 0.4), (40, 1)]
    found = Disturbed(monkeypatch, *windows).measure(max_trials=5).performance
    assert (found.stable, found.windows, found.avg_latency) == (True, 5, 40), "three in a row agreed, one disturbed"


def test_only_what_never_agreed_is_unstable(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = [(10, 1), (20, 0.4), (40, 1), (80, 0.4), (160, 1)]
    found = Disturbed(monkeypatch, *windows).measure(max_trials=5).performance
    assert (found.stable, found.windows, found.request_count) == (False, 5, 20)
    assert "in 5 windows no three in a row agreed" in found.notes[0]
    assert found.notes[1] == "Others wanted the same processors in 2 of 5 windows."
