"""A file as the source: it is loaded and run in a child, whose end is a clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import navcore as nav

pytestmark = pytest.mark.processes

DATA = [{"x": np.arange(2 * size, dtype=np.float32).reshape(2, size)} for size in (2, 3, 3)]


@pytest.fixture
def file(tmp_path: Path) -> Any:
    """Write a toy file; ``mischief`` is that of its runner, ``beta`` that of its conversion's."""

    def write(mischief: str = "", large: str = "", beta: str = "") -> Path:
        path = tmp_path / "mine.toy"
        acts = {"run toy-alpha": mischief, "large toy-alpha": large, "run toy-beta": beta}
        content = {"factor": 2.0, "offset": 1.0, "output": "y", "mischief": acts, "fixed": None, "right_at": None}
        path.write_text(json.dumps(content))
        return path

    return write


def test_a_file_is_a_source(run_toy: Any, file: Any) -> None:
    path = file()
    package = run_toy(path, targets="toy-beta", dataloader=DATA)
    assert [(row.format.name, row.status) for row in package.results] == [("toy-alpha", "ok"), ("toy-beta", "ok")]
    assert package.get_source_runner() is None
    assert package.get_model("toy-alpha").read_bytes() == path.read_bytes()
    assert package.record.live is False
    assert package.results[0].runtimes[0].performance
    best = package.best()
    assert best is not None


def test_a_file_as_the_source_survives_save_and_load(run_toy: Any, file: Any, tmp_path: Path) -> None:
    run_toy(file(), targets="toy-beta", dataloader=DATA, run_profiling=False).save(tmp_path / "x.nav")
    package = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", run_profiling=False)
    assert [(row.format.name, row.status, row.elsewhere) for row in package.results] == [
        ("toy-alpha", "ok", False), ("toy-beta", "ok", False),
    ]  # fmt: skip


def test_names_come_from_the_file_when_the_data_has_none(run_toy: Any, file: Any) -> None:
    package = run_toy(file(), targets="toy-beta", dataloader=[(item["x"],) for item in DATA], run_profiling=False)
    assert package.record.samples is not None
    assert package.record.samples.signature.input_names == ("x",)


@pytest.mark.parametrize(
    ("mischief", "told"),
    [
        ("raise", "ValueError: mischief was asked for"),
        ("segfault", "killed by SIGSEGV"),
        ("exit", "exited with status 0 and left no result"),
        ("unavailable", "the toy accelerator is not there"),
    ],
)
def test_a_source_that_cannot_be_loaded_is_a_clear_error(run_toy: Any, file: Any, mischief: str, told: str) -> None:
    with pytest.raises(nav.StepError, match="The source could not be run") as caught:
        run_toy(file(mischief), dataloader=DATA)
    assert told in str(caught.value)
    assert "run_toy_file" in str(caught.value)


@pytest.mark.parametrize(("mischief", "told"), [("segfault", "killed by SIGSEGV"), ("raise", "mischief was asked for")])
def test_a_source_that_ends_in_a_call_is_a_clear_error(run_toy: Any, file: Any, mischief: str, told: str) -> None:
    data = [{"x": np.ones((40, 2), np.float32)}, {"x": np.ones((40, 3), np.float32)}]
    with pytest.raises(nav.NavcoreError) as caught:
        run_toy(file(large=mischief), dataloader=data)
    assert told in str(caught.value)


def test_a_source_that_hangs_ends_with_the_time_limit(run_toy: Any, file: Any) -> None:
    with pytest.raises(nav.StepError, match="loading it took longer than 1 s"):
        run_toy(file("hang"), dataloader=DATA, timeout=1)


def test_a_source_that_takes_too_much_memory_is_ended(run_toy: Any, file: Any) -> None:
    with pytest.raises(nav.StepError, match="used more than 400 MiB"):
        run_toy(file("hog"), dataloader=DATA, memory_limit=400 << 20)


def test_a_source_that_remembers_is_named_as_stateful(run_toy: Any, file: Any) -> None:
    package = run_toy(file("counting"), targets="toy-beta", dataloader=DATA, run_profiling=False)
    assert package.record.samples.stateful
    assert any(note.startswith("The source model is stateful") for note in package.record.samples.notes)
    (row,) = [row for row in package.results if row.format.name == "toy-beta"]
    assert "The source is stateful" in row.runtimes[0].verification.failure.cause


def test_a_source_that_draws_is_not_stateful_and_an_export_that_draws_alike_is_compared_exactly(
    run_toy: Any, file: Any
) -> None:
    package = run_toy(file("drawing", beta="drawing"), targets="toy-beta", dataloader=DATA, run_profiling=False)
    samples = package.record.samples
    assert (samples.stateful, samples.runs) == (False, 16)
    (row,) = [row for row in package.results if row.format.name == "toy-beta"]
    verification = row.runtimes[0].verification
    assert (row.status, verification.bound) == ("ok", 1e-4)
    assert any("the same random numbers" in note for note in verification.notes)


def test_a_source_that_draws_so_much_proves_nothing_of_an_export_that_does_not(run_toy: Any, file: Any) -> None:
    package = run_toy(file("drawing"), targets="toy-beta", dataloader=DATA, run_profiling=False)
    (row,) = [row for row in package.results if row.format.name == "toy-beta"]
    assert row.status == "unverified"
    assert "does not repeat itself" in row.runtimes[0].verification.failure.cause
