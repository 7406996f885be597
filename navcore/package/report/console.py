"""Tells people what a run does while it works: a line per event, and on a terminal bars for what is under way."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from navcore.package.report.bars import Bars, is_drawn_on
from navcore.package.report.cells import COLOURS, printable
from navcore.workspace import Event, Stage, Status

_BEGINS = {
    Stage.SAMPLING: "samples",
    Stage.MAKING: "make",
    Stage.CHECKING: "check",
    Stage.ESTIMATE: "estimate",
    Stage.RANKING: "rank",
    Stage.SCORING: "score",
    Stage.CALLING: "callers",
    Stage.PACKING: "pack",
}


class Console:
    """An observer for ``navcore.run(…, progress=Console())`` that tells what a run does.

    ``stream`` is standard error unless given. Anywhere but on a terminal each event is a line of plain text. On a
    terminal verdicts are coloured, and what is under way is shown by bars (by rich, imported only then); no stream is
    redirected. Each line begins with the seconds since the first event. ``navcore.run`` and ``load`` take the bars away
    when they end; whoever calls it otherwise does so by :meth:`close`, or ``with Console() as console:``.
    """

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._began: float | None = None
        self._bars = Bars(self._stream) if is_drawn_on(self._stream) else None

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take away what is shown of work under way; further events may follow."""
        if self._bars is not None:
            self._bars.close()

    def __call__(self, event: Event) -> None:
        """Print the event, or show that something began or went on."""
        if event.share is not None:
            if self._bars is not None:
                self._bars.advance(_name(event), _words(event), event.share)
            return
        now = self._clock()
        if self._began is None:
            self._began = now
        front = f"{now - self._began:6.1f} s  {_BEGINS[event.stage]:<8}  {printable(event.subject)}"
        verdict, rest = _verdict(event), printable(event.text)
        if self._bars is None:
            spaced = f"  {verdict}" if verdict else ""
            self._stream.write(f"{front}{spaced}{': ' if rest and verdict else '  ' if rest else ''}{rest}\n")
            self._stream.flush()
        else:
            self._draw(self._bars, event, front, verdict, rest)

    def _draw(self, bars: Bars, event: Event, front: str, verdict: str, rest: str) -> None:
        from rich.text import Text

        name, line = _name(event), Text(front)
        seconds = event.seconds or 0.0
        is_step = event.stage in (Stage.MAKING, Stage.CHECKING)
        if event.steps is not None:
            bars.expect_steps(event.steps)
        elif event.stage is Stage.ESTIMATE and event.subject == "profiling":
            bars.expect(seconds, f"measuring, at least {seconds:.0f} s")
        elif event.stage is not Stage.ESTIMATE and event.status is None and not bars.is_under_way(name):
            timed = event.stage is Stage.CHECKING
            bars.begin(name, _words(event), timed=timed, is_step=is_step, seconds=seconds)
            return
        if event.status is None:
            line.append(f"  {rest}" if rest else "", style="" if event.stage is Stage.ESTIMATE else "dim")
        else:
            line.append(f"  {verdict}", style=COLOURS[event.status])
            line.append(f": {rest}" if rest else "")
        bars.print(line)
        if event.status is not None:
            if is_step and event.status is not Status.UNAVAILABLE:
                bars.step_done()
            bars.end(name)


def _name(event: Event) -> str:
    return f"{event.stage}/{event.subject}"


def _words(event: Event) -> str:
    rest = printable(event.text)
    return f"{_BEGINS[event.stage]} {printable(event.subject)}{f' {rest}' if rest else ''}"


def _verdict(event: Event) -> str:
    """How it ended, with the seconds it took, or that an earlier run had finished it; ``""`` while it begins."""
    if event.status is None:
        return ""
    if event.reused:
        return f"{event.status}, reused"
    return f"{event.status} in {event.seconds:.1f} s" if event.seconds is not None else str(event.status)
