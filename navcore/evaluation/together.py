"""Several callers of one model at once, in threads: what they get done, and whether each gets what it asked for."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter, perf_counter_ns

import attrs
import numpy as np

from navcore.contract import Feeds, Runner, Signature
from navcore.errors import StepError
from navcore.evaluation.check_requests import VerifySettings
from navcore.evaluation.closed_loop import no_garbage_collection
from navcore.evaluation.comparison import Comparison
from navcore.evaluation.paired_ratios import median_interval
from navcore.evaluation.verification import verify
from navcore.evaluation.windows import CALLS_FOR_PERCENTILE, Window, interpolated, take_window
from navcore.registry import Registry
from navcore.workspace import ConcurrentThroughput, Status

_PROVING_SECONDS = 0.2
_PROVING_CALLS = 5

Outputs = Mapping[str, np.ndarray]
Work = Callable[[int, int], None]
"""What a caller does, from its number and the moment at which all begin, in nanoseconds."""


@attrs.frozen(eq=False)
class TogetherWindow(Window):
    """A block of several callers: the latencies of all of them, and ``rate``, the calls per second that they made."""

    rate: float = 0.0


def call_together(runners: Sequence[Runner], feeds: Sequence[Feeds], seconds: float) -> TogetherWindow:
    """One block: caller number i calls runner i (of one, all the same) on its feeds, in a thread of its own.

    Each goes on until ``seconds`` are over, and calls at least once. The rate is the sum of those of all callers, each
    until its own last answer, so that no call is cut in two. What a caller raises is raised after all have ended.
    """
    rates: list[float] = []

    def block() -> np.ndarray:
        latencies: list[array[int]] = [array("q") for _ in feeds]
        spans = [0] * len(feeds)

        def calls(number: int, began: int) -> None:
            runner, own, taken = runners[number % len(runners)], feeds[number], latencies[number]
            end = began + int(seconds * 1e9)
            stop = began
            while not taken or stop < end:
                start = perf_counter_ns()
                runner(own)
                stop = perf_counter_ns()
                taken.append(stop - start)
            spans[number] = stop - began

        with no_garbage_collection():
            _in_threads(calls, len(feeds))
        rates.append(sum(1e9 * len(taken) / span for taken, span in zip(latencies, spans, strict=True)))
        return np.concatenate([np.asarray(taken, dtype=np.float64) for taken in latencies]) / 1e6

    found = take_window(block)
    return TogetherWindow(**attrs.asdict(found, recurse=False), rate=rates[0])


def _in_threads(work: Work, callers: int) -> None:
    """Let every caller begin at the same moment, and wait for all; raises what the first of them raised."""
    ready, errors = threading.Barrier(callers), list[BaseException]()

    def run(number: int) -> None:
        try:
            ready.wait()
            work(number, perf_counter_ns())
        except BaseException as error:
            errors.append(error)
            ready.abort()

    threads = [
        threading.Thread(target=run, args=(number,), name=f"navcore caller {number}") for number in range(callers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [error for error in errors if not isinstance(error, threading.BrokenBarrierError)]
    if told:
        raise told[0]


class Proof:
    """Whether callers that come together get what each of them gets alone.

    ``settings`` are those of the model's verdict, and by them it is judged how near is near enough; ``None`` where the
    model does not repeat itself, so that nothing can be compared.
    """

    def __init__(self, signature: Signature, settings: VerifySettings | None, registry: Registry) -> None:
        self._signature = signature
        self._settings = settings
        self._registry = registry

    def refuse_unsafe(self, runners: Sequence[Runner], feeds: Sequence[Feeds]) -> None:
        """Call them together for 0.2 s and five calls each; raises :class:`StepError` where an answer is another one.

        The feeds of the callers are to be different, or answers that went to the wrong caller would not show. What the
        model does not take from a caller alone, as a size that it fixes, is replaced by the first of them.
        """
        feeds, alone = self._taken(runners, feeds)
        found: list[list[Outputs]] = [[] for _ in feeds]

        def calls(number: int, _began: int) -> None:
            runner, own = runners[number % len(runners)], feeds[number]
            end = perf_counter() + _PROVING_SECONDS
            while len(found[number]) < _PROVING_CALLS or perf_counter() < end:
                answer = self._named(runner(own))
                if len(found[number]) < _PROVING_CALLS or not _equal(answer, alone[number]):
                    found[number].append(answer)

        _in_threads(calls, len(feeds))
        if self._settings is None:
            return
        for number, answers in enumerate(found):
            for answer in answers:
                if not _equal(answer, alone[number]):
                    self._judge(runners[0], feeds[number], alone[number], answer, self._settings)

    def _taken(self, runners: Sequence[Runner], feeds: Sequence[Feeds]) -> tuple[list[Feeds], list[Outputs]]:
        """Feeds that each caller can call with, and what it gets alone."""
        taken, alone = list[Feeds](), list[Outputs]()
        for number, own in enumerate(feeds):
            runner = runners[number % len(runners)]
            try:
                answer = runner(own)
            except Exception:
                if number == 0:
                    raise
                own = feeds[0]
                answer = runner(own)
            taken.append(own)
            alone.append(self._named(answer))
        return taken, alone

    def _judge(self, runner: Runner, feeds: Feeds, alone: Outputs, answer: Outputs, settings: VerifySettings) -> None:
        verdict = verify(
            lambda _feeds: answer,
            [Comparison("one caller's call", feeds, alone)],
            signature=self._signature,
            precision=self._registry.precision(runner.precision or settings.precision),
            noise=settings.noise,
            atol=settings.atol,
            rtol=settings.rtol,
        )
        if verdict.status == Status.FAILED and verdict.failure is not None:
            raise StepError(f"it gave another answer than to a caller alone: {verdict.failure.cause}")

    def _named(self, outputs: Outputs) -> Outputs:
        return dict(zip(self._signature.output_names or outputs, outputs.values(), strict=True))


def _equal(one: Outputs, other: Outputs) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in other)


def concurrent_throughput(
    windows: Sequence[Window], *, callers: int, sessions: int, batch_size: int, seed: int
) -> ConcurrentThroughput:
    """What the blocks of one way of calling came to."""
    rates = [max(1, batch_size) * one.rate for one in windows if isinstance(one, TogetherWindow)]
    low, high = median_interval(rates, seed)
    latencies = np.concatenate([one.latencies for one in windows])
    enough = latencies.size >= CALLS_FOR_PERCENTILE[95]
    return ConcurrentThroughput(
        callers=callers,
        sessions=sessions,
        batch_size=batch_size,
        throughput=interpolated(rates, 50),
        low=low,
        high=high,
        p50_latency=interpolated(latencies, 50),
        p95_latency=interpolated(latencies, 95) if enough else None,
        calls=int(latencies.size),
        seconds=sum(one.wall for one in windows),
    )
