"""A traced run has the results of an untraced one, and one trace in which every process shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nav_trace
import pytest
from nav_trace.merging import chrome_trace, main

import navcore as nav
from navcore import load_registry
from navcore.testing import toy

HOOKS = {"export_model", "convert", "make_runner", "profile"}
QUICK = nav.ProfilerConfig(measurement_mode="count_windows", measurement_request_count=5)
Run = Callable[..., nav.PackageDescriptor]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of the toy model in ``tmp_path/<place>``, with this plugin or, ``traced=False``, without it."""
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy")
    monkeypatch.chdir(tmp_path)

    def go(place: str, *, traced: bool = True, **mischief: str) -> nav.PackageDescriptor:
        others = "torch,onnx,tensorflow,openvino"
        monkeypatch.setenv("NAVCORE_DISABLE_PLUGINS", others if traced else f"{others},trace")
        model = toy.ToyModel(mischief={name.replace("_", " "): what for name, what in mischief.items()})
        return nav.run(
            model,
            toy.dataloader(),
            workdir=tmp_path / place,
            profiler_config=QUICK,
            profiler="toy",
            ranking=False,
            threads=1,  # which of several is the fastest differs from run to run
            git_info=False,
        )

    return go


def steps(package: nav.PackageDescriptor) -> list[dict[str, Any]]:
    """The beginnings and ends in the merged trace, without the names of the processes."""
    return [event for event in chrome_trace(package.workspace)["traceEvents"] if event["ph"] != "M"]


def findings(package: nav.PackageDescriptor) -> list[Any]:
    """Everything that was found and is the same in any two runs."""
    found: list[Any] = []
    for row in package.results:
        found.append((row.format, row.status, row.route, row.path, row.calling, row.facts, row.notes, row.size))
        found += [row.failure, *(attempt.outcome.failure for attempt in row.attempts)]
        for one in row.runtimes:
            found.append((one.runtime, one.status, one.verification, one.provider, one.precision, one.threads))
            found += [one.notes, one.failure, [(batch.batch_size, batch.p50_latency) for batch in one.performance]]
    return found


def test_it_is_thirty_lines() -> None:
    source = Path(nav_trace.__file__).read_text().splitlines()
    assert len([line for line in source if line.strip()]) <= 30


def test_it_is_installed_as_a_plugin_without_routes() -> None:
    (found,) = (plugin for plugin in load_registry().plugins if plugin.name == "trace")
    assert (found.distribution, found.problem, found.routes) == ("nav-trace", "", ())
    assert nav.trace is nav_trace


def test_observing_changes_no_result(run: Run) -> None:
    assert findings(run("traced")) == findings(run("untraced", traced=False))


def test_observing_changes_no_failure(run: Run) -> None:
    mischief = {"beta": "segfault", "detour": "raise", "run_toy-alpha": "numbers"}
    assert findings(run("traced", **mischief)) == findings(run("untraced", traced=False, **mischief))


def test_installing_it_makes_nothing_be_done_again(run: Run) -> None:
    run("work", traced=False)
    again = run("work")
    assert {event["cat"] for event in steps(again)} <= {"make_runner"}  # the source is asked for its samples again


def test_every_hook_shows_and_every_process(run: Run) -> None:
    package = run("work")
    found = steps(package)
    assert {event["cat"] for event in found} == HOOKS
    processes = {hook: {event["pid"] for event in found if event["cat"] == hook} for hook in HOOKS}
    assert os.getpid() not in processes["export_model"] | processes["convert"]  # a fork, and children
    assert os.getpid() in processes["make_runner"]  # the live source runs where it lives
    assert len(processes["convert"]) == 2
    names = {
        event["pid"]: event["args"]["name"]
        for event in chrome_trace(package.workspace)["traceEvents"]
        if event["ph"] == "M"
    }
    assert names[os.getpid()] == "caller"
    assert set(names.values()) == {"caller", "toy-alpha", "toy-beta", "toy-gamma"}


def test_what_has_begun_has_ended_in_the_same_thread(run: Run) -> None:
    running: Counter[tuple[int, int, str]] = Counter()
    for event in steps(run("work")):
        running[event["pid"], event["tid"], event["name"]] += 1 if event["ph"] == "B" else -1
        assert min(running.values()) >= 0
    assert set(running.values()) == {0}


def test_a_step_that_raises_ends_and_one_that_crashes_does_not(run: Run) -> None:
    phases: dict[str, list[str]] = {}
    for event in steps(run("work", beta="segfault", detour="raise")):
        phases.setdefault(event["name"], []).append(event["ph"])
    assert phases["beta_from_alpha"] == ["B"]
    assert phases["beta_from_alpha_detour"] == ["B", "E"]


def test_notes_are_left_in_the_workspace_only(run: Run, tmp_path: Path) -> None:
    package = run("work")
    notes = list(tmp_path.rglob(nav_trace.NOTES))
    assert notes
    assert all(one.is_relative_to(package.workspace) for one in notes)


def test_notes_that_cannot_be_written_harm_nobody(run: Run) -> None:
    package = run("work", traced=False)
    (package.workspace / nav_trace.NOTES).mkdir()  # in the way of the caller's notes
    assert findings(run("work")) == findings(package)


def test_the_command_writes_one_file_for_a_trace_viewer(run: Run, tmp_path: Path) -> None:
    package = run("work")
    command = [sys.executable, "-c", "from nav_trace.merging import main; main()"]
    subprocess.run([*command, str(package.workspace), "trace.json"], check=True)
    written = json.loads((tmp_path / "trace.json").read_text())
    assert written == chrome_trace(package.workspace)
    times = [event["ts"] for event in written["traceEvents"] if event["ph"] != "M"]
    assert times == sorted(times)


def test_a_torn_line_costs_itself_alone(run: Run) -> None:
    package = run("work")
    whole = steps(package)
    with (package.workspace / nav_trace.NOTES).open("a") as notes:
        notes.write('{"ph": "B", "ts": 17')
    assert steps(package) == whole


def test_the_command_says_what_to_do_where_nothing_was_traced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["nav-trace", str(tmp_path), str(tmp_path / "trace.json")])
    with pytest.raises(SystemExit):
        main()
    assert "with nav-trace installed" in capsys.readouterr().err
