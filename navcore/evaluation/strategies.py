"""What "best" may mean: plain values that choose among the candidates, ours and anybody's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import attrs

from navcore.evaluation.candidates import Choice


class Strategy(Protocol):
    """Anything that can choose; :meth:`navcore.PackageDescriptor.best` takes it."""

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        """The best of ``candidates``, or ``None`` when none will do.

        The candidates are rows that verified here and were measured, one per format, runtime and batch size.
        """


@attrs.frozen
class MinLatency:
    """The lowest median latency, at the smallest batch that was measured.

    Where the models were measured in turn their ratios decide: latencies that were measured minutes apart are not
    compared.
    """

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        """See :class:`Strategy`."""
        smallest = min((choice.batch_size for choice in candidates), default=0)
        comparable = [choice for choice in candidates if choice.batch_size == smallest]
        return min(comparable, key=_time_of(comparable), default=None)


def _time_of(choices: Sequence[Choice]) -> Callable[[Choice], float]:
    """By what latencies are compared: the ratio to the same reference where all have one, else their medians."""
    if all(choice.ratio is not None for choice in choices):
        return lambda choice: 1 / choice.ratio.ratio if choice.ratio is not None else choice.latency
    return lambda choice: choice.latency


@attrs.frozen
class MaxThroughput:
    """The most samples per second, at whatever batch."""

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        """See :class:`Strategy`."""
        return max(candidates, key=lambda choice: choice.throughput, default=None)


@attrs.frozen
class Smallest:
    """The fewest bytes on the disk; of equals the one of lowest latency."""

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        """See :class:`Strategy`."""
        sized = [choice for choice in candidates if choice.size is not None]
        return min(sized, key=lambda choice: (choice.size, choice.latency), default=None)
