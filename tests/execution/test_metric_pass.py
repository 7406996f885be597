"""The user's metrics in a run: before anything is made on the source, and then on every model that gave a result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import navcore as nav
from navcore.testing import toy
from navcore.workspace import MetricResult

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]

DATA = [{"x": toy.ToyTensor(np.full((2, 3), number, np.float32))} for number in (1, 2, 3)]
LABELLED = [(item["x"], 2.0 * number) for number, item in enumerate(DATA, start=1)]
ALL = {"targets": ["toy-alpha", "toy-beta"], "dataloader": DATA, "run_profiling": False}


def mean(outputs: Any, item: Any) -> float:
    return float(outputs["y"].mean())


def right(outputs: Any, item: Any) -> float:
    """The share of numbers that are as the label says."""
    return float(np.mean(outputs["y"] == item[1]))


def metrics_of(package: nav.PackageDescriptor) -> dict[str, tuple[MetricResult, ...]]:
    return {f"{row.format.name} {one.runtime}": one.metrics for row in package.results for one in row.runtimes}


def test_every_row_has_the_value_and_the_difference_from_the_source(run_toy: Any) -> None:
    package = run_toy(metrics={"mean": mean}, **ALL)
    found = metrics_of(package)
    assert {
        name: [(one.metric, one.value, one.items, one.difference) for one in row] for name, row in found.items()
    } == {
        "toy-live toy-eager": [("mean", 4.0, 3, 0.0)],
        "toy-alpha toy-runtime": [("mean", 4.0, 3, 0.0)],
        "toy-alpha toy-accelerator": [],
        "toy-beta toy-runtime": [("mean", 4.0, 3, 0.0)],
    }
    kept = package.workspace / "toy-beta" / "measurements" / "toy-runtime.metrics.npz"
    with np.load(kept) as arrays:
        assert arrays["mean"].tolist() == [2.0, 4.0, 6.0]


def test_the_data_of_metrics_may_hold_labels(run_toy: Any) -> None:
    package = run_toy(metrics={"right": right}, metrics_data=LABELLED, **ALL)
    assert {row[0].value for row in metrics_of(package).values() if row} == {1.0}


def test_a_row_whose_numbers_failed_is_judged_as_well(run_toy: Any) -> None:
    model = toy.ToyModel(mischief={"alpha": "numbers"})
    package = run_toy(model, metrics={"mean": mean}, verified_when={"mean": 10}, **{**ALL, "targets": "toy-alpha"})
    row = package.results[1].runtimes[0]
    assert (row.status, row.metrics[0].value, row.metrics[0].difference) == (nav.Status.FAILED, 8.0, 4.0)
    assert package.get_verified_status("toy-alpha", "toy-runtime") is True
    assert package.get_status("toy-alpha") is False  # what navcore found stays


def test_a_row_beyond_its_bound_is_not_verified(run_toy: Any) -> None:
    model = toy.ToyModel(mischief={"alpha": "numbers"})
    package = run_toy(model, metrics={"mean": mean}, verified_when={"mean": 0.5}, **{**ALL, "targets": "toy-alpha"})
    assert package.get_verified_status("toy-alpha", "toy-runtime") is False


def test_a_metric_that_fails_does_so_before_anything_is_made(run_toy: Any, workdir: Any) -> None:
    def bad(outputs: Any, item: Any) -> float:
        raise KeyError("label")

    with pytest.raises(nav.InputError, match="The metric 'bad' failed on item 0 of the dataset: KeyError: 'label'"):
        run_toy(metrics={"bad": bad}, **ALL)
    assert not list(workdir.rglob("model.toy"))


@pytest.mark.parametrize("act", ["raise", "segfault"])
def test_a_model_that_fails_on_the_data_costs_its_own_row_the_value(run_toy: Any, act: str) -> None:
    large = [{"x": toy.ToyTensor(np.ones((toy.LARGE + 1, 3), np.float32))}]
    model = toy.ToyModel(mischief={"large toy-alpha": act})
    package = run_toy(model, metrics={"mean": mean}, metrics_data=large, **ALL)
    alpha, beta = package.results[1].runtimes[0], package.results[2].runtimes[0]
    assert alpha.metrics == ()
    (note,) = [note for note in alpha.notes if note.startswith("The metrics could not be computed:")]
    assert ("mischief was asked for" if act == "raise" else "SIGSEGV") in note
    assert alpha.status == nav.Status.OK
    assert [one.value for one in beta.metrics] == [2.0]


def test_a_run_without_metrics_finds_those_of_the_same_models_again(run_toy: Any) -> None:
    before = metrics_of(run_toy(metrics={"mean": mean}, verified_when={"mean": -0.1}, **ALL))
    again = run_toy(**ALL)
    assert metrics_of(again) == before
    assert again.get_verified_status("toy-beta", "toy-runtime") is True
    other = run_toy(toy.ToyModel(factor=5.0), **ALL)
    assert set(metrics_of(other).values()) == {()}


def test_metrics_are_computed_anew_whenever_they_are_given(run_toy: Any) -> None:
    run_toy(metrics={"mean": mean}, **ALL)
    package = run_toy(metrics={"mean": lambda outputs, item: 7.0}, **ALL)
    assert {row[0].value for row in metrics_of(package).values() if row} == {7.0}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"metrics": {"a": 1}}, "neither a function nor an object"),
        ({"metrics_data": DATA}, "metrics_data is what metrics are computed on, and there are none"),
        ({"metrics": {"a": mean}, "verified_when": {"b": -0.1}}, "'b', which is not among the metrics"),
        ({"metrics": {"a": mean}, "metrics_data": 3}, "metrics_data=3"),
        ({"metrics": {"a": mean}, "metrics_data": []}, "The dataset of the metrics is empty"),
        ({"metrics": {"a": mean}, "metrics_data": iter(DATA)}, "dataset of the metrics, a list_iterator, has no len"),
        ({"metrics": {"a": mean}, "verified_when": {"a": float("nan")}}, r"\['a'\]=nan has to be a number"),
    ],
)
def test_what_cannot_be_meant_is_refused(run_toy: Any, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(nav.InputError, match=told):
        run_toy(**arguments, **ALL)


class Shuffled:
    """Data that come in another order each time, and with ``noise`` are never the same."""

    def __init__(self, noise: float = 0.0) -> None:
        self.numbers = np.random.default_rng(3)
        self.noise = noise

    def __len__(self) -> int:
        return len(DATA)

    def __iter__(self) -> Any:
        for number in self.numbers.permutation(len(DATA)):
            array = DATA[number]["x"].array
            yield {"x": toy.ToyTensor(array + (self.noise * self.numbers.random(array.shape)).astype(np.float32))}


def test_the_order_of_the_items_does_not_matter(run_toy: Any) -> None:
    package = run_toy(metrics={"mean": mean}, metrics_data=Shuffled(), **ALL)
    assert {row[0].difference for row in metrics_of(package).values() if row} == {0.0}


def test_data_that_change_are_told(run_toy: Any) -> None:
    package = run_toy(metrics={"mean": mean}, metrics_data=Shuffled(0.1), verified_when={"mean": -1}, **ALL)
    row = package.results[1].runtimes[0]
    assert row.metrics[0].difference is None
    assert package.get_verified_status("toy-alpha", "toy-runtime") is False
    assert [note for note in row.notes if note.startswith("The metrics saw other data than for the source")]


def test_a_stored_source_is_run_in_a_child_for_them(run_toy: Any, tmp_path: Any) -> None:
    run_toy(**ALL).get_model("toy-alpha")
    source = next(tmp_path.rglob("toy-alpha/model.toy"))
    package = run_toy(source, metrics={"mean": mean}, model_name="from_file", **{**ALL, "targets": "toy-beta"})
    assert metrics_of(package)["toy-alpha toy-runtime"][0].value == 4.0
    assert metrics_of(package)["toy-beta toy-runtime"][0].difference == 0.0
