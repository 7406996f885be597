"""Prints what a run tells while it works, one line per event, to a stream for people."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from navcore.package.report.cells import COLOURS, printable
from navcore.workspace import Event, Stage

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

_BEGINS = {
    Stage.SAMPLING: "samples",
    Stage.MAKING: "make",
    Stage.CHECKING: "check",
    Stage.ESTIMATE: "estimate",
    Stage.PACKING: "pack",
}


class Console:
    """An observer for ``navcore.run(…, progress=Console())`` that prints a line per event.

    ``stream`` is standard error unless given. On a terminal the verdicts are coloured (by rich, imported only then);
    anywhere else the lines are plain text. Each begins with the seconds since the first event.
    """

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._began: float | None = None
        self._rich: RichConsole | None = None
        if self._stream.isatty():
            from rich.console import Console as RichConsole

            self._rich = RichConsole(file=self._stream, highlight=False)

    def __call__(self, event: Event) -> None:
        """Print the event."""
        now = self._clock()
        if self._began is None:
            self._began = now
        front = f"{now - self._began:6.1f} s  {_BEGINS[event.stage]:<8}  {printable(event.subject)}"
        verdict, rest = _verdict(event), printable(event.text)
        if self._rich is None:
            spaced = f"  {verdict}" if verdict else ""
            self._stream.write(f"{front}{spaced}{': ' if rest and verdict else '  ' if rest else ''}{rest}\n")
            self._stream.flush()
        else:
            self._print_coloured(self._rich, event, front, verdict, rest)

    def _print_coloured(self, console: RichConsole, event: Event, front: str, verdict: str, rest: str) -> None:
        from rich.text import Text

        line = Text(front)
        if event.status is None:
            line.append(f"  {rest}" if rest else "", style="" if event.stage is Stage.ESTIMATE else "dim")
        else:
            line.append(f"  {verdict}", style=COLOURS[event.status])
            line.append(f": {rest}" if rest else "")
        console.print(line, soft_wrap=True)


def _verdict(event: Event) -> str:
    """How it ended, with the seconds it took, or that an earlier run had finished it; ``""`` while it begins."""
    if event.status is None:
        return ""
    if event.reused:
        return f"{event.status}, reused"
    return f"{event.status} in {event.seconds:.1f} s" if event.seconds is not None else str(event.status)
