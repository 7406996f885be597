"""Several callers of each model at once, on one session of it and on one for each: the rows with what they did."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from functools import partial

import attrs

from navcore.contract import Name
from navcore.evaluation import concurrent_throughput, interleave, most_at
from navcore.execution.admission import BASE
from navcore.execution.check_settings import incomparable, run_key
from navcore.execution.contestants import Contestant, contestants_of
from navcore.execution.loaded_models import Model, loaded_models
from navcore.execution.resources import available_memory
from navcore.execution.run_context import RunContext
from navcore.workspace import (
    BatchPerformance,
    ConcurrentThroughput,
    Event,
    FormatResult,
    RuntimeResult,
    Stage,
    Status,
    describe,
    digest,
    from_older_data,
    hardware_key,
    to_data,
)

SECONDS = 4.0
"""For one row at one batch size, both ways of calling together."""

BLOCK = 0.25
TOLD = "Callers at once:"
"""How the notes of a row begin that say what could not be measured, or not compared."""


def with_callers(
    context: RunContext, rows: Sequence[FormatResult], keys: Mapping[str, str]
) -> tuple[FormatResult, ...]:
    """The rows that have numbers with what several callers at once get out of them; as they are where nobody asked.

    ``keys`` are the recipes of the formats, by name, under which it is found again. Never raises for what a model does:
    its row says what could not be measured.
    """
    callers = context.settings.callers
    if callers is None or not context.settings.run_profiling or context.executor is not None:
        return tuple(rows)
    contestants = {one.place: one for one in contestants_of(context, rows)}

    def completed(row: FormatResult, runtime: RuntimeResult) -> RuntimeResult:
        one = contestants.get((Name(row.format.name), runtime.runtime))
        if one is None or not runtime.performance:
            return runtime
        found = _found_or_measured(context, one, runtime, callers, keys.get(row.format.name))
        notes = [note for note in runtime.notes if not note.startswith(TOLD)]
        return attrs.evolve(runtime, concurrent=found.concurrent, notes=(*notes, *found.notes))

    return tuple(attrs.evolve(row, runtimes=tuple(completed(row, one) for one in row.runtimes)) for row in rows)


@attrs.frozen
class _Together:
    """What came of one row."""

    concurrent: tuple[ConcurrentThroughput, ...] = ()
    notes: tuple[str, ...] = ()


def _found_or_measured(
    context: RunContext, one: Contestant, runtime: RuntimeResult, callers: int, recipe: str | None
) -> _Together:
    sizes, told = _sizes(runtime.performance), f"{callers} callers at once"
    key = None
    if recipe is not None:
        key = digest("callers", run_key(context, recipe, one.route), runtime.threads, callers, sizes, hardware_key())
        known = from_older_data(context.journal.find("callers", key), _Together)
        if known is not None:
            context.announce(Event(Stage.CALLING, one.name, told, Status.OK, reused=True))
            return known
    began = time.perf_counter()
    context.announce(Event(Stage.CALLING, one.name, told, seconds=SECONDS * len(sizes)))
    found = _Row(context, one, runtime.threads, callers).measured(sizes)
    status = Status.OK if found.concurrent else Status.FAILED
    context.announce(Event(Stage.CALLING, one.name, "; ".join(found.notes), status, time.perf_counter() - began))
    if key is not None and found.concurrent:
        context.journal.append("callers", key, to_data(found))
    return found


def _sizes(performance: Sequence[BatchPerformance]) -> tuple[int, ...]:
    """The smallest batch that was measured, and the one of the most throughput."""
    throughputs = {one.batch_size: one.throughput for one in performance}
    return tuple(dict.fromkeys((min(throughputs), most_at(throughputs))))


class _Row:
    """One model, loaded once or several times in one child, and called by several threads there."""

    def __init__(self, context: RunContext, one: Contestant, threads: int | None, callers: int) -> None:
        self._context = context
        self._one = one
        self._threads = {} if threads is None else {one.name: threads}
        self._callers = callers
        self._seed = random.SystemRandom().getrandbits(32)
        self._failed: dict[int, str] = {}
        self._found: list[ConcurrentThroughput] = []

    def measured(self, sizes: Sequence[int]) -> _Together:
        """Both ways at every size. A child that a way ends is started anew for the other."""
        for sessions in (1, self._callers):
            if reason := self._not_loaded(sessions):
                self._failed[sessions] = reason
        left = list(sizes)
        while left and (ways := [one for one in (1, self._callers) if one not in self._failed]):
            before = len(self._failed)
            self._in_one_child(ways, left)
            if len(self._failed) == before:
                break
        notes = [f"{TOLD} {_way(sessions)} could not be measured: {why}" for sessions, why in self._failed.items()]
        if self._found and (why := incomparable(self._context, stacked=False)):
            notes.append(f"{TOLD} their answers were not compared with those to a caller alone, since {why}.")
        return _Together(tuple(sorted(self._found, key=lambda one: (one.batch_size, one.sessions))), tuple(notes))

    def _not_loaded(self, sessions: int) -> str:
        """Why the model is not loaded so often, or nothing."""
        if sessions == 1:
            return ""
        if self._one.artifact.model is not None:
            return "a live model is one session."
        free, memory = available_memory(), self._one.memory
        if free is None or memory is None:
            return ""
        needed = memory + (sessions - 1) * max(0, memory - BASE)
        if needed <= free:
            return ""
        return f"it would take about {needed / 2**30:.3g} GiB, and {free / 2**30:.3g} GiB are free."

    def _in_one_child(self, ways: Sequence[int], left: list[int]) -> None:
        """Measure those sizes that are left, until one of the ways fails; what was measured is taken off them."""

        def fail(_name: str, error: Exception) -> None:
            self._failed.update(dict.fromkeys(ways, describe(error).cause))

        compares = not incomparable(self._context, stacked=False)
        with loaded_models(self._context, [self._one], fail, threads=self._threads, compares=compares) as models:
            for model in models.values():
                while left and self._one_size(model, ways, left[0]):
                    left.pop(0)

    def _one_size(self, model: Model, ways: Sequence[int], size: int) -> bool:
        """Whether all of the ways were measured; else the first that was not is known to have failed."""
        blocks = {}
        for sessions in ways:
            try:
                if sessions == ways[0]:
                    model.begin(size)
                model.prove_callers(size, self._callers, sessions)
            except Exception as error:
                self._failed[sessions] = describe(error).cause
                return False
            blocks[str(sessions)] = partial(model.call_together, self._callers, sessions, BLOCK)
        until = time.perf_counter() + SECONDS
        part = interleave(blocks, str(ways[0]), seed=self._seed, until=until)
        for name, failure in part.failures.items():
            self._failed[int(name)] = failure.cause
        if part.failures:
            return False
        self._found += [
            concurrent_throughput(taken, callers=self._callers, sessions=int(name), batch_size=size, seed=self._seed)
            for name, taken in part.counted.items()
        ]
        return True


def _way(sessions: int) -> str:
    return "one session for all" if sessions == 1 else "a session for each"
