"""A table that another profiler measured says so, and what its milliseconds are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import navcore
from navcore.cli import main
from navcore.package import clock_of
from navcore.package.report.html.content import content_of
from navcore.registry import load_registry
from navcore.workspace import Settings

from .html.given_records import made, nothing, record, source

CPU_TIME = """
import time
import numpy as np
from navcore import profiler


@profiler(measures="CPU time")
def clock(job):
    found = []
    while len(found) < (job.calls or 5):
        start = time.process_time_ns()
        job.runner(job.feeds)
        sum(range(2000))  # what a toy does takes no time
        found.append((time.process_time_ns() - start) / 1e6)
    return np.asarray(found)
"""


@pytest.fixture
def cputime(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A profiler of a third party, under the plugin's name ``cputime``."""
    (tmp_path / "a_cputime_plugin.py").write_text(CPU_TIME)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy,cputime=a_cputime_plugin")
    return "cputime"


@pytest.mark.processes
def test_the_table_says_what_measured(cputime: str, toy: Any, tmp_path: Path) -> None:
    settings = {"targets": ["toy-alpha"], "workdir": tmp_path, "ranking": False, "git_info": False}
    config = navcore.ProfilerConfig(measurement_interval=1, max_trials=3)
    package = navcore.run(toy.ToyModel(), toy.dataloader(), profiler=cputime, profiler_config=config, **settings)
    assert "Latency is CPU time, by cputime." in str(package)
    usual = navcore.run(toy.ToyModel(), toy.dataloader(), profiler_config=config, **settings)
    assert "Latency is in milliseconds" in str(usual)
    assert "cputime" not in str(usual)


def test_the_page_says_what_measured(cputime: str) -> None:
    measured = record(source(4.0), made("onnx", 1e-7, 1.0), settings=Settings(profiler=cputime))
    content = content_of(measured, nothing, load_registry())
    assert content.clock == "CPU time, by cputime"
    assert content.legend[0] == content.answer.details[0] == "Latency is CPU time, by cputime."
    usual = content_of(record(source(4.0), made("onnx", 1e-7, 1.0)), nothing, load_registry())
    assert usual.clock == ""
    assert "Latency is CPU" not in str(usual)


@pytest.mark.processes
def test_the_written_page_says_so_beside_each_number(cputime: str, toy: Any, tmp_path: Path) -> None:
    pytest.importorskip("altair", reason="the page needs navcore[report]")
    config = navcore.ProfilerConfig(measurement_interval=1, max_trials=3)
    package = navcore.run(
        toy.ToyModel(), toy.dataloader(), targets=["toy-alpha"], workdir=tmp_path / "work", profiler=cputime,
        profiler_config=config, ranking=False, git_info=False,
    )  # fmt: skip
    package.report(tmp_path / "report.html")
    (workspace,) = [folder for folder in (tmp_path / "work").iterdir() if folder.is_dir()]
    assert CliRunner().invoke(main, ["report", str(workspace), "--html", str(tmp_path / "again.html")]).exit_code == 0
    for page in ("report.html", "again.html"):
        text = (tmp_path / page).read_text()
        assert text.count("Latency is CPU time, by cputime.") >= 4, "in the answer, below the table and the charts"


def test_a_profiler_that_is_not_here_is_named() -> None:
    assert clock_of("cputime") == "what its profiler measures, by cputime"
    assert clock_of("navcore", load_registry()) == ""
