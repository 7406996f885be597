"""Verify and measure one artifact in one runtime, in whatever process the runner lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from navcore.failures import describe
from navcore.jobs import ProfileJob, Runner
from navcore.measuring import measure
from navcore.profiling import ProfilerConfig
from navcore.results import BatchPerformance, Failure, Verification
from navcore.verification import verify

if TYPE_CHECKING:
    import numpy as np

    from navcore.registry import Registry
    from navcore.sampling import SampleStore
    from navcore.tensors import Signature


@attrs.frozen
class VerifyRequest:
    """What the outputs are held against; see :func:`navcore.verification.verify`."""

    precision: str | None = None
    noise: Mapping[str, float] = attrs.field(factory=dict)
    atol: float | None = None
    rtol: float | None = None


@attrs.frozen
class MeasureRequest:
    """What is measured: one performance per batch size (−1: unbatched), by the named profiler route."""

    config: ProfilerConfig
    batch_sizes: tuple[int, ...]
    profiler: str


@attrs.frozen
class CheckResult:
    """What was learned about one artifact in one runtime. ``measuring`` says why a batch size has no numbers."""

    verification: Verification | None = None
    performance: tuple[BatchPerformance, ...] = ()
    provider: str = ""
    precision: str | None = None
    threads: int | None = None
    notes: tuple[str, ...] = ()
    measuring: Failure | None = None


def check(
    runner: Runner,
    signature: Signature,
    reference: Signature,
    store: SampleStore,
    registry: Registry,
    *,
    verifying: VerifyRequest | None,
    measuring: MeasureRequest | None,
    on_verified: Callable[[CheckResult], None] = lambda _result: None,
) -> CheckResult:
    """Verify first; measure only what did not fail.

    ``signature`` is the artifact's own, ``reference`` the source's, by which the samples are read. ``on_verified``
    receives the result before measuring begins.
    """
    result = CheckResult(
        provider=runner.provider, precision=runner.precision, threads=runner.threads, notes=runner.notes
    )
    if verifying is not None:
        verification = verify(
            runner,
            store.comparisons(reference),
            signature=signature,
            precision=runner.precision or verifying.precision,
            noise=verifying.noise,
            atol=verifying.atol,
            rtol=verifying.rtol,
        )
        result = attrs.evolve(result, verification=verification)
        on_verified(result)
        if verification.failure is not None:
            return result
    if measuring is None:
        return result
    performance: list[BatchPerformance] = []
    failure = None
    for batch_size in measuring.batch_sizes:
        try:
            feeds = store.profiling_feeds(reference, batch_size)
            performance.append(_measure(runner, feeds, batch_size, measuring, registry))
        except Exception as error:
            told = describe(error)
            failure = failure or attrs.evolve(told, cause=f"batch size {batch_size}: {told.cause}")
    return attrs.evolve(result, performance=tuple(performance), measuring=failure)


def _measure(
    runner: Runner,
    feeds: Mapping[str, np.ndarray],
    batch_size: int,
    request: MeasureRequest,
    registry: Registry,
) -> BatchPerformance:
    config = request.config
    route = registry.route(request.profiler)
    job = ProfileJob(runner, feeds, seconds=config.seconds, calls=config.calls)

    def window() -> Any:
        return registry.ask("profile", job, route)

    return measure(window, call=lambda: runner(feeds), config=config, batch_size=batch_size)
