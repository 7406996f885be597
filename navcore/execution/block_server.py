"""A child that keeps one stored model loaded, and measures a block of calls whenever it is asked to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from navcore.contract import Route, Signature
from navcore.errors import StepError
from navcore.execution.child_line import Address, Line, answering, line_to
from navcore.execution.measurable import WARM_UP, Begun, Loaded, Measurable, measurable
from navcore.execution.separate_counts import SeparateCounts
from navcore.execution.step import MeasureStep, RouteCall, StepPlace
from navcore.registry import Registry
from navcore.sampling import SampleStore
from navcore.workspace import Failure, describe, from_data, to_data

if TYPE_CHECKING:
    from navcore.evaluation import VerifySettings, Window


class BlockLine:
    """The caller's end: the same as :class:`Measurable`, of a model in a child. What goes wrong is a StepError."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.loaded = Loaded()

    def load(self) -> None:
        """Wait until the model is loaded."""
        self.loaded = from_data(self._line.greeting(), Loaded)

    def begin(self, batch_size: int, interval: float = WARM_UP) -> Begun:
        """See :meth:`Measurable.begin`."""
        begun: Begun = self._answer(("begin", batch_size, interval), "warming up")
        return begun

    def again(self, batch_size: int) -> None:
        """See :meth:`Measurable.again`."""
        self._answer(("again", batch_size), "taking up another batch")

    def compare(self, batch_size: int) -> None:
        """See :meth:`Measurable.compare`."""
        self._answer(("compare", batch_size), "comparing a batch")

    def resident(self) -> int:
        """See :meth:`Measurable.resident`."""
        count: int = self._answer(("resident",), "a short question")
        return count

    def prove_callers(self, batch_size: int, callers: int, sessions: int) -> None:
        """See :meth:`Measurable.prove_callers`."""
        self._answer(("prove_callers", batch_size, callers, sessions), "a call of several at once")

    def call_together(self, callers: int, sessions: int, seconds: float) -> Window:
        """See :meth:`Measurable.call_together`."""
        window: Window = self._answer(("call_together", callers, sessions, seconds), "one block of calls")
        return window

    def block(self, seconds: float) -> Window:
        """See :meth:`Measurable.block`."""
        window: Window = self._answer(("block", seconds), "one block of calls")
        return window

    def hang_up(self) -> None:
        """Let the child end."""
        self._line.hang_up()

    def _answer(self, question: tuple[str, *tuple[float, ...]], what: str) -> Any:
        outcome, value = self._line.ask(question, what)
        if outcome == "failed":
            failure = from_data(value, Failure)
            raise StepError(failure.cause, hint=failure.hint)
        return value


@contextlib.contextmanager
def measurable_child(
    call: RouteCall,
    reference: Signature,
    workspace: Path,
    profiler: Route,
    counts: tuple[int, ...],
    place: StepPlace,
    *,
    patience: float | None = None,
    comparing: VerifySettings | None = None,
) -> Iterator[BlockLine]:
    """Start a child that loads the call's model; :meth:`BlockLine.load` waits for it, so that several load together.

    ``patience`` is how many seconds loading, warming up or one block may take.
    """

    def measuring(address: Address) -> MeasureStep:
        return MeasureStep(call, reference, workspace, profiler.id, counts, address.path, address.key, comparing)

    with line_to(measuring, place, patience=patience) as line:
        yield BlockLine(line)


def serve_blocks(step: MeasureStep, registry: Registry) -> int:
    """The child's side: load the model once, measure until the caller hangs up; how many questions there were."""
    asked = 0
    with (
        answering(Address(step.address, step.key)) as connection,
        _served(step, registry) as model,
        contextlib.suppress(EOFError, ConnectionResetError),
    ):
        connection.send(to_data(model.loaded))
        while True:
            question, *values = connection.recv()
            asked += 1
            try:
                connection.send(("ok", model.answer(question, *values)))
            except Exception as error:
                connection.send(("failed", to_data(describe(error))))
    return asked


def _served(step: MeasureStep, registry: Registry) -> Measurable | SeparateCounts:
    """The step's model in this process, or in forks of it where a process cannot change the number of threads."""
    store, profiler = SampleStore(step.workspace), registry.route(step.profiler)

    def with_counts(counts: tuple[int, ...]) -> Measurable:
        return measurable(step.call, step.reference, store, registry, profiler, counts, step.comparing)

    if registry.route(step.call.route).threads_per_process and len(step.thread_counts) > 1:
        return SeparateCounts(lambda count: with_counts((count,)), step.thread_counts)
    return with_counts(step.thread_counts)
