"""The progress lines: one per event, plain where nobody looks, coloured on a terminal."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from navcore.package.report.bars import counted
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


def test_how_far_it_is_is_no_line() -> None:
    assert told(Event(Stage.SAMPLING, "torch", "reading the dataloader", share=0.5)) == []


def test_the_estimate_is_shown_before_the_time_is_spent() -> None:
    [line] = told(Event(Stage.ESTIMATE, "profiling", "measuring 2 runtimes takes 30 to 100 s", seconds=30.0))
    assert line.endswith("estimate  profiling  measuring 2 runtimes takes 30 to 100 s")


@pytest.mark.parametrize("stage", list(Stage))
def test_every_stage_has_its_word(stage: Stage) -> None:
    assert len(told(Event(stage, "x"))) == 1


def test_a_terminal_gets_colours_and_no_markup_of_the_text_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    [line] = told(Event(Stage.CHECKING, "onnx/[red]", "[/] odd", Status.FAILED, 1.0), stream=Terminal())
    assert "onnx/[red]" in line
    assert "[/] odd" in line
    assert "\x1b[31m  failed in 1.0 s" in line


def left_of(console: Console, terminal: Terminal) -> dict[str, bool]:
    """Which bars there are, by the beginning of their words, and whether each tells the time that is left."""
    assert console._bars is not None
    progress = console._bars._progress
    assert progress is not None
    for _ in range(2):  # what is left follows from how far it came between two moments
        time.sleep(0.01)
        progress.refresh()
    shown = terminal.getvalue()
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in shown.splitlines()]
    last = lines[-len(progress.tasks) :]
    words = re.compile(r"(?:.*\r)?(making and checking|\w+ (?:in turn|doubling the batch|\S+))")
    return {words.match(line)[1]: bool(re.search(r"\d:\d\d:\d\d left", line)) for line in last}  # type: ignore[index]


class TestBars:
    """What a terminal shows of work under way."""

    @pytest.fixture
    def terminal(self, monkeypatch: pytest.MonkeyPatch) -> Terminal:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.delenv("NO_COLOR", raising=False)
        return Terminal()

    def test_what_began_is_a_bar_and_what_ended_a_line(self, terminal: Terminal) -> None:
        with Console(terminal, clock=lambda: 0.0) as console:
            console(Event(Stage.MAKING, "on\x1bnx", "by [red]someone[/]"))
            assert "make on?nx by [red]someone[/]" in terminal.getvalue()
            assert "━" in terminal.getvalue()
            assert "\n" not in terminal.getvalue(), "nothing stays of it"
            console(Event(Stage.MAKING, "on\x1bnx", status=Status.OK, seconds=1.0))
        assert "0.0 s  make      on?nx\x1b[32m  ok in 1.0 s\x1b[0m\n" in terminal.getvalue()
        assert terminal.getvalue().endswith("\r\x1b[2K\r"), "the bar's line is empty in the end"

    def test_the_least_that_measuring_takes_is_a_bar_of_its_own_while_checks_run(self, terminal: Terminal) -> None:
        with Console(terminal, clock=lambda: 0.0) as console:
            console(Event(Stage.ESTIMATE, "profiling", "measuring takes 30 to 100 s", seconds=30.0))
            console(Event(Stage.MAKING, "onnx"))
            assert "at least" not in terminal.getvalue()
            console(Event(Stage.MAKING, "onnx", status=Status.OK, seconds=1.0))
            console(Event(Stage.CHECKING, "onnx/cpu"))
            assert "measuring, at least 30 s" in terminal.getvalue()

    def test_a_ranking_shows_how_much_of_its_budget_is_gone(self, terminal: Terminal) -> None:
        with Console(terminal, clock=lambda: 0.0) as console:
            console(Event(Stage.RANKING, "in turn", "3 models at batch sizes 1, 8", seconds=90.0))
            assert "rank in turn 3 models" in terminal.getvalue()
            console(Event(Stage.RANKING, "doubling the batch", "3 models", seconds=45.0))
            assert left_of(console, terminal) == {"rank in turn": True, "rank doubling the batch": True}
            console(Event(Stage.RANKING, "doubling the batch", "3 models", Status.OK, seconds=45.0))
            console(Event(Stage.RANKING, "in turn", "every ratio is known to 3 %", Status.OK, seconds=21.0))
        assert "rank      in turn\x1b[32m  ok in 21.0 s\x1b[0m: every ratio is known to 3 %" in terminal.getvalue()

    def test_what_tells_how_far_it_is_has_a_bar_with_the_time_that_is_left(self, terminal: Terminal) -> None:
        with Console(terminal, clock=lambda: 0.0) as console:
            console(Event(Stage.SAMPLING, "torch", "reading the dataloader and running the source"))
            assert left_of(console, terminal) == {"samples torch": False}, "nothing is known"
            for text in ("reading the dataloader", "running the source"):
                for share in (0.1, 0.2, 0.3):
                    console(Event(Stage.SAMPLING, "torch", text, share=share))
                assert left_of(console, terminal) == {"samples torch": True}
                assert f"samples torch {text} ━" in re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
            console(Event(Stage.SAMPLING, "torch", "samples: 100 correctness", Status.OK))
            console(Event(Stage.SAMPLING, "torch", "running the source", share=0.9))
        assert "\n" not in terminal.getvalue().replace("samples: 100 correctness\n", "", 1), "the rest was bars"

    def test_several_callers_have_a_bar_with_the_time_that_is_left(self, terminal: Terminal) -> None:
        with Console(terminal, clock=lambda: 0.0) as console:
            console(Event(Stage.CALLING, "onnx/cpu", "8 callers at once", seconds=8.0))
            assert left_of(console, terminal) == {"callers onnx/cpu": True}

    def test_the_steps_of_the_plan_are_a_bar_of_their_own_while_one_is_under_way(self, terminal: Terminal) -> None:
        with Console(terminal, clock=lambda: 0.0) as console:
            console(Event(Stage.ESTIMATE, "plan", "2 formats to make, 1 runtimes", steps=3))
            assert "making and checking" not in terminal.getvalue()
            console(Event(Stage.MAKING, "onnx"))
            assert left_of(console, terminal) == {"make onnx": False, "making and checking": False}, "nothing is known"
            console(Event(Stage.MAKING, "onnx", status=Status.OK, seconds=1.0))
            console(Event(Stage.CHECKING, "onnx/cpu"))
            console(Event(Stage.CHECKING, "onnx/cuda", "no CUDA device", Status.UNAVAILABLE))
            console(Event(Stage.MAKING, "openvino"))
            console(Event(Stage.CHECKING, "onnx/cpu", status=Status.OK, seconds=1.0))
            assert left_of(console, terminal) == {"make openvino": False, "making and checking": True}

    def test_a_remark_about_work_under_way_is_a_line(self, terminal: Terminal) -> None:
        with Console(terminal, clock=lambda: 0.0) as console:
            console(Event(Stage.SAMPLING, "torch", "reading"))
            console(Event(Stage.SAMPLING, "torch", "only four items"))
            assert "samples   torch\x1b[2m  only four items" in terminal.getvalue()

    def test_side_by_side_each_has_its_own_and_the_last_takes_the_display_along(self, terminal: Terminal) -> None:
        before = set(threading.enumerate())
        console = Console(terminal, clock=lambda: 0.0)
        for name in ("a", "b"):
            console(Event(Stage.CHECKING, name))
        console(Event(Stage.CHECKING, "a", status=Status.OK))
        [drawing] = set(threading.enumerate()) - before
        console(Event(Stage.CHECKING, "b", status=Status.OK))
        drawing.join(60)
        assert not drawing.is_alive()

    def test_an_interrupted_run_leaves_nothing_that_moves(self, terminal: Terminal) -> None:
        console, before = Console(terminal), set(threading.enumerate())
        with pytest.raises(KeyboardInterrupt), console:  # noqa: PT012 -- what happens on the way is what is tested
            console(Event(Stage.CHECKING, "onnx/cpu"))
            [drawing] = set(threading.enumerate()) - before
            raise KeyboardInterrupt
        drawing.join(60)
        assert not drawing.is_alive()

    def test_a_terminal_that_draws_no_line_anew_gets_lines(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TERM", "dumb")
        assert told(Event(Stage.MAKING, "onnx"), stream=terminal) == ["   0.0 s  make      onnx"]

    def test_the_cursor_is_never_hidden_nor_are_the_streams_of_the_process_replaced(self, terminal: Terminal) -> None:
        streams = sys.stdout, sys.stderr
        with Console(terminal) as console:
            console(Event(Stage.MAKING, "onnx"))
            assert (sys.stdout, sys.stderr) == streams
        assert "\x1b[?25l" not in terminal.getvalue()

    def test_no_color_asks_for_bars_without_colours(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        with Console(terminal) as console:
            console(Event(Stage.MAKING, "onnx"))
            console(Event(Stage.MAKING, "onnx", status=Status.FAILED))
        assert not re.search(r"\x1b\[[0-9;]*[34][0-9]", terminal.getvalue())


def test_things_are_counted_by_a_bar_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal, pipe = Terminal(), io.StringIO()
    assert list(counted("abc", "asking", terminal)) == list(counted("abc", "asking", pipe)) == ["a", "b", "c"]
    assert "asking" in terminal.getvalue()
    assert pipe.getvalue() == ""


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
