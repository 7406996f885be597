"""What "best" may mean: plain values that choose among the candidates, ours and anybody's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import attrs

from navcore.errors import OptionError
from navcore.evaluation.candidates import Choice


class Strategy(Protocol):
    """Anything that can choose; :meth:`navcore.PackageDescriptor.best` takes it."""

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        """The best of ``candidates``, or ``None`` when none will do.

        The candidates are rows that verified here and were measured, one per format, runtime and batch size; where
        several callers at once were measured, another for each way of that (:attr:`Choice.callers`).
        """


def _refuse_not_positive(_strategy: object, field: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not value > 0:
        raise OptionError(f"{field.name}={value!r} has to be above 0.", hint=f"Write {field.name}=0.01, for example.")


def _max_error() -> float | None:
    """The field that all strategies share: the largest error of a row that may be chosen; raises OptionError."""
    field: float | None = attrs.field(default=None, kw_only=True, validator=_refuse_not_positive)
    return field


@attrs.frozen
class MinLatency:
    """The lowest median latency of one caller, at the smallest batch that was measured.

    Where the models were measured in turn their ratios decide: latencies that were measured minutes apart are not
    compared. ``max_error`` leaves out what is further from the source (:attr:`Choice.error`).
    """

    max_error: float | None = _max_error()

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        """See :class:`Strategy`."""
        exact = [choice for choice in _within(candidates, self.max_error) if choice.callers == 1]
        smallest = min((choice.batch_size for choice in exact), default=0)
        comparable = [choice for choice in exact if choice.batch_size == smallest]
        return min(comparable, key=_slowness(comparable), default=None)


@attrs.frozen
class MaxThroughput:
    """The most samples per second, at whatever batch, of however many callers were measured.

    The choice says of how many, and on how many sessions. ``max_error`` is as for :class:`MinLatency`.
    """

    max_error: float | None = _max_error()

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        """See :class:`Strategy`."""
        return max(_within(candidates, self.max_error), key=lambda choice: choice.throughput, default=None)


@attrs.frozen
class MaxThroughputUnder:
    """The most samples per second whose median latency is at most ``latency_ms`` milliseconds.

    ``max_error`` is as for :class:`MinLatency`. Raises :class:`OptionError` for a number that is not above 0.
    """

    latency_ms: float = attrs.field(validator=_refuse_not_positive)
    max_error: float | None = _max_error()

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        """See :class:`Strategy`."""
        quick = [choice for choice in candidates if choice.latency <= self.latency_ms]
        return MaxThroughput(max_error=self.max_error).choose(quick)


@attrs.frozen
class Smallest:
    """The fewest bytes on the disk, of equals the lowest latency. ``max_error`` is as for :class:`MinLatency`."""

    max_error: float | None = _max_error()

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        """See :class:`Strategy`."""
        sized = [
            choice for choice in _within(candidates, self.max_error) if choice.size is not None and choice.callers == 1
        ]
        return min(sized, key=lambda choice: (choice.size, choice.latency), default=None)


def _within(choices: Sequence[Choice], max_error: float | None) -> list[Choice]:
    return [one for one in choices if max_error is None or (one.error is not None and one.error <= max_error)]


def _slowness(choices: Sequence[Choice]) -> Callable[[Choice], float]:
    """By what latencies are compared: the ratio to the same reference where all have one, else their medians."""
    if all(choice.ratio is not None for choice in choices):
        return lambda choice: -choice.ratio.ratio if choice.ratio is not None else choice.latency
    return lambda choice: choice.latency
