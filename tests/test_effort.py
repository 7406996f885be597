"""Effort from the argument to the rows, at a run and at a load; and the time that a run says it will take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import navcore as nav
from navcore.testing import toy

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]

UNMEASURED = {"run_profiling": False}


def names(package: nav.PackageDescriptor) -> set[str]:
    return {row.format.name for row in package.results}


def test_more_effort_makes_more(run_toy: Any) -> None:
    assert "toy-levels" not in names(run_toy(**UNMEASURED))
    package = run_toy(effort="thorough", **UNMEASURED)
    assert names(package) >= {"toy-live", "toy-alpha", "toy-beta", "toy-gamma", "toy-levels"}
    assert package.record.settings.effort is nav.Effort.THOROUGH


def test_what_is_coarser_is_measured_and_not_the_best(run_toy: Any) -> None:
    package = run_toy(effort="thorough", runtimes={"toy-alpha": [], "toy-beta": [], "toy-gamma": []})
    row = next(row for row in package.results if row.format == "toy-levels")
    assert row.runtimes[0].performance
    assert package.best() is None
    loosest = package.best(nav.MinLatency(max_error=0.1))
    assert loosest is not None
    assert (loosest.format.name, loosest.coarser) == ("toy-levels", True)


def test_a_package_is_gone_on_with_at_its_own_effort_or_at_the_users(run_toy: Any, tmp_path: Path) -> None:
    path = tmp_path / "toy.nav"
    run_toy(**UNMEASURED).save(path)
    assert "toy-levels" not in names(nav.load(path, workdir=tmp_path / "a", **UNMEASURED))
    loaded = nav.load(path, workdir=tmp_path / "b", effort="thorough", **UNMEASURED)
    assert loaded.get_status("toy-levels")
    assert loaded.record.settings.effort is nav.Effort.THOROUGH
    assert nav.run(path, workdir=tmp_path / "c", effort="thorough", **UNMEASURED).get_status("toy-levels")


def test_a_strangers_package_asks_for_no_more_than_usual(run_toy: Any, tmp_path: Path) -> None:
    path = tmp_path / "toy.nav"
    run_toy(effort="thorough", runtimes={"toy-levels": []}, **UNMEASURED).save(path)
    loaded = nav.load(path, workdir=tmp_path / "a", **UNMEASURED)
    (alpha,) = (row for row in loaded.results if row.format == "toy-alpha")
    assert any("effort thorough" in note for note in alpha.notes), alpha.notes
    trusted = nav.load(path, workdir=tmp_path / "b", trust=True, **UNMEASURED)
    assert not any("effort" in note for row in trusted.results for note in row.notes)


def test_a_run_says_first_how_long_it_takes_and_the_next_plan_has_learned(run_toy: Any, workdir: Path) -> None:
    told: list[nav.Event] = []
    run_toy(progress=told.append, **UNMEASURED)
    assert (told[0].stage, told[0].subject) == ("estimate", "run")
    assert told[0].text.startswith("about ")
    assert told[0].text.endswith("by what such steps usually take")
    found = nav.plan(toy.ToyModel(), workdir=workdir, **UNMEASURED).estimate
    assert found is not None
    assert found.known == found.parts > 0
    assert found.seconds < (told[0].seconds or 0)
    beside = nav.plan(toy.ToyModel(), workdir=workdir, model_name="another", **UNMEASURED).estimate
    assert beside == found


def test_the_reference_api_is_quick(workdir: Path) -> None:
    from navcore.planning import reference_arguments

    given = {"model": toy.ToyModel(), "dataloader": toy.dataloader()}
    assert reference_arguments(given, plugin="toy", formats=[])["effort"] == "quick"
