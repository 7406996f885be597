"""The core's own profiler on a real runner: how many calls, in which unit, and the garbage collector as it was."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest

from navcore.contract.jobs import ProfileJob, Runner
from navcore.contract.profiler_config import ProfilerConfig
from navcore.contract.signature import Feeds
from navcore.evaluation.closed_loop import one_window
from navcore.evaluation.stable_windows import measure

Array = np.ndarray[Any, Any]
FEEDS = {"x": np.ones(3, np.float32)}


class Counting:
    """A model that counts its calls and whether garbage was being collected."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.calls = 0
        self.collecting = False

    def __call__(self, feeds: Feeds) -> Mapping[str, Array]:
        self.calls += 1
        self.collecting = self.collecting or gc.isenabled()
        sleep(self.seconds)
        return {"y": feeds["x"]}


@pytest.mark.parametrize("calls", [1, 5])
def test_a_window_of_calls_makes_exactly_these(calls: int) -> None:
    model = Counting()
    latencies = one_window(ProfileJob(Runner(model), FEEDS, calls=calls))
    assert model.calls == calls
    assert latencies.shape == (calls,)
    assert latencies.dtype == np.float64


def test_a_window_of_time_lasts_at_least_that_long_in_milliseconds() -> None:
    model = Counting(seconds=0.002)
    latencies = one_window(ProfileJob(Runner(model), FEEDS, seconds=0.5))
    assert len(latencies) == model.calls > 1
    assert latencies.min() >= 2


def test_a_call_longer_than_the_window_is_still_one_call() -> None:
    assert one_window(ProfileJob(Runner(Counting(0.01)), FEEDS, seconds=1e-6)).shape == (1,)


def test_garbage_is_not_collected_inside_and_is_again_afterwards() -> None:
    frozen, model = gc.get_freeze_count(), Counting()
    one_window(ProfileJob(Runner(model), FEEDS, calls=3))
    assert not model.collecting
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_garbage_collection_comes_back_after_a_failing_call() -> None:
    def broken(feeds: Feeds) -> Mapping[str, Array]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        one_window(ProfileJob(Runner(broken), FEEDS, calls=3))
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        one_window(ProfileJob(Runner(Counting()), FEEDS, calls=1))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_runner_is_measured_from_end_to_end(tmp_path: Path) -> None:
    runner = Runner(Counting(0.001))
    config = ProfilerConfig(None, "count_windows", measurement_request_count=20)

    job = ProfileJob(runner, FEEDS, calls=config.calls, log_dir=tmp_path)
    found = measure(lambda: one_window(job), call=lambda: runner(FEEDS), config=config, batch_size=3).performance
    assert found.request_count == 20 * (3 if found.stable else 10)
    assert found.avg_latency >= 1
    assert found.throughput == pytest.approx(3000 / found.avg_latency)
