"""Two runs in threads of one program: its streams and its logging stay its own, and an observer ends no run."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import navcore as nav
from navcore.workspace.progress import Event

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]
Run = Callable[..., nav.PackageDescriptor]

PLUGIN = '''"""A route that runs in the process of the model and prints; its probe prints too."""

import threading
from navcore import ExportJob, Format, exporter
from navcore.testing.toy import TOY

together = threading.Barrier(2)


def available():
    print("probed")


@exporter(TOY, Format("toy-noisy", filename="model.noisy"), available=available)
def noisy_from_toy(job: ExportJob[None]) -> None:
    together.wait(120)
    print("exported")
    job.output.write_text("made")
'''


def streams() -> tuple[object, ...]:
    return sys.stdout, sys.stderr, os.readlink("/proc/self/fd/1"), os.readlink("/proc/self/fd/2")


def logger_s_state() -> tuple[object, ...]:
    logger = logging.getLogger("navcore")
    return logger.level, logger.propagate, list(logger.handlers), [handler.level for handler in logger.handlers]


def test_two_runs_at_once_leave_streams_and_logging_as_they_were(
    run_toy: Run, toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both export at the same moment, in this very process, by a route that prints."""
    name = f"noisy_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", f"toy=navcore.testing.toy,noisy={name}")
    before, logging_before = streams(), logger_s_state()
    seen: set[tuple[object, ...]] = set()

    def run(workdir: Path) -> nav.PackageDescriptor:
        return run_toy(
            toy.ToyModel(),
            targets="toy-noisy",
            run_profiling=False,
            workdir=workdir,
            progress=lambda _event: seen.add(streams()),
        )

    with ThreadPoolExecutor(2) as pool:
        packages = list(pool.map(run, [tmp_path / "one", tmp_path / "other"]))
    assert all((package.workspace / "toy-noisy" / "model.noisy").read_text() == "made" for package in packages)
    assert seen == {before}
    assert streams() == before
    assert logger_s_state() == logging_before


def test_each_of_two_runs_has_its_own_log(run_toy: Run, toy: Any, tmp_path: Path) -> None:
    at_once = threading.Barrier(2)

    def run(target: str) -> str:
        first: list[Event] = []

        def meet(event: Event) -> None:
            if not first:
                at_once.wait(120)
            first.append(event)

        package = run_toy(targets=target, run_profiling=False, workdir=tmp_path / target, progress=meet)
        return (package.workspace / "navigator.log").read_text()

    with ThreadPoolExecutor(2) as pool:
        alpha, beta = pool.map(run, ["toy-alpha", "toy-beta"])
    assert "making toy-beta" in beta
    assert "toy-beta" not in alpha


def test_an_observer_that_raises_is_told_once_and_ends_no_run(run_toy: Run, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[Event] = []

    def broken(event: Event) -> None:
        calls.append(event)
        raise RuntimeError("no terminal")

    with caplog.at_level(logging.WARNING, logger="navcore"):
        package = run_toy(targets="toy-alpha", run_profiling=False, progress=broken)
    assert package.get_status("toy-alpha")
    assert len(calls) > 3
    told = [record.getMessage() for record in caplog.records if "progress= raised" in record.getMessage()]
    assert told == [
        "progress= raised RuntimeError: no terminal; the run goes on, and what it raises from now on is not told again."
    ]
    assert "RuntimeError: no terminal" in (package.workspace / "navigator.log").read_text()


def test_an_observer_s_interrupt_ends_the_run(run_toy: Run) -> None:
    def interrupt(_event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_toy(targets="toy-alpha", progress=interrupt)
