"""What the tests of a run share: the toy plugin switched on, a workdir, a quick measurement, and finished runs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import navcore as nav
from navcore.workspace.journal import Journal
from navcore.workspace.plain_data import to_data

ENVIRONMENT = {
    "NAVCORE_EXTRA_PLUGINS": "toy=navcore.testing.toy",
    "NAVCORE_DISABLE_PLUGINS": "torch,onnx,tensorflow,openvino,trt",
}
# A core test run is a matter of seconds; `--hypothesis-profile=nightly` looks forty times as long. Machines under load
# are no failure.
hypothesis.settings.register_profile("navcore", max_examples=50, deadline=None)
hypothesis.settings.register_profile("nightly", max_examples=2000, deadline=None)
hypothesis.settings.load_profile("navcore")
QUICK = nav.ProfilerConfig(measurement_mode="count_windows", measurement_request_count=5)
# With threads="auto" the fastest number is taken, and of two that are about as fast it is now one and now the other.
_OF_THE_MOMENT = {"seconds", "peak_memory", "cold_start", "cpu_share", "switches", "threads"}


def children() -> set[int]:
    """The processes that this one has started and that still run (less what multiprocessing keeps for itself)."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has just ended
            found.update(int(number) for number in (task / "children").read_text().split())
    told = {
        number: Path(f"/proc/{number}/cmdline").read_bytes() for number in found if Path(f"/proc/{number}").exists()
    }
    return {number for number, command in told.items() if b"resource_tracker" not in command}


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The toy framework, a plugin of this process and of its children; none of these may outlive the test."""
    from navcore.testing import toy as module

    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    before = children()
    yield module
    assert children() <= before, "a child process was left behind"


@pytest.fixture
def quick() -> nav.ProfilerConfig:
    """Windows of five calls."""
    return QUICK


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.fixture
def run_toy(toy: Any, workdir: Path) -> Callable[..., nav.PackageDescriptor]:
    """``navcore.run`` on a toy model (or the ``model`` given), measured by windows of the toy's clock."""

    def run(model: Any = None, **changes: Any) -> nav.PackageDescriptor:
        asked: dict[str, Any] = {
            "workdir": workdir, "profiler_config": QUICK, "profiler": "toy", "git_info": False, "ranking": False,
        }  # fmt: skip
        data = changes.pop("dataloader", toy.dataloader())
        return nav.run(toy.ToyModel() if model is None else model, data, **{**asked, **changes})

    return run


@pytest.fixture(scope="session")
def finished_workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workdir in which the toy was run to its end, and ``toy.nav`` packed from it. Not to be changed: copy it."""
    from navcore.testing import toy as module

    workdir = tmp_path_factory.mktemp("finished") / "work"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        package = nav.run(
            module.ToyModel(),
            module.dataloader(),
            workdir=workdir,
            profiler_config=QUICK,
            profiler="toy",
            ranking=False,
            git_info=False,
        )
        package.save(workdir / "toy.nav")
    return workdir


@pytest.fixture
def finished(finished_workdir: Path, workdir: Path, run_toy: Callable[..., nav.PackageDescriptor]) -> Any:
    """The package of a finished run, in a workdir of its own (from a copy, in which nothing is done again)."""
    shutil.copytree(finished_workdir, workdir)
    return run_toy()


@pytest.fixture
def packed(toy: Any, finished_workdir: Path) -> Path:
    """The ``.nav`` file of a finished run; not to be changed."""
    return finished_workdir / "toy.nav"


@pytest.fixture
def journalled() -> Callable[[nav.PackageDescriptor | Path], Counter[str]]:
    """How many steps of each kind the journal of a package's workspace holds; what they took is no step."""

    def count(package: nav.PackageDescriptor | Path) -> Counter[str]:
        root = package if isinstance(package, Path) else package.workspace
        entries = Journal(root / ".navcore" / "journal.jsonl").entries()
        return Counter(entry["event"] for entry in entries if entry["event"] != "took")

    return count


@pytest.fixture
def essence() -> Callable[[Any], Any]:
    """Results as plain data, without what differs from one run to the next: times, memory, the machine's load."""

    def strip(value: Any) -> Any:
        if isinstance(value, Mapping):
            kept = {key: strip(part) for key, part in value.items() if key not in _OF_THE_MOMENT}
            return {**kept, "notes": []} if "p50_latency" in kept else kept
        return [strip(part) for part in value] if isinstance(value, list) else value

    return lambda results: strip(json.loads(json.dumps(to_data(list(results)))))


@pytest.fixture
def python(toy: Any) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script in a fresh interpreter that knows the toy plugin."""

    def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ENVIRONMENT}, check=False)

    return run
