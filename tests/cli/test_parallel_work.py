"""The doctor's words on what the processors do together."""

from __future__ import annotations

import pytest

from navcore.cli import parallel_work
from navcore.cli.parallel_work import told_of_threads, work_of


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """What the processes get done, for one call after the other."""
    answers: list[list[int]] = []
    monkeypatch.setattr(parallel_work, "_counted", lambda processes: answers.pop(0)[:processes])
    return answers


def test_processors_that_are_whole_are_told_as_they_are(counted: list[list[int]]) -> None:
    counted += [[1000], [1000, 950]]
    assert told_of_threads(2) == "2 processors do the work of 1.9"


def test_where_two_do_little_more_than_one_more_threads_are_warned_of(counted: list[list[int]]) -> None:
    counted += [[1000], [600, 500]]
    assert told_of_threads(2) == (
        "2 processors do the work of 1.1 at this moment: more threads may be slower than one, and threads='auto' tries "
        "which are faster"
    )


def test_one_processor_is_not_measured(counted: list[list[int]]) -> None:
    assert told_of_threads(1) == "1 processor"


@pytest.mark.processes
def test_one_process_does_the_work_of_one() -> None:
    assert work_of(1) > 0
