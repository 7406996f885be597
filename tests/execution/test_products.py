"""What a route may leave as its product, and how much it may tell of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import navcore as nav
from navcore.workspace.bounded import LONGEST_NOTE, MOST_FACTS, MOST_NOTES
from navcore.workspace.results import FormatResult, Status
from navcore.workspace.status.file import read_status

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]

PLUGIN = '''"""One route, which does what a file beside it says."""

import os
from pathlib import Path
from navcore import ExportJob, Format, Made, exporter
from navcore.testing.toy import TOY


@exporter(TOY, Format("toy-odd", filename="model"), isolation="fork")
def odd_from_toy(job: ExportJob[None]) -> Made:
    names = {"job": job, "os": os, "Made": Made}
    exec(Path(__file__).with_name("told").read_text(), names)
    return names.get("made", Made())
'''
Make = Callable[[str], FormatResult]


@pytest.fixture
def make(run_toy: Callable[..., nav.PackageDescriptor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """The row of a format that these lines make."""
    name = f"odd_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", f"toy=navcore.testing.toy,odd={name}")

    def row(lines: str) -> FormatResult:
        (tmp_path / "told").write_text(lines)
        return run_toy(targets="toy-odd", run_profiling=False).results[1]

    return row


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("job.output.symlink_to('/etc/passwd')", "it wrote 'model', which is a symbolic link"),
        ("job.output.mkdir(); (job.output / 'a').symlink_to('b')", "it wrote 'model/a', which is a symbolic link"),
        (
            "job.output.write_text('x'); (job.output.parent / 'beside').symlink_to('/')",
            "it wrote 'beside', which is a symbolic link",
        ),
        ("os.mkfifo(job.output)", "it wrote 'model', which is no regular file"),
    ],
    ids=["itself", "inside", "beside", "pipe"],
)
def test_a_product_that_is_or_holds_a_link_is_refused_by_name(make: Make, lines: str, told: str) -> None:
    row = make(lines)
    assert row.status == Status.FAILED
    assert row.failure is not None
    assert told in row.failure.cause
    assert "odd_from_toy" in row.failure.cause
    assert row.path is None


def test_a_flood_of_notes_leaves_a_record_that_can_be_read(make: Make, workdir: Any) -> None:
    row = make(
        "job.output.write_text('x')\n"
        "made = Made(notes=('word ' * 1000,) * 10_000, facts={str(number): 'y' * 5000 for number in range(500)})"
    )
    assert row.path is not None
    assert len(row.notes) == MOST_NOTES + 1
    assert row.notes[-1] == f"{10_000 - MOST_NOTES} more notes were left out."
    assert row.notes[0].endswith("… (5000 characters)")
    assert len(row.notes[0]) < LONGEST_NOTE + 50
    assert len(row.facts) == MOST_FACTS + 1
    assert row.facts["left out"] == f"{500 - MOST_FACTS} more facts"
    status = workdir / "navigator_model.nav.workspace" / "status.yaml"
    assert status.stat().st_size < 1 << 20
    assert read_status(status).results[1].notes == row.notes


def test_a_flood_in_an_error_is_cut_as_well(make: Make) -> None:
    row = make("raise ValueError('x' * 10_000_000)")
    assert row.failure is not None
    assert len(row.failure.cause) < LONGEST_NOTE + 200
