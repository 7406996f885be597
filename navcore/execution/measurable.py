"""A model that is loaded and can be measured, in whatever process it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from navcore.contract import ProfileJob, ProfilerConfig, Route, Runner, Signature
from navcore.errors import StepError
from navcore.execution.resources import resident_memory
from navcore.execution.step import RouteCall
from navcore.execution.threads import OpenWith, fastest_count, opening, seconds_of_calls
from navcore.registry import Registry
from navcore.sampling import SampleStore

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

    def answer(self, question: str, *values: Any) -> Any:
        """What the method of that name returns."""
        return getattr(self, question)(*values)

    def seconds_of_calls(self, batch_size: int) -> list[float]:
        """How long calls with the first of the numbers of threads take; none where the runtime did not take it."""
        if self.loaded.threads != self._counts[0]:
            return []
        return seconds_of_calls(self._runner, self._feeds_of(batch_size))

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
