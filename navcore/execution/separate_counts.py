"""A stored model whose process cannot change its threads: loaded in a fork for each number, of which the best stays."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from navcore.errors import StepError
from navcore.execution.measurable import WARM_UP, Begun, Loaded, Measurable
from navcore.execution.threads import fastest
from navcore.workspace import Failure, describe, from_data, to_data

Opened = Callable[[int], Measurable]
"""The model with so many threads, to be loaded in the process that enters it."""


class SeparateCounts:
    """What a :class:`Measurable` is, with each of ``counts`` threads in a fork of this process until one is chosen.

    Forks load beside each other. The runtime must not have run anything in this process, which has to be a child of a
    run: whoever ends that ends its forks. What goes wrong is a :class:`StepError`; a number with which the model cannot
    be loaded is left out, unless it is the first, the largest.
    """

    def __init__(self, opened: Opened, counts: Sequence[int]) -> None:
        self._opened = opened
        self._counts = tuple(counts)
        self._forks: dict[int, _Fork] = {}
        self.loaded = Loaded()

    def __enter__(self) -> SeparateCounts:
        lines = [multiprocessing.Pipe() for _ in self._counts]
        for count, (mine, theirs) in zip(self._counts, lines, strict=True):
            others = [end for pair in lines for end in pair if end is not theirs]
            self._forks[count] = _Fork(self._opened, count, mine, theirs, others)
        for _, theirs in lines:
            theirs.close()
        try:
            self.loaded = self._forks[self._counts[0]].ask("greeting")
        except StepError:
            self._keep(None)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._keep(None)

    def answer(self, question: str, *values: Any) -> Any:
        """What the method of that name returns, of the model with the best number of threads."""
        return self.begin(*values) if question == "begin" else self._forks[self._counts[0]].ask(question, *values)

    def begin(self, batch_size: int, interval: float = WARM_UP) -> Begun:
        """See :meth:`Measurable.begin`; the threads are chosen at the first batch size."""
        if len(self._counts) > 1:
            self._counts = (self.fastest(batch_size),)
            self._keep(self._counts[0])
        begun: Begun = self._forks[self._counts[0]].ask("begin", batch_size, interval)
        return begun

    def fastest(self, batch_size: int) -> int:
        """The number of threads with which calls of that batch size take the least time."""

        def tried(count: int) -> list[float]:
            seconds: list[float] = self._forks[count].ask("seconds_of_calls", batch_size)
            return seconds

        return fastest([count for count in self._counts if self._is_loaded(count)], tried)

    def _is_loaded(self, count: int) -> bool:
        with contextlib.suppress(StepError):
            self._forks[count].ask("greeting")
            return True
        return False

    def _keep(self, count: int | None) -> None:
        ending = [self._forks.pop(one) for one in list(self._forks) if one != count]
        for fork in ending:
            fork.hang_up()
        for fork in ending:
            fork.wait()


class _Fork:
    """A fork in which the model has so many threads; ``others`` are ends of pipes that are not its own."""

    def __init__(
        self, opened: Opened, count: int, mine: Connection, theirs: Connection, others: Sequence[Connection]
    ) -> None:
        self._line = mine
        self._process: BaseProcess = multiprocessing.get_context("fork").Process(
            target=_serve, args=(opened, count, theirs, others)
        )
        self._process.start()

    def ask(self, question: str, *values: Any) -> Any:
        try:
            self._line.send((question, *values))
            outcome, value = self._line.recv()
        except (EOFError, OSError):
            self.wait()
            raise StepError(f"its process ended without a word, with status {self._process.exitcode}.") from None
        if outcome == "failed":
            failure = from_data(value, Failure)
            raise StepError(failure.cause, hint=failure.hint)
        return value

    def hang_up(self) -> None:
        """Let it end, without waiting for it."""
        self._line.close()

    def wait(self) -> None:
        self._process.join()


def _serve(opened: Opened, count: int, line: Connection, others: Sequence[Connection]) -> None:
    """The fork: load the model, answer until the other end is closed; what it inherited it leaves alone."""
    for other in others:
        other.close()  # or the other end would never be seen to close
    try:
        with contextlib.ExitStack() as stack:
            model: Measurable | Exception
            try:
                model = stack.enter_context(opened(count))
            except Exception as error:
                model = error
            with contextlib.suppress(EOFError, OSError):
                _answer_all(line, model)
    finally:
        os._exit(0)


def _answer_all(line: Connection, model: Measurable | Exception) -> None:
    while True:
        question, *values = line.recv()
        try:
            if isinstance(model, Exception):
                raise model
            told = ("ok", model.loaded if question == "greeting" else model.answer(question, *values))
        except Exception as error:
            told = ("failed", to_data(describe(error)))
        line.send(told)
