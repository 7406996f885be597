"""One step: the product lands whole in its format's folder, and only what a route left there is a product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import navcore as nav
from navcore.execution.build_format import BuildResult, announce_placing
from navcore.workspace.journal import Journal
from navcore.workspace.results import Outcome, Status

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]
Run = Callable[..., nav.PackageDescriptor]


def test_the_product_and_its_log_lie_in_the_formats_folder(run_toy: Run) -> None:
    package = run_toy(targets="toy-alpha", run_profiling=False)
    folder = package.workspace / "toy-alpha"
    assert {entry.name for entry in folder.iterdir()} == {
        "model.toy", "config.yaml", "alpha_from_toy.log", "toy-runtime.log", "measurements",
    }  # fmt: skip
    assert not (package.workspace / ".navcore" / "work").exists()


def test_what_the_route_tells_is_in_the_row(run_toy: Run) -> None:
    row = run_toy(targets="toy-alpha", run_profiling=False, options={"toy-alpha": {"mischief": "harmless"}}).results[1]
    assert row.notes == ("mischief: harmless",)
    assert row.facts == {"scale": "1.0"}
    assert row.path == "toy-alpha/model.toy"
    assert row.size
    assert row.made_from == "toy-live"


def test_an_option_arrives_at_the_route(run_toy: Run) -> None:
    row = run_toy(targets="toy-alpha", run_profiling=False, options={"toy-alpha": {"scale": 3.0}}).results[1]
    assert row.facts == {"scale": "3.0"}
    assert row.status == Status.FAILED  # three times the source is not the source


def test_the_product_of_the_first_route_makes_room_for_that_of_the_second(run_toy: Run, toy: Any) -> None:
    package = run_toy(toy.ToyModel(mischief={"beta": "names"}), targets="toy-beta", run_profiling=False)
    assert "somebody_else" not in package.get_model("toy-beta").read_text()
    assert len(list((package.workspace / "toy-beta").glob("*.log"))) == 3


def test_an_export_on_a_device_runs_in_the_caller_and_says_so(run_toy: Run) -> None:
    """A fork cannot share a device with its parent."""
    row = run_toy(targets="toy-alpha", run_profiling=False, device="toy:0").results[1]
    assert row.status == Status.OK
    assert not row.attempts[0].outcome.contained


def test_what_a_route_raises_in_the_caller_is_an_outcome_too(run_toy: Run, toy: Any) -> None:
    for mischief, status in (("raise", Status.FAILED), ("unavailable", Status.UNAVAILABLE)):
        model = toy.ToyModel(mischief={"alpha": mischief})
        row = run_toy(model, targets="toy-alpha", device="toy:0").results[1]
        assert row.status == status
        assert row.failure is not None
        assert "alpha_from_toy" in row.failure.cause


def test_verdicts_belong_to_one_product_of_a_recipe() -> None:
    outcome = Outcome(Status.OK)
    first, second = BuildResult(outcome, "recipe", product="1"), BuildResult(outcome, "recipe", product="2")
    assert first.key == second.key
    assert first.checked_key != second.checked_key


def test_every_placing_has_a_name_of_its_own(tmp_path: Any) -> None:
    journal = Journal(tmp_path / "journal")
    names = [announce_placing(journal, "toy-alpha") for _ in range(3)]
    assert len(set(names)) == 3
    assert journal.find("placing", "toy-alpha") == {"product": names[-1]}
