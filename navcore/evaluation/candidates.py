"""Choose among rows: the best one, and the runtime to open a format in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import attrs

from navcore.contract import Format
from navcore.errors import InputError, Unavailable
from navcore.evaluation.promises import is_coarser, own_promise, promised
from navcore.workspace import FormatResult, PairedRatio, Ranking, RuntimeResult, Settings, Status


@attrs.frozen
class Choice:
    """One measured row: format, runtime, median latency in milliseconds at ``batch_size``, samples per second.

    ``batch_size`` is −1 for a model that does not batch. ``stable`` is false when the windows of the measurement did
    not agree. ``size`` is that of the model in bytes, ``None`` where it is not known. ``ratio`` says how many times
    faster than the source it is (or than what else the models were held against), measured in turn, ``None`` where it
    was not; ``requested`` is false for a format that was made on the way to another. ``error`` is the largest relative
    L2 difference of any output from the source's, of an output of integers the share of elements that differ.
    ``metrics`` are the user's own that were computed, by name.
    ``callers`` threads called at once, on so many ``sessions`` of the model; ``latency`` is then the median of a call
    among them. ``coarser`` says that the row promises less precision than the source has, and nobody asked for that:
    navcore's own strategies pass over it unless they are told how far off a row may be.
    """

    format: Format
    runtime: str
    latency: float
    batch_size: int
    throughput: float
    stable: bool
    size: int | None = None
    ratio: PairedRatio | None = None
    requested: bool = True
    error: float | None = None
    metrics: Mapping[str, float] = attrs.field(factory=dict)
    callers: int = 1
    sessions: int = 1
    coarser: bool = False


def candidates_of(
    results: Sequence[FormatResult], ranking: Ranking | None = None, settings: Settings | None = None
) -> tuple[Choice, ...]:
    """What may be best: every row that verified ok here and was measured, at each of its batch sizes.

    Where several callers at once were measured, each way of that is a candidate as well.

    Never one that failed, is unverified, fixes an axis that moves in the data or was recorded elsewhere; never the
    source itself. By the ``settings`` of the run it is known what the user asked for (:attr:`Choice.coarser`).
    """
    source = own_promise(results)
    return tuple(
        attrs.evolve(choice, coarser=is_coarser(row, one, source, settings))
        for row in results
        for one in row.runtimes
        if not row.live and is_measured(one) and not one.elsewhere and not _fixes_an_axis(one)
        for choice in (*_alone(row, one, ranking), *_together(row, one))
    )


def _alone(row: FormatResult, one: RuntimeResult, ranking: Ranking | None) -> Iterator[Choice]:
    for measured in one.performance:
        yield Choice(
            row.format, one.runtime, measured.p50_latency, measured.batch_size, measured.throughput, measured.stable,
            row.size, _ratio(ranking, row, one, measured.batch_size), row.requested, _error(one),
            _metrics(one),
        )  # fmt: skip


def _together(row: FormatResult, one: RuntimeResult) -> Iterator[Choice]:
    for found in one.concurrent:
        yield Choice(
            row.format, one.runtime, found.p50_latency, found.batch_size, found.throughput, found.is_stable, row.size,
            None, row.requested, _error(one), _metrics(one), found.callers, found.sessions,
        )  # fmt: skip


def _ratio(ranking: Ranking | None, row: FormatResult, one: RuntimeResult, batch_size: int) -> PairedRatio | None:
    return None if ranking is None else ranking.ratio(row.format.name, one.runtime, batch_size)


def _metrics(one: RuntimeResult) -> Mapping[str, float]:
    return {each.metric: each.value for each in one.metrics}


def _error(one: RuntimeResult) -> float | None:
    found = () if one.verification is None else one.verification.differences
    return max((one.differing if one.relative_l2 is None else one.relative_l2 for one in found), default=None)


def _fixes_an_axis(runtime: RuntimeResult) -> bool:
    """Whether it takes only some of the sizes that the data have."""
    return runtime.verification is not None and bool(runtime.verification.frozen_axes)


def is_measured(row: RuntimeResult) -> bool:
    """Whether the row is ok and has numbers."""
    return row.status == Status.OK and bool(row.performance)


def median_latency(row: RuntimeResult) -> float:
    """The median latency at the smallest batch, in milliseconds."""
    return min(row.performance, key=lambda performance: performance.batch_size).p50_latency


def fastest_runtime(row: FormatResult, offered: Collection[str]) -> str:
    """The ok runtime of lowest latency among those installed that promise most, else any ok one of these.

    The promise is that of precision: a runtime that computes in less than others of the format has to be named.
    Raises :class:`Unavailable` when nothing installed runs the format, :class:`InputError` when no runtime is ok.
    """
    ok = [one for one in row.runtimes if one.status == Status.OK and one.runtime in offered]
    finest = min((promised(row, one) for one in ok), default=0.0)
    ok = [one for one in ok if promised(row, one) <= finest]
    measured = [one for one in ok if one.performance]
    if measured:
        return min(measured, key=median_latency).runtime
    if ok:
        return ok[0].runtime
    if not offered:
        raise Unavailable(f"Nothing installed here runs {row.format.name}.", hint="Install the plugin that brings it.")
    raise InputError(
        f"No runtime of {row.format.name} is ok.",
        hint=f"Name one to run it all the same: {', '.join(sorted(offered))}.",
    )
