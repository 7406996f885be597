"""The batch doubled for each model: how far, what ends it, what becomes of the sizes, and what is ranked then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import navcore as nav
from navcore.contract import Signature, TensorSpec
from navcore.errors import StepError
from navcore.evaluation import Doubling, Window
from navcore.execution.check_settings import incomparable
from navcore.execution.doubled_batches import Reached, _Doubled, sizes_to_rank
from navcore.execution.measurable import Begun
from navcore.package import results_data

Run = Callable[..., Any]
RANGE = {"batch": (1, 2, 16)}


class Scripted:
    """A loaded model whose calls take ``latency(size)`` ms; it raises at sizes above ``most``."""

    def __init__(self, latency: Callable[[int], float], most: float = math.inf) -> None:
        self._latency = latency
        self._most = most
        self._size = 0

    def begin(self, size: int, _interval: float = 0.0) -> Begun:
        if size > self._most:
            raise StepError(f"out of memory at {size}")
        self._size = size
        return Begun(7.0, 3)

    def again(self, size: int) -> None:
        self._size = size

    def block(self, seconds: float) -> Window:
        return Window(np.full(5, self._latency(self._size)), 0.0, seconds, seconds, 0)


def doubled(model: Scripted, seconds: float = 60.0) -> Reached:
    return _Doubled(model, Doubling(), None, time.perf_counter() + seconds).carried_out()  # type: ignore[arg-type]


def test_the_sizes_are_those_that_gain_and_the_two_that_show_the_end() -> None:
    found = doubled(Scripted(lambda size: 1.0 if size <= 8 else size / 8))
    assert list(found.throughputs) == [1, 2, 4, 8, 16, 32]
    assert found.throughputs[8] == pytest.approx(8000)
    assert found.threads == 3
    assert found.end == "twice in a row twice the batch gained less than 5 %"
    assert {size: one.cold_start for size, one in found.performances().items()} == dict.fromkeys(found.throughputs, 7)


def test_what_fails_at_a_larger_batch_ends_it_and_what_was_measured_stands() -> None:
    found = doubled(Scripted(lambda _: 1.0, most=4))
    assert (list(found.throughputs), found.failure) == ([1, 2, 4], None)
    assert found.end == "at 8: out of memory at 8"


def test_what_fails_at_the_smallest_batch_has_no_numbers() -> None:
    found = doubled(Scripted(lambda _: 1.0, most=0))
    assert not found.throughputs
    assert found.failure is not None
    assert found.failure.cause == "at batch size 1: out of memory at 1"


def test_without_time_there_is_the_smallest_batch_and_the_reason() -> None:
    found = doubled(Scripted(lambda _: 1.0), seconds=0)
    assert list(found.throughputs) == [1]
    assert "a larger budget= gives it more" in found.end


def test_a_slow_model_is_not_begun_where_the_time_would_not_do() -> None:
    assert list(doubled(Scripted(lambda size: 1000.0 * size), seconds=5).throughputs) == [1]


def test_models_are_ranked_at_the_smallest_size_and_at_the_best_of_each_that_the_reference_reached() -> None:
    reached = {
        "source": Reached({1: 10.0, 2: 30.0, 4: 20.0}),
        "far": Reached({1: 10.0, 2: 20.0, 4: 40.0, 8: 80.0}),
        "near": Reached({1: 10.0}),
    }
    assert sizes_to_rank(reached, "source") == {
        1: ["source", "far", "near"],
        2: ["source", "far"],
        4: ["source", "far"],
    }


@pytest.fixture
def doubling(run_toy: Run) -> Run:
    """A ranked run on the toy's clock, by which every call takes 1 ms: whatever the batch, twice of it gains."""

    def run(model: Any = None, **changes: Any) -> Any:
        asked = {"profiler_config": None, "ranking": True, "targets": "toy-beta", "batch_sizes": "auto"}
        return run_toy(model, **{**asked, "axis_ranges": RANGE, **changes})

    return run


def sizes(package: Any, name: str) -> list[int]:
    row = next(row for row in package.results if row.format.name == name)
    return [measured.batch_size for measured in row.runtimes[0].performance]


@pytest.mark.processes
def test_every_row_is_measured_up_to_the_largest_that_axis_ranges_allow(doubling: Run) -> None:
    package = doubling()
    for row in package.results:
        assert sizes(package, row.format.name) == [1, 2, 4, 8, 16]
        (note,) = [note for note in row.runtimes[0].notes if note.startswith("Batch doubled")]
        assert "most samples per second at 16" in note
    assert {one.batch_size for one in package.ranking.ratios} == {1, 16}
    (beta,) = [row for row in results_data(package.results, package.ranking) if row["format"] == "toy-beta"]
    told = {one["batch_size"]: one["vs_source"] for one in beta["runtimes"][0]["performance"]}
    assert told == {1: 1, 2: None, 4: None, 8: None, 16: 1}, "only what was measured in turn is compared"
    best = package.best(nav.MaxThroughput())
    assert (best.batch_size, best.throughput) == (16, 16_000)
    assert "most samples per second at 16" in str(package)


@pytest.mark.processes
@pytest.mark.parametrize("act", ["segfault", "raise"])
@pytest.mark.parametrize("windows", [False, True], ids=["blocks", "windows"])
def test_a_child_that_dies_of_a_larger_batch_is_no_failed_row(
    doubling: Run, toy: Any, quick: Any, act: str, windows: bool
) -> None:
    model = toy.ToyModel(mischief={"large toy-alpha": act})
    config = quick if windows else None
    package = doubling(model, axis_ranges=None, targets="toy-alpha", profiler_config=config, budget=30)
    (row,) = [row for row in package.results if row.format.name == "toy-alpha"]
    runtime = row.runtimes[0]
    assert (row.status, runtime.status, runtime.failure) == ("ok", "ok", None)
    assert sizes(package, "toy-alpha") == [1, 2, 4, 8, 16, 32]
    (note,) = [note for note in runtime.notes if note.startswith("Batch doubled")]
    assert note.startswith("Batch doubled to 32: most samples per second at 32. It ended there: at 64: ")
    assert {one.batch_size for one in package.ranking.ratios} == {1, 32}


@pytest.mark.processes
@pytest.mark.parametrize("windows", [False, True], ids=["blocks", "windows"])
def test_a_larger_batch_that_computes_something_else_ends_it(
    doubling: Run, toy: Any, quick: Any, windows: bool
) -> None:
    """Verdicts were given at the sizes of the data, and this toy goes wrong at 33."""
    model = toy.ToyModel(mischief={"large toy-alpha": "numbers"})
    config = quick if windows else None
    package = doubling(model, axis_ranges=None, targets="toy-alpha", profiler_config=config, budget=30)
    assert sizes(package, "toy-alpha") == [1, 2, 4, 8, 16, 32]
    (note,) = [note for note in package.results[1].runtimes[0].notes if note.startswith("Batch doubled")]
    assert "at 64: The relative L2 difference of output 'y' is 1 in a batch of 64" in note


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        ({}, ""),
        ({"stateful": True, "runs": 1}, "the source remembers from call to call"),
        ({"runs": 16}, "the source draws random numbers"),
        ({"rows_independent": None}, "the samples of a batch are not known to be independent of each other"),
        ({"shape": (7,)}, "an output has no batch axis"),
    ],
)
def test_what_keeps_larger_batches_from_being_compared(samples: dict[str, Any], why: str) -> None:
    given = {"stateful": False, "runs": 1, "rows_independent": True, **samples}
    shape = given.pop("shape", ("batch", 7))
    signature = Signature((TensorSpec("x", "float32", ("batch", 5)),), (TensorSpec("y", "float32", shape),))
    assert incomparable(SimpleNamespace(samples=SimpleNamespace(signature=signature, **given))) == why  # type: ignore[arg-type]


@pytest.mark.processes
def test_memory_that_ends_is_where_it_ends(doubling: Run, toy: Any) -> None:
    model = toy.ToyModel(mischief={"large toy-alpha": "hog"})
    package = doubling(model, axis_ranges=None, targets="toy-alpha", budget=30, memory_limit=400 * 2**20)
    assert sizes(package, "toy-alpha") == [1, 2, 4, 8, 16, 32]
    assert package.results[1].runtimes[0].failure is None


@pytest.mark.processes
def test_without_a_ranking_windows_are_measured_at_sizes_that_double(doubling: Run, quick: Any) -> None:
    package = doubling(ranking=False, profiler_config=quick)
    assert package.ranking is None
    for row in package.results:
        assert sizes(package, row.format.name) == [1, 2, 4, 8, 16]
        assert all(one.request_count == 15 for one in row.runtimes[0].performance), "three windows of five calls"
        assert any("the largest that axis_ranges allows" in note for note in row.runtimes[0].notes)


@pytest.mark.processes
def test_a_model_that_does_not_batch_is_measured_once(doubling: Run, toy: Any) -> None:
    package = doubling(batch_dim=None, axis_ranges=None)
    assert [sizes(package, row.format.name) for row in package.results] == [[-1], [-1], [-1]]


@pytest.mark.processes
def test_it_is_found_again_recorded_and_asked_for_when_measured_again(doubling: Run) -> None:
    first = doubling()
    again = doubling()
    assert again.ranking == first.ranking
    for one, other in zip(again.results, first.results, strict=True):
        assert (one.runtimes[0].performance, one.runtimes[0].notes) == (
            other.runtimes[0].performance,
            other.runtimes[0].notes,
        )
    nav.profile(again, batch_sizes=[2])
    assert sizes(again, "toy-beta") == [2]
    assert not any("Batch doubled" in note for row in again.results for one in row.runtimes for note in one.notes)
    nav.profile(again, batch_sizes="auto")
    assert sizes(again, "toy-beta") == [1, 2, 4, 8, 16]


@pytest.mark.processes
def test_windows_that_are_measured_again_bring_their_own_note(doubling: Run, quick: Any) -> None:
    package = doubling(ranking=False, profiler_config=quick)
    nav.profile(package, quick, batch_sizes="auto", ranking=False)
    notes = [note for row in package.results for one in row.runtimes for note in one.notes]
    assert sum(note.startswith("Batch doubled") for note in notes) == len(package.results)
