"""The child's side of a step: ``python -m navcore.execution.worker request.json``, and plain data in and out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from navcore.execution.isolation.result_file import read_result
from navcore.execution.step import run_step
from navcore.workspace.plain_data import from_data
from navcore.workspace.results import Outcome, Status

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]


def step(tmp_path: Path, **request: Any) -> dict[str, Any]:
    return {
        "folder": str(tmp_path / "private"),
        "log": str(tmp_path / "step.log"),
        "who": "nav-toy 1.0 (a_route)",
        "timeout": 30,
        "memory_limit": None,
        "request": request,
    }


def test_a_request_that_makes_no_sense_is_a_failure_with_its_story_in_the_log(tmp_path: Path) -> None:
    answer = run_step(step(tmp_path, kind="convert", route="nobody:nothing"))
    outcome = from_data(answer["outcome"], Outcome)
    assert outcome.status == Status.FAILED
    assert outcome.failure is not None
    assert "nobody:nothing" in outcome.failure.cause
    assert outcome.failure.hint
    assert "Traceback" in Path(outcome.log).read_text()
    assert json.loads(json.dumps(answer)) == answer


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
    request = write_request(folder, {"kind": "check", "route": "toy:run_toy_file[toy-alpha]"})

    def found_and_raised(_request: Any, _registry: Any, place: Path) -> dict[str, Any]:
        write_result(place, {"check": {"provider": "toy"}})
        raise RuntimeError("while closing")

    monkeypatch.setattr(worker, "check_artifact", found_and_raised)
    monkeypatch.setattr(worker, "enter_child", lambda: None)
    worker.main(str(request))
    result = read_result(folder)
    assert result is not None
    assert result["check"] == {"provider": "toy"}
    assert result["failure"]["cause"] == "RuntimeError: while closing"
