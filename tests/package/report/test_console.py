"""The progress lines: one per event, plain where nobody looks, coloured on a terminal."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator

import pytest

from navcore.package.report.console import Console
from navcore.workspace.progress import Event, Stage
from navcore.workspace.results import Status


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def ticking() -> Iterator[float]:
    return iter([100.0, 101.5, 103.0, 104.5])


def told(*events: Event, stream: io.StringIO | None = None) -> list[str]:
    stream = io.StringIO() if stream is None else stream
    clock = ticking()
    console = Console(stream, clock=lambda: next(clock))
    for event in events:
        console(event)
    return stream.getvalue().splitlines()


def test_each_event_is_a_line_with_the_seconds_since_the_first() -> None:
    assert told(
        Event(Stage.MAKING, "onnx", "by onnx_from_torch"),
        Event(Stage.MAKING, "onnx", status=Status.OK, seconds=1.49),
        Event(Stage.CHECKING, "onnx/cpu", "too far off", Status.FAILED, 0.2),
    ) == [
        "   0.0 s  make      onnx  by onnx_from_torch",
        "   1.5 s  make      onnx  ok in 1.5 s",
        "   3.0 s  check     onnx/cpu  failed in 0.2 s: too far off",
    ]


def test_what_an_earlier_run_had_finished_is_reused() -> None:
    assert told(Event(Stage.MAKING, "onnx", "", Status.OK, 12.0, reused=True))[0].endswith("onnx  ok, reused")


def test_the_estimate_is_shown_before_the_time_is_spent() -> None:
    [line] = told(Event(Stage.ESTIMATE, "profiling", "measuring 2 runtimes takes 30 to 100 s", seconds=30.0))
    assert line.endswith("estimate  profiling  measuring 2 runtimes takes 30 to 100 s")


@pytest.mark.parametrize("stage", list(Stage))
def test_every_stage_has_its_word(stage: Stage) -> None:
    assert len(told(Event(stage, "x"))) == 1


def test_a_terminal_gets_colours_and_no_markup_of_the_text_is_obeyed() -> None:
    [line] = told(Event(Stage.CHECKING, "onnx/[red]", "[/] odd", Status.FAILED, 1.0), stream=Terminal())
    assert "onnx/[red]" in line
    assert "[/] odd" in line


def test_it_writes_to_standard_error_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    Console()(Event(Stage.PACKING, "model.nav"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "pack      model.nav" in captured.err


def test_rich_is_imported_for_terminals_only() -> None:
    script = """
import io, sys
from navcore.workspace.progress import Event, Stage
from navcore.package.report import Console
Console(io.StringIO())(Event(Stage.MAKING, "onnx"))
assert "rich" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
