"""What steps took is remembered in the workspace, and counts for others of the same workdir."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from navcore.workspace import RANKING, Journal, opened, remember_times, seen
from navcore.workspace.results import Attempt, FormatResult, Outcome, RuntimeResult, Status


def took(root: Path, **seconds: Any) -> None:
    with opened(root) as workspace:
        Journal(workspace.journal_file).append("took", "run", seconds)


def place(tmp_path: Path, name: str) -> Path:
    return tmp_path / f"{name}.nav.workspace"


def test_its_own_last_time_comes_before_the_median_of_the_others(tmp_path: Path) -> None:
    took(place(tmp_path, "mine"), slow=5.0)
    took(place(tmp_path, "mine"), slow=4.0)
    for name, number in zip("abc", (1.0, 2.0, 30.0), strict=True):
        took(place(tmp_path, name), slow=number, fast=number)
    assert seen(place(tmp_path, "mine")) == {"slow": 4.0, "fast": 2.0}
    assert seen(place(tmp_path, "new")) == {"slow": 3.0, "fast": 2.0}


def test_a_ranking_of_another_model_says_nothing_of_this_one(tmp_path: Path) -> None:
    took(place(tmp_path, "a"), **{RANKING: 9.0})
    assert seen(place(tmp_path, "a")) == {RANKING: 9.0}
    assert seen(place(tmp_path, "b")) == {}


@pytest.mark.parametrize("number", [-1.0, "5", None, [5.0], float("inf")])
def test_what_is_no_time_counts_for_nothing(tmp_path: Path, number: Any) -> None:
    took(place(tmp_path, "a"), bad=number, good=1.0)
    assert seen(place(tmp_path, "a")) == {"good": 1.0}


def test_what_cannot_be_read_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "foreign.nav.workspace").mkdir()
    took(place(tmp_path, "a"), x=1.0)
    journal = place(tmp_path, "a") / ".navcore" / "journal.jsonl"
    journal.write_bytes(b"\xff\x00" + journal.read_bytes()[1:])
    (tmp_path / "link.nav.workspace").symlink_to(place(tmp_path, "a"))
    assert seen(place(tmp_path, "b")) == {}
    assert seen(tmp_path / "nowhere" / "c.nav.workspace") == {}


def test_only_what_came_to_a_result_is_kept(tmp_path: Path) -> None:
    from navcore.contract import Format

    made = Attempt("p:made", Outcome(Status.OK, 3.0))
    broke = Attempt("p:broke", Outcome(Status.FAILED, 9.0))
    one = RuntimeResult("r", Status.OK, "p:run", outcome=Outcome(Status.OK, 2.0))
    there = RuntimeResult("r", Status.OK, "p:there", outcome=Outcome(Status.OK, 2.0), elsewhere=True)
    row = FormatResult(Format("x"), Status.OK, attempts=(broke, made), runtimes=(one, there))
    with opened(place(tmp_path, "a")) as workspace:
        journal = Journal(workspace.journal_file)
        remember_times(journal, [row], None)
        remember_times(journal, [row], None)
        assert len(workspace.journal_file.read_text().splitlines()) == 1  # the same is not told twice
    assert seen(place(tmp_path, "a")) == {"p:made": 3.0, "p:run": 2.0}
    assert json.loads(journal.path.read_text().split(" ", 1)[1])["event"] == "took"
