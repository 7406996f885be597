"""Measuring a package again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import navcore as nav
from navcore.workspace.status.file import read_status

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]


def config(*sizes: int) -> nav.ProfilerConfig:
    return nav.ProfilerConfig(sizes or None, "count_windows", measurement_request_count=3)


def sizes_of(package: nav.PackageDescriptor, name: str) -> list[int]:
    row = next(row for row in package.results if row.format.name == name)
    return [one.batch_size for one in row.runtimes[0].performance]


def test_every_ok_runtime_is_measured_and_kept(finished: Any) -> None:
    nav.profile(finished, config(3, 1))
    for name in ("toy-live", "toy-alpha", "toy-beta", "toy-gamma"):
        assert sizes_of(finished, name) == [3, 1]
    assert read_status(finished.workspace / "status.yaml").results == finished.results
    assert finished.record.settings.profiler_config == config(3, 1)


def test_without_a_config_the_one_of_the_run_is_used(finished: Any) -> None:
    before = finished.record.settings.profiler_config
    nav.profile(finished)
    assert finished.record.settings.profiler_config == before
    assert sizes_of(finished, "toy-alpha") == [1, 2]


def test_what_was_not_ok_is_not_measured(run_toy: Any, toy: Any) -> None:
    package = run_toy(toy.ToyModel(mischief={"alpha": "numbers"}), targets="toy-alpha", run_profiling=False)
    package.profile(config(1))
    assert sizes_of(package, "toy-live") == [1]
    assert sizes_of(package, "toy-alpha") == []


def test_a_loaded_package_says_what_cannot_be_measured_again(packed: Path, tmp_path: Path) -> None:
    package = nav.load(packed, workdir=tmp_path, retest_conversions=False)
    for _ in range(2):
        package.profile(config(1), ranking=False)
    notes = {row.format.name: row.runtimes[0].notes for row in package.results}
    assert notes["toy-live"] == ("not measured again: the source model is not in the package",)
    assert notes["toy-alpha"] == ()
    assert notes["toy-gamma"] == ("not measured again: loading it can execute code: needs trust=True",)
    assert sizes_of(package, "toy-alpha") == [1]
    assert sizes_of(package, "toy-gamma") == [1, 2]  # as recorded


def test_what_was_only_extracted_is_measured_as_far_as_it_is_trusted(packed: Path, tmp_path: Path) -> None:
    for trust, measured in ((False, {"toy-alpha", "toy-beta"}), (True, {"toy-alpha", "toy-beta", "toy-gamma"})):
        package = nav.load(packed, workdir=tmp_path / str(trust), retest_conversions=False, trust=trust)
        package.profile(batch_sizes=[3], budget=1, callers=2)
        assert {row.format.name for row in package.results if sizes_of(package, row.format.name) == [3]} == measured
        assert {row.format.name for row in package.results if row.runtimes[0].concurrent} == measured
        assert all(one.elsewhere is not trust for row in package.results for one in row.runtimes), "as it was loaded"
        if not trust:
            machines = {row.format.name: row.runtimes[0].machine for row in package.results}
            assert machines["toy-alpha"] not in ("", machines["toy-live"]), "of two machines nobody is compared"


def test_a_process_that_dies_while_measuring_leaves_the_verdict(run_toy: Any, toy: Any) -> None:
    package = run_toy(toy.ToyModel(mischief={"large toy-alpha": "segfault"}), targets="toy-alpha")
    package.profile(config(1, 64))
    row = package.results[1].runtimes[0]
    assert row.status == "ok"
    assert sizes_of(package, "toy-alpha") == [1]
    assert row.failure is not None
    assert row.failure.cause.startswith("at batch size 64")


def test_the_options_of_the_run_still_hold(run_toy: Any) -> None:
    """The runner's option would end its process."""
    package = run_toy(targets="toy-alpha", options={"toy-alpha/toy-runtime": {"mischief": "numbers"}}, atol=100.0)
    assert package.get_status("toy-alpha")
    package.profile(config(1))
    assert sizes_of(package, "toy-alpha") == [1]


def test_batch_sizes_of_a_model_that_does_not_batch_are_refused(run_toy: Any, toy: Any) -> None:
    package = run_toy(batch_dim=None, targets="toy-alpha")
    assert sizes_of(package, "toy-alpha") == [-1]
    with pytest.raises(nav.OptionError, match="does not batch"):
        package.profile(config(2))
