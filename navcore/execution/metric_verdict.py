"""Rows whose integers the user's metric judges: what a bound on a metric says of them comes before their numbers."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from navcore.contract import is_quantised
from navcore.execution.schedule import status_of
from navcore.registry import Registry
from navcore.workspace import FormatResult, RuntimeResult, Status


def judged_rows(rows: Sequence[FormatResult], registry: Registry) -> tuple[FormatResult, ...]:
    """The rows with the verdict of the user's metrics, where they are integer-quantised and a metric has a bound.

    Such a row is ok when every metric keeps its bound, and failed when one does not, whatever its numbers are. A metric
    without a difference (it failed on the model, or saw other data than the source did) judges nothing, and neither
    does one of a model that is wrong in more than its numbers: in its names, shapes or axes, or by NaN. Those are
    judged by their numbers, and so are rows whose metrics are gone.
    """
    return tuple(_judged(row, registry) for row in rows)


def _judged(row: FormatResult, registry: Registry) -> FormatResult:
    runtimes = tuple(_verdict(row, one, registry) for one in row.runtimes)
    if row.is_source or row.elsewhere or runtimes == row.runtimes:
        return row
    if [(one.status, one.failure) for one in runtimes] == [(one.status, one.failure) for one in row.runtimes]:
        return attrs.evolve(row, runtimes=runtimes)
    status = status_of(runtimes)
    refused = next((one.failure for one in runtimes if one.status == Status.FAILED), None)
    failure = refused if status == Status.FAILED else None
    ended = Status.FAILED if status == Status.FAILED else Status.OK
    attempts = row.attempts
    if attempts and attempts[-1].route == row.route:  # which made what was judged
        last = attempts[-1]
        outcome = attrs.evolve(last.outcome, status=ended, failure=failure)
        attempts = (*attempts[:-1], attrs.evolve(last, outcome=outcome))
    return attrs.evolve(row, runtimes=runtimes, status=status, failure=failure, attempts=attempts)


def _verdict(row: FormatResult, one: RuntimeResult, registry: Registry) -> RuntimeResult:
    if one.elsewhere or one.verification is None:
        return one
    by_numbers = attrs.evolve(one, judged_by=(), status=one.verification.status if one.judged_by else one.status)
    bounded = [each for each in one.metrics if each.bound is not None]
    told = bounded and all(each.difference is not None for each in bounded)
    if not (told and _is_quantised(row, one, registry) and _may_be_judged(by_numbers)):
        return by_numbers
    status = Status.OK if all(each.keeps_bound for each in bounded) else Status.FAILED
    return attrs.evolve(one, status=status, judged_by=tuple(each.metric for each in bounded))


def _may_be_judged(one: RuntimeResult) -> bool:
    """Whether the model gave answers, and whatever is wrong with them is a matter of numbers alone."""
    assert one.verification is not None
    return one.status in (Status.OK, Status.UNVERIFIED) or one.verification.only_numbers


def _is_quantised(row: FormatResult, one: RuntimeResult, registry: Registry) -> bool:
    verified = one.verification.precision if one.verification is not None else None
    return any(
        is_quantised(registry.precision(name)) for name in (row.format.precision, verified, one.precision) if name
    )
