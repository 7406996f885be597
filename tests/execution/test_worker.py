"""The child's side of a step: ``python -m navcore.execution.worker request.json``, and plain data in and out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from navcore.contract.jobs import Artifact
from navcore.contract.signature import Signature, TensorSpec
from navcore.execution.isolation.result_file import read_result
from navcore.execution.step import CheckStep, ConvertStep, RouteCall, StepLimits, StepPlace
from navcore.execution.step_children import answer_from, run_plain, run_step
from navcore.execution.step_data import request_of
from navcore.testing import toy
from navcore.workspace.plain_data import to_data
from navcore.workspace.results import Status

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]
RUNNER = "toy:run_toy_file[toy-alpha]"


SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("y", "float32", ("batch", 4)),))


def call(tmp_path: Path, route: str) -> RouteCall:
    artifact = Artifact(toy.ALPHA, SIGNATURE, tmp_path / "model.toy", facts={"scale": "1.0"})
    return RouteCall(route, artifact, toy.Options(), None, 1, tmp_path)


def place(tmp_path: Path) -> StepPlace:
    return StepPlace(tmp_path / "private", tmp_path / "step.log", "nav-toy 1.0 (a_route)", StepLimits(timeout=30))


def test_a_step_that_makes_no_sense_is_a_failure_with_its_story_in_the_log(tmp_path: Path) -> None:
    step = ConvertStep(call(tmp_path, "nobody:nothing"), SIGNATURE, tmp_path, tmp_path / "out.toy")
    answer = run_step(step, place(tmp_path))
    outcome = answer.outcome
    assert outcome.status == Status.FAILED
    assert outcome.failure is not None
    assert "nobody:nothing" in outcome.failure.cause
    assert outcome.failure.hint
    assert "Traceback" in Path(outcome.log).read_text()
    assert answer.made is None


def test_an_executor_gets_plain_data_and_returns_plain_data(tmp_path: Path) -> None:
    """Of a step that arrives in another process, nothing is imported there but what runs children."""
    step = CheckStep(call(tmp_path, "nobody:nothing"), SIGNATURE, tmp_path, None, None)
    request, where = request_of(step), to_data(place(tmp_path))
    assert json.loads(json.dumps([request, where])) == [request, where]
    answer = run_plain(request, where)
    assert json.loads(json.dumps(answer)) == answer
    assert "nobody:nothing" in str(answer_from(answer).outcome.failure)


def test_a_kind_that_is_none_is_a_failure(tmp_path: Path) -> None:
    step = CheckStep(call(tmp_path, RUNNER), SIGNATURE, tmp_path, None, None)
    answer = answer_from(run_plain({**request_of(step), "kind": "bake"}, to_data(place(tmp_path))))
    assert answer.outcome.failure is not None
    assert "'bake', which is no kind of step" in answer.outcome.failure.cause


def test_a_worker_without_a_request_leaves_no_result(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "navcore.execution.worker", str(tmp_path / "request.json")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "the request cannot be read" in ended.stderr
    assert read_result(tmp_path) is None


def test_a_check_that_fails_at_its_end_still_tells_what_it_found(finished: Any, monkeypatch: Any) -> None:
    """The worker adds its failure to what was known; it does not replace it."""
    from navcore.execution import worker
    from navcore.execution.isolation.result_file import write_request, write_result

    folder = finished.workspace / ".navcore" / "late"
    folder.mkdir()
    step = CheckStep(call(folder, RUNNER), SIGNATURE, finished.workspace, None, None)
    request = write_request(folder, request_of(step))

    def found_and_raised(_step: Any, _registry: Any, place: Path) -> dict[str, Any]:
        write_result(place, {"check": {"provider": "toy"}})
        raise RuntimeError("while closing")

    monkeypatch.setattr(worker, "check_artifact", found_and_raised)
    monkeypatch.setattr(worker, "enter_child", lambda: None)
    worker.main(str(request))
    result = read_result(folder)
    assert result is not None
    assert result["check"] == {"provider": "toy"}
    assert result["failure"]["cause"] == "RuntimeError: while closing"


def test_a_converter_gets_the_users_samples(finished: Any, monkeypatch: Any) -> None:
    from navcore.contract import Made
    from navcore.execution.worker import convert
    from navcore.registry import load_registry
    from navcore.sampling import SampleStore

    registry, seen = load_registry(), []

    def ask(_hook: str, job: Any, _route: Any) -> Made:
        seen.extend(feeds["x"] for feeds in job.samples)
        return Made()

    monkeypatch.setattr(type(registry), "ask", staticmethod(ask))
    step = ConvertStep(
        call(finished.workspace, "toy:beta_from_alpha"), SIGNATURE, finished.workspace, Path("unwritten")
    )
    convert(step, registry)
    store = SampleStore(finished.workspace)
    assert len(seen) == store.count("correctness") + store.count("conversion") > 1
