"""What "best" may mean: plain values that choose among the candidates, ours and anybody's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real
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


def _refuse_not_positive(_strategy: object, field: attrs.Attribute[Any], value: Any) -> None:
    if value is None and field.default is None:
        return
    hint = f"Write {field.name}=0.01, for example."
    if isinstance(value, bool) or not isinstance(value, Real):
        raise OptionError(f"{field.name}={value!r} has to be a number.", hint=hint)
    if not float(value) > 0:
        raise OptionError(f"{field.name}={value!r} has to be above 0.", hint=hint)


def _settled_bound(value: object) -> tuple[str, float] | None:
    """A metric and its bound, as :class:`Limited` takes them."""
    if value is None:
        return None
    if isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[0], str):
        number = value[1]
        if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number):
            return value[0], float(number)
    raise OptionError(
        f"metric={value!r} has to be the name of a metric and a number.", hint='Write metric=("accuracy", 0.78).'
    )


@attrs.frozen(kw_only=True)
class Limited:
    """What the strategies share: which rows may be chosen at all.

    ``max_error`` leaves out what is further from the source (:attr:`Choice.error`), ``metric`` and ``max_metric`` what
    comes to less, or to more, in a metric of the user's: ``metric=("accuracy", 0.78)``, ``max_metric=("wer", 0.12)``.
    A row without the metric is left out too. Where none of these says how far off a row may be, one that promises less
    precision than the source has is left out unless the user asked for it (:attr:`Choice.coarser`). Raises
    :class:`OptionError` for what cannot be meant.
    """

    max_error: float | None = attrs.field(default=None, validator=_refuse_not_positive)
    metric: tuple[str, float] | None = attrs.field(default=None, converter=_settled_bound)
    max_metric: tuple[str, float] | None = attrs.field(default=None, converter=_settled_bound)

    def allowed(self, candidates: Sequence[Choice]) -> list[Choice]:
        """Those that may be chosen."""
        return [one for one in candidates if self._is_meant(one) and self._is_exact(one) and self._is_good(one)]

    def _is_meant(self, one: Choice) -> bool:
        return not one.coarser or any(bound is not None for bound in (self.max_error, self.metric, self.max_metric))

    def _is_exact(self, one: Choice) -> bool:
        return self.max_error is None or (one.error is not None and one.error <= self.max_error)

    def _is_good(self, one: Choice) -> bool:
        least, most = self.metric, self.max_metric
        # Written so that a NaN is never good.
        return (least is None or one.metrics.get(least[0], math.nan) >= least[1]) and (
            most is None or one.metrics.get(most[0], math.nan) <= most[1]
        )


@attrs.frozen
class MinLatency(Limited):
    """The lowest median latency of one caller, at the smallest batch that was measured.

    Where the models were measured in turn their ratios decide: latencies that were measured minutes apart are not
    compared. Its limits are those of :class:`Limited`.
    """

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        """See :class:`Strategy`."""
        allowed = [choice for choice in self.allowed(candidates) if choice.callers == 1]
        smallest = min((choice.batch_size for choice in allowed), default=0)
        comparable = [choice for choice in allowed if choice.batch_size == smallest]
        return min(comparable, key=_slowness(comparable), default=None)


@attrs.frozen
class MaxThroughput(Limited):
    """The most samples per second, at whatever batch, of however many callers were measured.

    The choice says of how many, and on how many sessions. Its limits are those of :class:`Limited`.
    """

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        """See :class:`Strategy`."""
        return max(self.allowed(candidates), key=lambda choice: choice.throughput, default=None)


@attrs.frozen
class MaxThroughputUnder(Limited):
    """The most samples per second whose median latency is at most ``latency_ms`` milliseconds.

    Its limits are those of :class:`Limited`. Raises :class:`OptionError` for a number that is not above 0.
    """

    latency_ms: float = attrs.field(validator=_refuse_not_positive)

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        """See :class:`Strategy`."""
        quick = [choice for choice in self.allowed(candidates) if choice.latency <= self.latency_ms]
        return max(quick, key=lambda choice: choice.throughput, default=None)


@attrs.frozen
class Smallest(Limited):
    """The fewest bytes on the disk, of equals the lowest latency. Its limits are those of :class:`Limited`."""

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        """See :class:`Strategy`."""
        sized = [choice for choice in self.allowed(candidates) if choice.size is not None and choice.callers == 1]
        return min(sized, key=lambda choice: (choice.size, choice.latency), default=None)


def _slowness(choices: Sequence[Choice]) -> Callable[[Choice], float]:
    """By what latencies are compared: the ratio to the same reference where all have one, else their medians."""
    if all(choice.ratio is not None for choice in choices):
        return lambda choice: -choice.ratio.ratio if choice.ratio is not None else choice.latency
    return lambda choice: choice.latency
