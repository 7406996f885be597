"""What was learned about a model: outcomes, differences, performances, one frozen row per format and runtime."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import attrs

from navcore.contract import Calling, Format, InnerPath, Name, Signature, asset_names, path_or_none
from navcore.workspace.callers import ConcurrentThroughput
from navcore.workspace.metrics import MetricResult


class Status(StrEnum):
    """How something ended."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNAVAILABLE = "unavailable"
    UNVERIFIED = "unverified"
    FAIL = FAILED
    """The reference API's word for the same."""


@attrs.frozen
class Failure:
    """Why something did not end well: one sentence, a category, the first frame in the user's code, and what to do."""

    cause: str
    category: str = "internal"
    frame: str = ""
    hint: str = ""


@attrs.frozen
class Outcome:
    """How a step ended. ``seconds`` is wall time, ``peak_memory`` bytes of its own process (``None``: unknown).

    ``log`` is relative to the workspace. ``contained`` is false when the step ran in the caller's own process.
    """

    status: Status
    seconds: float = 0.0
    peak_memory: int | None = None
    log: str = ""
    failure: Failure | None = None
    contained: bool = True


@attrs.frozen
class Attempt:
    """One route that was tried to make a format, and how it ended. ``owner`` and ``version`` are its plugin's."""

    route: str
    outcome: Outcome
    owner: str = ""
    version: str = ""


@attrs.frozen
class Difference:
    """How far one output is from the source's, over all compared samples and elements.

    ``atol`` is max |source − exported| and ``rtol`` max(|source − exported| / |exported|), with 0/0 = 0, as the
    reference page defines them; ``relative_l2`` is ‖source − exported‖ / ‖source‖ and ``cosine`` the cosine of the two,
    each of the worst comparison, so that many good samples cannot hide a bad one. Differences are infinite where one
    side is not finite and the other is.
    ``differing`` is the share of elements that are not equal. ``worst`` names the sample with the largest difference.
    A measure that cannot be had (``cosine`` of integers) is ``None``.
    """

    output: str
    atol: float
    rtol: float
    relative_l2: float | None
    cosine: float | None
    elements: int
    differing: float
    worst: str = ""


@attrs.frozen
class Verification:
    """The verdict on one format in one runtime, with what was measured, also when it failed.

    ``compared`` counts the comparisons (samples, stacks, axis probes). ``precision`` is the one whose bound applied,
    ``bound`` that bound on ``relative_l2``; both are empty when the user's tolerances or only integers decided.
    ``frozen_axes`` are symbols that the export does not follow. ``only_numbers`` says of a failure that names, shapes,
    axes and finiteness are right, and nothing but how far the numbers are off is wrong.
    """

    status: Status
    differences: tuple[Difference, ...] = ()
    compared: int = 0
    precision: str = ""
    bound: float | None = None
    frozen_axes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failure: Failure | None = None
    only_numbers: bool = False


@attrs.frozen
class BatchPerformance:
    """Latencies in milliseconds at one batch size (−1: the model does not batch), host↔device copies included.

    ``throughput`` is in samples per second. A percentile is ``None`` when there were too few calls to claim it.
    ``stable`` is false when no three consecutive windows agreed; the numbers then pool all windows. ``cold_start`` is
    the first call, with what the runner prepared for it; ``windows`` counts all that were measured. ``cpu_share`` is
    process CPU time over wall time, ``switches`` involuntary context switches per second, both over the pooled windows.
    ``interval`` is the 95 % interval of the median, where it was measured in blocks in turn with other models
    (:class:`Ranking`); ``stable`` is false there when the time was over before the ratio to the source was known to
    10 %.
    """

    batch_size: int
    avg_latency: float
    std_latency: float
    p50_latency: float
    p90_latency: float | None
    p95_latency: float | None
    p99_latency: float | None
    throughput: float
    request_count: int
    stable: bool = True
    windows: int = 0
    cold_start: float | None = None
    cpu_share: float | None = None
    switches: float | None = None
    interval: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


@attrs.frozen
class RuntimeResult:
    """One format in one runtime. ``verified`` is the user's own word, given by ``set_verified``.

    ``provider``, ``precision`` and ``threads`` are what the runtime said it used. ``machine`` is the key of the machine
    that measured it, ``""`` for the one that the run was started on. ``elsewhere`` marks a row that was
    recorded on another machine and could not be redone here. ``concurrent`` is what several callers at once got out of
    it, where that was measured. ``judged_by`` names the user's metrics that decided the status in place of the numbers.
    """

    runtime: Name = attrs.field(converter=Name)
    status: Status
    route: str = ""
    verification: Verification | None = None
    performance: tuple[BatchPerformance, ...] = ()
    verified: bool = False
    provider: str = ""
    precision: str | None = None
    threads: int | None = None
    notes: tuple[str, ...] = ()
    outcome: Outcome | None = None
    profiling: Outcome | None = None
    machine: str = ""
    metrics: tuple[MetricResult, ...] = ()
    elsewhere: bool = False
    concurrent: tuple[ConcurrentThroughput, ...] = ()
    judged_by: tuple[str, ...] = ()

    @property
    def is_verified(self) -> bool:
        """By the user's own word, or by bounds that the user set on metrics, all of which it keeps."""
        bounded = [one for one in self.metrics if one.bound is not None]
        return self.verified or (bool(bounded) and all(one.keeps_bound for one in bounded))

    @property
    def failure(self) -> Failure | None:
        """Why the row is not ok, or was not measured."""
        if self.judged_by:
            if self.status == Status.FAILED:
                return self._broken_bounds
        elif self.verification is not None and self.verification.failure is not None:
            return self.verification.failure
        for outcome in (self.outcome, self.profiling):
            if outcome is not None and outcome.failure is not None:
                return outcome.failure
        return None

    @property
    def _broken_bounds(self) -> Failure:
        """Why the user's metrics, which judged the row, did not let it pass."""
        broken = [one.broken for one in self.metrics if one.metric in self.judged_by and one.broken]
        told = "; ".join(broken) or f"{', '.join(self.judged_by)} did not keep its bound"
        return Failure(
            f"By the user's metric: {told}.", "metric", hint="verified_when says how far a metric may be off."
        )


@attrs.frozen
class FormatResult:
    """One format: the route that made it, every attempt, and a row per runtime.

    ``path`` is relative to the workspace, ``None`` when nothing was produced. ``made_from`` is the format that the
    route started from; of what was not made here it is the one that another machine makes it from, and ``""`` where
    nothing that is kept leads to it. ``requested`` is false for a format that was only needed on the way to another.
    ``signature`` is the variant's own where it differs from the source's. ``assets`` are the names of the further files
    that its maker declared.
    ``elsewhere`` marks a row that was recorded on another machine and could not be redone here.
    """

    format: Format
    status: Status
    path: InnerPath | None = attrs.field(converter=path_or_none, default=None)
    route: str = ""
    made_from: str = ""
    requested: bool = True
    live: bool = False
    calling: Calling = "named"
    signature: Signature | None = None
    attempts: tuple[Attempt, ...] = ()
    runtimes: tuple[RuntimeResult, ...] = ()
    notes: tuple[str, ...] = ()
    facts: Mapping[str, str] = attrs.field(factory=dict)
    assets: tuple[InnerPath, ...] = attrs.field(default=(), converter=asset_names)
    size: int | None = None
    failure: Failure | None = None
    elsewhere: bool = False

    @property
    def is_source(self) -> bool:
        """Whether it is what everything else was compared with: nobody made it, and it is there."""
        return not self.route and not self.attempts and (self.live or self.path is not None)

    def runtime(self, name: str) -> RuntimeResult | None:
        return next((row for row in self.runtimes if row.runtime == name), None)
