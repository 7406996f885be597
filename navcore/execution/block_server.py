"""A child that keeps one stored model loaded, and measures a block of calls whenever it is asked to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from navcore.contract import ProfileJob, ProfilerConfig, Route, Runner, Signature
from navcore.errors import StepError
from navcore.execution.child_line import Address, Line, answering, line_to
from navcore.execution.resources import resident_memory
from navcore.execution.step import MeasureStep, RouteCall, StepPlace
from navcore.execution.threads import OpenWith, fastest_count, opening
from navcore.registry import Registry
from navcore.sampling import SampleStore
from navcore.workspace import Failure, describe, from_data, to_data

if TYPE_CHECKING:
    import numpy as np

    from navcore.evaluation import VerifySettings, Window


WARM_UP = 5000.0
"""Milliseconds of the page's windows, for which a model is warmed up unless somebody says otherwise."""

Prove = Callable[[Sequence[Runner], int, int], None]
Compare = Callable[[Runner, Mapping[str, "np.ndarray"], int], str]
WindowOf = Callable[[Runner, Mapping[str, "np.ndarray"], float], "Window"]
FeedsOf = Callable[[int], Mapping[str, "np.ndarray"]]


@attrs.frozen
class Begun:
    """What was learned before the first block: the first call in ms, and the threads that the model has from now on."""

    cold_start: float
    threads: int | None


@attrs.frozen
class Loaded:
    """What a runner said of itself when it was loaded."""

    provider: str = ""
    precision: str | None = None
    threads: int | None = None
    notes: tuple[str, ...] = ()


class Measurable:
    """A model that is loaded and can be measured, in whatever process it is; open between ``with`` and its end.

    ``open_with`` loads it with so many threads; which of ``counts`` is best is tried at the first batch size.
    ``compare`` says why the outputs of a batch are not those of the first, or nothing; ``prove`` raises where several
    callers of a batch, each of the next of these runners, do not all get what a caller alone gets.
    """

    def __init__(
        self,
        open_with: OpenWith,
        counts: tuple[int, ...],
        window: WindowOf,
        feeds: FeedsOf,
        compare: Compare,
        prove: Prove,
    ) -> None:
        self._open_with = open_with
        self._counts = counts
        self._window = window
        self._feeds_of = feeds
        self._compare = compare
        self._prove = prove
        self._feeds: Mapping[str, np.ndarray] = {}
        self._preparation = 0.0
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Measurable:
        self._open(self._counts[0])
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self, threads: int) -> None:
        self._stack.close()
        self._runner = self._stack.enter_context(self._open_with(threads))
        self._sessions = [self._runner]
        self._preparation = self._runner.preparation
        self.loaded = Loaded(self._runner.provider, self._runner.precision, self._runner.threads, self._runner.notes)

    def begin(self, batch_size: int, interval: float = WARM_UP) -> Begun:
        """Take the profiling sample as a batch of that size (−1: unbatched), choose the threads, and warm up.

        That is done as for windows of ``interval`` ms, in blocks of a twentieth of it.
        """
        from navcore.evaluation import warm_up

        self._feeds = self._feeds_of(batch_size)
        if len(self._counts) > 1:
            self._stack.close()
            self._counts = (fastest_count(self._open_with, self._feeds, self._counts),)
            self._open(self._counts[0])
        cold_start = warm_up(lambda: self._runner(self._feeds), ProfilerConfig(measurement_interval=interval))
        cold_start, self._preparation = cold_start + 1000 * self._preparation, 0.0
        return Begun(cold_start, self.loaded.threads)

    def again(self, batch_size: int) -> None:
        """Take up a batch size at which the model is warm already."""
        self._feeds = self._feeds_of(batch_size)

    def compare(self, batch_size: int) -> None:
        """Raise :class:`StepError` where this batch gives other outputs than the first one that was compared."""
        if cause := self._compare(self._runner, self._feeds, batch_size):
            raise StepError(cause)

    def resident(self) -> int:
        """How many bytes of memory this process holds."""
        return resident_memory()

    def prove_callers(self, batch_size: int, callers: int, sessions: int) -> None:
        """Load the model ``sessions`` times and let callers come together; raises where one gets a wrong answer."""
        while len(self._sessions) < sessions:
            self._sessions.append(self._stack.enter_context(self._open_with(self._counts[0])))
        self._prove(self._sessions[:sessions], batch_size, callers)

    def call_together(self, callers: int, sessions: int, seconds: float) -> Window:
        """One block of several callers, after :meth:`prove_callers`."""
        from navcore.evaluation import call_together

        return call_together(self._sessions[:sessions], [self._feeds] * callers, seconds)

    def block(self, seconds: float) -> Window:
        """One window of the profiler, of so many seconds and at least one call."""
        return self._window(self._runner, self._feeds, seconds)


def measurable(
    call: RouteCall,
    reference: Signature,
    store: SampleStore,
    registry: Registry,
    profiler: Route,
    counts: tuple[int, ...],
    comparing: VerifySettings | None = None,
) -> Measurable:
    """The call's model, to be loaded in this process; ``reference`` is the source's signature.

    By ``comparing`` its outputs are held against its own others, where that is asked; ``None``: they are not.
    """
    feeds_of: FeedsOf = partial(store.profiling_feeds, reference)

    def window(runner: Runner, feeds: Mapping[str, np.ndarray], seconds: float) -> Window:
        from navcore.evaluation import take_window

        job = ProfileJob(runner, feeds, seconds=seconds, log_dir=call.log_dir)
        return take_window(lambda: registry.ask("profile", job, profiler))

    def prove(runners: Sequence[Runner], size: int, callers: int) -> None:
        from navcore.evaluation import Proof

        proof = Proof(call.artifact.signature, comparing, registry)
        proof.refuse_unsafe(runners, store.different_feeds(reference, size, callers))

    compare: Compare = lambda _runner, _feeds, _size: ""  # noqa: E731
    if comparing is not None:
        from navcore.evaluation import SameRows

        compare = SameRows(call.artifact.signature, comparing, registry).refusal
    return Measurable(opening(call, registry), counts, window, feeds_of, compare, prove)


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
    store, profiler = SampleStore(step.workspace), registry.route(step.profiler)
    with (
        answering(Address(step.address, step.key)) as connection,
        measurable(step.call, step.reference, store, registry, profiler, step.thread_counts, step.comparing) as model,
        contextlib.suppress(EOFError, ConnectionResetError),
    ):
        connection.send(to_data(model.loaded))
        while True:
            question, *values = connection.recv()
            asked += 1
            try:
                connection.send(("ok", getattr(model, question)(*values)))
            except Exception as error:
                connection.send(("failed", to_data(describe(error))))
    return asked
