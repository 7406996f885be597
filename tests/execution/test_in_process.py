"""A live model is made into one format here and now, by the next route where one fails, and what was made is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import navcore as nav
from navcore.execution.in_process import first_that_works, open_artifact
from navcore.planning import Step
from navcore.testing.toy import ALPHA, TOY, ToyModel

pytestmark = pytest.mark.usefixtures("toy")

SIGNATURE = nav.Signature((nav.TensorSpec("x", "float32", (2,)),), (nav.TensorSpec("y", "float32", (2,)),))
X = np.ones(2, np.float32)


@pytest.fixture
def registry() -> nav.Registry:
    return nav.load_registry()


def making(registry: nav.Registry, model: ToyModel, output: Path) -> Any:
    """The attempt of a step, as a caller writes it."""

    def attempt(step: Step) -> nav.Artifact:
        source = nav.Artifact(TOY, SIGNATURE, model=model, calling="structure")
        options = step.route.options() if step.route.options else None
        job: Any = nav.ExportJob(source, step.target, output, SIGNATURE, {"x": X}, options)
        made = registry.ask("export_model", job, step.route) or nav.Made()
        return nav.Artifact(step.target, made.signature or SIGNATURE, output, calling=made.calling)

    return attempt


def test_the_first_route_that_works_makes_it_and_a_runner_opens_it(registry: nav.Registry, tmp_path: Path) -> None:
    tried = first_that_works(registry, TOY, ALPHA, making(registry, ToyModel(factor=3.0), tmp_path / "model.toy"))
    assert tried.step is not None
    assert tried.result is not None
    assert (tried.step.target, tried.failed) == (ALPHA, {})
    runner = open_artifact(registry, tried.result, log_dir=tmp_path)
    assert runner is not None
    with runner:
        assert runner({"x": X})["y"].tolist() == [3.0, 3.0]


def test_a_route_that_fails_is_out_of_the_next_plan(registry: nav.Registry) -> None:
    seen: list[str] = []

    def attempt(step: Step) -> None:
        seen.append(step.route.id)
        raise nav.ExportError("no luck")

    tried = first_that_works(registry, TOY, ALPHA, attempt)
    assert seen == list(tried.failed)
    assert len(set(seen)) == len(seen) > 0
    assert tried.step is tried.result is None
    assert "no luck" in tried.missing


def test_what_is_left_out_is_never_tried(registry: nav.Registry) -> None:
    ways = [route.id for route in registry.routes if route.source == TOY.name and route.target == ALPHA]
    tried = first_that_works(registry, TOY, ALPHA, pytest.fail, left_out=dict.fromkeys(ways, "not today"))
    assert tried.failed == {}
    assert "not today" in tried.missing


def test_other_errors_than_navcores_are_raised(registry: nav.Registry) -> None:
    def attempt(step: Step) -> None:
        raise KeyError("a slip of the caller's")

    with pytest.raises(KeyError):
        first_that_works(registry, TOY, ALPHA, attempt)


def test_a_format_that_nothing_runs_has_no_runner(registry: nav.Registry, tmp_path: Path) -> None:
    stranger = nav.Artifact(nav.Format("toy-stranger"), SIGNATURE, tmp_path / "model")
    assert open_artifact(registry, stranger, log_dir=tmp_path) is None


def test_the_first_runtime_of_the_list_that_is_there_is_taken(registry: nav.Registry, tmp_path: Path) -> None:
    call = {"args": [], "kwargs": [["x", {"tensor": "x"}]]}
    source = nav.Artifact(TOY, attrs.evolve(SIGNATURE, call=call), model=ToyModel(), calling="structure")
    offered = [route.runtime for route in registry.routes if route.hook == "make_runner" and route.source == TOY.name]
    runner = open_artifact(registry, source, runtimes=["nowhere", offered[-1]], log_dir=tmp_path)
    assert runner is not None
    with runner:
        assert len(runner({"x": X})["y"]) == 2
