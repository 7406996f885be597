"""All that the page says, gathered from a record."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from navcore.package.report.cells import COLUMNS, SPEEDS, TableRow, rows_of
from navcore.package.report.html import content
from navcore.package.report.html.content import content_of
from navcore.workspace.results import Failure, Outcome, RuntimeResult, Status

from .given_records import broken, made, nothing, ranking, record, source


def test_every_column_of_the_table_is_on_the_page() -> None:
    assert content_of(record(made("onnx", 1e-7, 1.0)), nothing).columns == COLUMNS


def test_what_else_the_table_may_tell_stands_before_the_speeds(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_more(*asked: Any) -> list[TableRow]:
        return [attrs.evolve(line, cells={**line.cells, "accuracy": "0.9"}) for line in rows_of(*asked)]

    monkeypatch.setattr(content, "rows_of", with_more)
    found = content_of(record(made("onnx", 1e-7, 1.0)), nothing)
    assert found.columns.index("accuracy") == COLUMNS.index(SPEEDS[0])
    assert found.rows[0].once["accuracy"] == "0.9"


def test_a_row_says_once_what_does_not_depend_on_the_batch() -> None:
    found = content_of(record(source(4.0, 6.0), made("onnx", 1e-7, 1.0, 2.0)), nothing)
    first, row = found.rows
    assert first.format == "torch (source)"
    assert (row.format, row.runtime, row.result, row.status) == ("onnx", "cpu", "ok", "ok")
    assert row.once["rel L2"] == "1.0e-07"
    assert row.once["size"] == "1.00 kB"
    assert [speed["batch"] for speed in row.speeds] == ["1", "2"]
    assert [speed["vs source"] for speed in row.speeds] == ["4.00×", "3.00×"]


def test_the_row_of_the_answer_is_marked() -> None:
    rows = (source(4.0), made("onnx", 1e-7, 1.0), made("pt2", 1e-7, 2.0))
    found = content_of(record(*rows, ranking=ranking(("onnx", 4, 3.9, 4.1), ("pt2", 2, 1.9, 2.1))), nothing)
    assert [row.format for row in found.rows if row.chosen] == ["onnx"]


def test_a_row_without_numbers_says_why() -> None:
    found = content_of(record(broken("onnx", "no operator of that name")), nothing)
    assert found.rows[0].cause == "no operator of that name"
    assert found.rows[0].speeds == ()


def test_a_cause_that_several_share_is_told_once_with_what_to_do() -> None:
    absent = Outcome(
        Status.UNAVAILABLE, log="x/cuda.log", failure=Failure("no CUDA device", "unavailable", "", "Get one.")
    )
    rows = [
        attrs.evolve(made(name), runtimes=(RuntimeResult("cuda", Status.UNAVAILABLE, outcome=absent),))
        for name in ("onnx", "pt2")
    ]
    (failed,) = content_of(record(*rows), nothing).failures
    assert (failed.status, failed.who, failed.cause) == ("unavailable", "onnx, pt2 in cuda", "no CUDA device")
    assert failed.details == ("Get one.", "log: x/cuda.log")


def test_notes_name_their_row() -> None:
    found = content_of(record(attrs.evolve(made("onnx"), notes=("Opset 17.",))), nothing)
    assert ("onnx", "Opset 17.") in found.notes


def test_nobodys_home_folder_is_on_the_page() -> None:
    linux, mac, root = (f"/{folder}" for folder in ("home/ada", "Users/ada", "root"))
    failure = broken("onnx", f"cannot read {linux}/x.onnx", frame=f"{mac}/train.py:3", hint=f"See {root}/x.")
    assert "/root" not in str(content_of(record(failure), nothing))
    assert "ada" not in str(content_of(record(failure), nothing))


def test_what_a_stranger_recorded_is_bounded() -> None:
    rows = [broken(f"format-{number}", "x" * 10_000) for number in range(600)]
    found = content_of(record(*rows), nothing)
    assert len(found.rows) == 500
    assert found.is_cut
    assert max(len(row.cause) for row in found.rows) < 5000
