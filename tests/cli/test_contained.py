"""``navcore run`` keeps the source in a process of its own: even an export that cannot be forked is contained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

PLUGIN = '''"""Two routes that run in the process of the model; one of them kills it, the other is noisy."""

from navcore import ExportJob, Format, exporter
from navcore.testing.toy import TOY


@exporter(TOY, Format("toy-crash", filename="model.crash"))
def crash_from_toy(job: ExportJob[None]) -> None:
    import ctypes

    ctypes.string_at(0)


@exporter(TOY, Format("toy-noisy", filename="model.noisy"))
def noisy_from_toy(job: ExportJob[None]) -> None:
    import os

    print("printed by Python")
    os.write(1, b"written past Python\\n")
    job.output.write_text("made")
'''

MODELS = """from navcore.testing import toy


def model():
    return toy.ToyModel()


def data():
    return toy.dataloader()


def deadly():
    import ctypes

    ctypes.string_at(0)
"""


@pytest.fixture
def folder(tmp_path: Path, toy: object, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "crashing.py").write_text(PLUGIN)
    (tmp_path / "models.py").write_text(MODELS)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy,crashing=crashing")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), *sys.path)))
    return tmp_path


def navcore(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "navcore.cli", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_an_export_that_kills_the_process_of_the_source_is_a_row_and_the_run_goes_on(folder: Path) -> None:
    done = navcore(folder, "run", "models:model", "--data", "models:data", "--no-profiling", "--json")

    assert done.returncode == 0, done.stderr
    assert "The export to toy-crash was killed by SIGSEGV in the process of the source; going on" in done.stderr
    rows = {row["format"]: row for row in json.loads(done.stdout)["results"]}
    assert rows["toy-crash"]["status"] == "failed"
    assert "SIGSEGV" in json.dumps(rows["toy-crash"])
    assert rows["toy-gamma"]["status"] == "ok"


def test_a_model_that_kills_its_process_is_one_sentence(folder: Path) -> None:
    done = navcore(folder, "run", "models:deadly", "--data", "models:data", "--no-profiling")

    assert done.returncode == 1
    assert "killed by SIGSEGV: the model, or the data, ended it" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_noise_of_an_export_in_the_caller_goes_to_its_log(folder: Path) -> None:
    done = navcore(
        folder, "run", "models:model", "--data", "models:data", "--no-profiling", "--target", "toy-noisy", "--json"
    )

    assert "printed by Python" not in done.stdout + done.stderr
    assert "written past Python" not in done.stdout + done.stderr
    (log,) = folder.rglob("noisy_from_toy.log")
    assert log.read_text().splitlines() == ["printed by Python", "written past Python"]
