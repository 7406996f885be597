"""Metrics on a package: of a run, of one that was loaded, with trust and without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import navcore as nav
from navcore.testing import toy

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]

DATA = [{"x": toy.ToyTensor(np.full((2, 3), number, np.float32))} for number in (1, 2, 3)]


def mean(outputs: Any, item: Any) -> float:
    return float(outputs["y"].mean())


def first_input(outputs: Any, item: Any) -> float:
    return float(item["x"].flat[0])


def values_of(package: nav.PackageDescriptor) -> dict[str, list[tuple[float, float | None]]]:
    return {
        f"{row.format.name} {one.runtime}": [(each.value, each.difference) for each in one.metrics]
        for row in package.results
        for one in row.runtimes
        if one.metrics
    }


@pytest.fixture
def package(run_toy: Any) -> Any:
    return run_toy(targets=["toy-alpha", "toy-gamma"], dataloader=DATA, run_profiling=False)


@pytest.fixture
def judged(run_toy: Any, tmp_path: Path) -> Path:
    """A package of a run with a metric."""
    made = run_toy(
        targets=["toy-alpha", "toy-gamma"], dataloader=DATA, run_profiling=False,
        metrics={"mean": mean}, verified_when={"mean": -0.1},
    )  # fmt: skip
    made.save(tmp_path / "x.nav")
    return tmp_path / "x.nav"


def load(path: Path, **arguments: Any) -> nav.PackageDescriptor:
    return nav.load(path, workdir=path.parent / "there", run_profiling=False, **arguments)


def test_what_is_computed_stays_in_the_package(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    values = package.evaluate(mean, DATA, verified_when={"mean": -0.1})
    assert {(one.metric, one.value, one.items, one.difference) for one in values} == {("mean", 4.0, 3, 0.0)}
    assert set(values_of(package)) == {
        "toy-live toy-eager", "toy-alpha toy-runtime", "toy-beta toy-runtime", "toy-gamma toy-runtime",
    }  # fmt: skip
    assert package.get_verified_status("toy-gamma", "toy-runtime") is True
    package.save(tmp_path / "x.nav")
    there = load(tmp_path / "x.nav", trust=True, retest_conversions=False)
    assert values_of(there) == values_of(package)
    assert (there.workspace / "toy-alpha" / "measurements" / "toy-runtime.metrics.npz").is_file()


def test_without_data_the_metrics_see_the_samples(package: nav.PackageDescriptor) -> None:
    values = package.evaluate({"first": first_input})
    assert {(one.value, one.items) for one in values} == {(2.0, 3)}  # one sample of each item


def test_no_number_of_a_stranger_is_the_measure(judged: Path) -> None:
    package = load(judged, metrics={"mean": mean}, metrics_data=DATA, verified_when={"mean": -0.1})
    assert values_of(package)["toy-alpha toy-runtime"] == [(4.0, None)]
    assert package.get_verified_status("toy-alpha", "toy-runtime") is False


def test_with_trust_the_recorded_source_is_the_measure_on_the_same_data(judged: Path) -> None:
    package = load(judged, trust=True, metrics={"mean": mean}, metrics_data=DATA, verified_when={"mean": -0.1})
    assert values_of(package)["toy-alpha toy-runtime"] == [(4.0, 0.0)]
    assert package.get_verified_status("toy-gamma", "toy-runtime") is True
    other = package.evaluate(mean, DATA[:2])
    assert {one.difference for one in other if not one.format.live} == {None}


def test_with_the_samples_as_data_the_sources_stored_answers_are_the_measure(judged: Path) -> None:
    package = load(judged, metrics={"mean": mean}, verified_when={"mean": -0.1})
    assert values_of(package)["toy-alpha toy-runtime"] == [(4.0, 0.0)]
    assert values_of(package)["toy-live toy-eager"] == [(4.0, 0.0)]
    assert package.get_verified_status("toy-alpha", "toy-runtime") is True


def test_a_load_keeps_what_is_known_of_the_files_that_lie_in_the_package(judged: Path) -> None:
    package = load(judged, trust=True)
    assert values_of(package)["toy-alpha toy-runtime"] == [(4.0, 0.0)]
    assert "toy-gamma toy-runtime" not in values_of(package)  # it was made again here


def test_without_trust_nothing_recorded_verifies(judged: Path) -> None:
    package = load(judged)
    assert "toy-alpha toy-runtime" not in values_of(package)
    assert package.get_verified_status("toy-alpha", "toy-runtime") is False


def test_metrics_need_a_retest(judged: Path) -> None:
    with pytest.raises(nav.OptionError, match="metrics needs retest_conversions=True"):
        load(judged, metrics={"mean": mean}, retest_conversions=False)


def test_where_nothing_can_be_run_the_first_reason_is_raised(package: nav.PackageDescriptor) -> None:
    with pytest.raises(nav.InputError, match="The metric 'mean' failed on item 0 of the dataset"):
        package.evaluate({"mean": lambda outputs, item: outputs["z"]}, DATA)
