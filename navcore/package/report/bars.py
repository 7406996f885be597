"""Bars on a terminal for what is under way: one for each piece of work, and one for how far measuring has come."""

from __future__ import annotations

import atexit
import contextlib
import datetime
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TextIO, TypeVar

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress, Task, TaskID
    from rich.text import Text

Thing = TypeVar("Thing")

_PER_SECOND = 2  # seldom enough for a measurement that runs beside it
_BAR = 16


class Bars:
    """Draws below the lines of a terminal what is under way, and nothing while nothing is.

    No stream of the process is redirected. Drawing goes to a descriptor of its own, so that it reaches the terminal
    also while an export in this process has standard error captured. It is safe to call from any thread.
    """

    def __init__(self, stream: TextIO) -> None:
        self.console = _console(stream)
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        self._words: dict[str, str] = {}
        self._spans: dict[str, tuple[float, float]] = {}
        self._steps, self._steps_done, self._steps_began = 0, 0, 0.0
        self._total, self._done, self._told = 0.0, 0.0, ""
        self._lock = threading.RLock()
        atexit.register(self.close)

    def print(self, line: Text) -> None:
        """Print a line that stays, above the bars."""
        self.console.print(line, soft_wrap=True)

    def expect(self, seconds: float, words: str) -> None:
        """From now on show how much of so many seconds the work that is marked as timed has taken, beside ``words``."""
        self._total, self._done, self._told = seconds, 0.0, words

    def expect_steps(self, steps: int) -> None:
        """From now on show how many of so many steps have ended, beside those under way that are marked as steps."""
        self._steps, self._steps_done, self._steps_began = steps, 0, time.monotonic()

    def begin(self, name: str, words: str, *, timed: bool = False, is_step: bool = False, seconds: float = 0.0) -> None:
        """Show ``words`` with the seconds since now, until :meth:`end` is told the same name.

        Where it is known how many ``seconds`` it takes at most, the bar shows how much of that is left.
        """
        with self._lock:
            if self._progress is None:
                self._progress = _progress(self.console, self._move_on)
                self._progress.start()
            self._tasks[name] = self._progress.add_task(words, total=seconds or None)
            if seconds:
                self._spans[name] = (time.monotonic(), seconds)
            if is_step and self._steps and _STEPS not in self._tasks:
                done = min(self._steps_done, self._steps)
                self._tasks[_STEPS] = self._progress.add_task("making and checking", total=self._steps, completed=done)
            if timed and self._total > 0:
                self._began[name] = time.monotonic()
                if _TOTAL not in self._tasks:
                    self._tasks[_TOTAL] = self._progress.add_task(self._told, total=self._total)

    def advance(self, name: str, words: str, share: float) -> None:
        """Show ``words`` in the bar of that name, of which that share is done; other words begin anew."""
        with self._lock:
            if (task := self._tasks.get(name)) is None or self._progress is None:
                return
            if self._words.get(name) != words:
                self._words[name] = words
                self._progress.reset(task, total=1.0, description=words)
            self._progress.update(task, completed=share)

    def is_under_way(self, name: str) -> bool:
        """Whether a bar of that name is shown."""
        return name in self._tasks

    def step_done(self) -> None:
        """One of the steps has ended, whether it was shown or not."""
        with self._lock:
            self._steps_done = min(self._steps_done + 1, self._steps)
            if _STEPS in self._tasks and self._progress is not None:
                self._progress.update(self._tasks[_STEPS], completed=self._steps_done)

    def end(self, name: str) -> None:
        """Take the bar of that name away; without any left the terminal is as it was."""
        with self._lock:
            self._spans.pop(name, None)
            self._words.pop(name, None)
            self._done += time.monotonic() - self._began.pop(name, time.monotonic())
            task = self._tasks.pop(name, None)
            if task is None or self._progress is None:
                return
            self._progress.remove_task(task)
            if not self._tasks.keys() - {_TOTAL, _STEPS}:
                self.close()

    def _move_on(self) -> None:
        """Let the bars of known seconds grow; without the lock, because it is called with those of rich held."""
        task, progress, now = self._tasks.get(_TOTAL), self._progress, time.monotonic()
        if task is not None and progress is not None:
            taken = self._done + sum(now - began for began in list(self._began.values()))
            progress.update(task, completed=min(taken, self._total))
        if (steps := self._tasks.get(_STEPS)) is not None and progress is not None and self._steps_done:
            each = (now - self._steps_began) / self._steps_done
            progress.update(steps, left=each * (self._steps - self._steps_done))
        for name, (began, seconds) in list(self._spans.items()):
            own = self._tasks.get(name)
            if progress is not None and own is not None:
                progress.update(own, completed=min(now - began, seconds))

    def close(self) -> None:
        """Take all bars away; one that begins afterwards is shown as before."""
        with self._lock:
            self._tasks.clear()
            self._began.clear()
            self._spans.clear()
            if self._progress is not None:
                progress, self._progress = self._progress, None
                with contextlib.suppress(OSError, ValueError):  # the terminal may be gone
                    progress.stop()


def counted(things: Iterable[Thing], words: str, stream: TextIO) -> Iterator[Thing]:
    """The things one after the other, with a bar on a terminal for how many of them are done."""
    listed = list(things)
    if not is_drawn_on(stream):
        yield from listed
        return
    with _progress(_console(stream)) as progress:
        yield from progress.track(listed, description=words)


def is_drawn_on(stream: TextIO) -> bool:
    """Whether the stream leads to a terminal on which lines can be drawn anew."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


_TOTAL, _STEPS = "\0total", "\0steps"
"""No name that a caller gives holds this character."""


def _progress(console: Console, move_on: Callable[[], None] = lambda: None) -> Progress:
    """Bars that are not shown yet; ``move_on`` is called before they are drawn."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.table import Column
    from rich.text import Text

    class Left(TimeRemainingColumn):
        def render(self, task: Task) -> Text:
            if (left := task.fields.get("left")) is not None:  # these bars come and go, and rich would begin anew
                return Text(f"{datetime.timedelta(seconds=int(left))} left", style="progress.remaining")
            found = super().render(task)
            return found.append(" left") if ":" in found.plain else found

    class Drawn(Progress):
        def get_renderables(self) -> Iterable[RenderableType]:
            move_on()
            return super().get_renderables()

    return Drawn(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        BarColumn(_BAR),
        TimeElapsedColumn(),
        Left(table_column=Column(no_wrap=True)),
        console=console,
        refresh_per_second=_PER_SECOND,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _console(stream: TextIO) -> Console:
    """The terminal behind the stream, by a descriptor of its own where the stream has one."""
    from rich.console import Console

    class Terminal(Console):
        def show_cursor(self, show: bool = True) -> bool:
            return False  # it stays as it is: who hides it and is killed leaves a terminal without one

    with contextlib.suppress(OSError, ValueError):
        stream = open(os.dup(stream.fileno()), "w", encoding=stream.encoding, errors="replace")  # noqa: SIM115
    return Terminal(file=stream, force_terminal=True, highlight=False)
