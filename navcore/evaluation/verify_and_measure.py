"""Verify and measure one artifact in one runtime, in whatever process the runner lives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from navcore.contract import Feeds, ProfileJob, Runner
from navcore.errors import StepError
from navcore.evaluation.check_requests import MeasureSettings, VerifySettings
from navcore.evaluation.doubling import Doubling, doubled_note, gains_of
from navcore.evaluation.raw_latencies import write_raw
from navcore.evaluation.same_rows import SameRows
from navcore.evaluation.sample_errors import write_errors
from navcore.evaluation.shared_numbers import Held, holding, shares_numbers, under_seed
from navcore.evaluation.stable_windows import Measured, measure
from navcore.evaluation.verification import verify
from navcore.evaluation.windows import Window
from navcore.workspace import BatchPerformance, Failure, Verification, describe

if TYPE_CHECKING:
    import numpy as np

    from navcore.contract import Signature
    from navcore.evaluation.comparison import Comparison
    from navcore.registry import Registry


class Samples(Protocol):
    """What is stored of the samples, as far as it matters here; :class:`navcore.sampling.SampleStore` keeps it."""

    def comparisons(self, signature: Signature) -> Iterable[Comparison]:
        """What the source was asked and what it answered."""

    def profiling_feeds(self, signature: Signature, batch_size: int) -> Mapping[str, np.ndarray]:
        """The profiling sample as a batch of that size (−1: unbatched)."""


_FROM_ONE_SEED = (
    "Source and export draw the same random numbers: both were run from one seed, and no bound was widened."
)


@attrs.frozen
class Evaluation:
    """What was learned about one artifact in one runtime.

    ``measuring`` says why a batch size has no numbers, ``at`` which one is being measured. With ``doubles`` that
    is a larger batch than one that has numbers already, so that what ends it is no failure.
    """

    verification: Verification | None = None
    performance: tuple[BatchPerformance, ...] = ()
    provider: str = ""
    precision: str | None = None
    threads: int | None = None
    notes: tuple[str, ...] = ()
    measuring: Failure | None = None
    at: int | None = None
    doubles: Doubling | None = None


def evaluate(
    runner: Runner,
    signature: Signature,
    reference: Signature,
    store: Samples,
    registry: Registry,
    *,
    verifying: VerifySettings | None,
    measuring: MeasureSettings | None,
    log_dir: Path,
    on_progress: Callable[[Evaluation], None] = lambda _result: None,
    held: Held | None = None,
    raw: Path | None = None,
    no_room: Callable[[int], str] = lambda _size: "",
    errors: Path | None = None,
) -> Evaluation:
    """Verify first; measure only what did not fail.

    ``signature`` is the artifact's own, ``reference`` the source's, by which the samples are read. ``log_dir`` is what
    the profiler is told. ``on_progress`` receives what is known before each batch size is measured, which may be the
    end of the process. A batch size that cannot be measured does not keep the others from it, and where the batch is
    doubled that is where it ends; ``no_room`` says why a size is not even tried. ``held`` holds the random
    numbers of the process as the source's were held, where it draws. ``raw`` is where all latencies are kept
    (:func:`navcore.evaluation.raw_latencies.write_raw`), and ``errors`` is where every error is
    (:func:`navcore.evaluation.sample_errors.write_errors`), if anywhere.
    """
    result = Evaluation(
        provider=runner.provider, precision=runner.precision, threads=runner.threads, notes=runner.notes
    )
    if verifying is not None:
        verification = _verified(runner, signature, reference, store, registry, verifying, held, errors)
        result = attrs.evolve(result, verification=verification)
        if verification.failure is not None:
            return result
    if measuring is None:
        return result
    windows: dict[int, tuple[Window, ...]] = {}
    same = None if measuring.comparing is None else SameRows(signature, measuring.comparing, registry)
    tried, end = list[int](), ""
    while not end and (batch_size := _next_size(measuring, tried, result.performance)) is not None:
        tried.append(batch_size)
        result = attrs.evolve(result, at=batch_size, doubles=measuring.doubling if windows else None)
        on_progress(result)
        reason = no_room(batch_size) if measuring.doubling is not None else ""
        if result.doubles and reason:
            end = reason
            break
        try:
            feeds = store.profiling_feeds(reference, batch_size)
            if same is not None and (cause := same.refusal(runner, feeds, batch_size)):
                raise StepError(cause)
            prepared = 0.0 if windows else runner.preparation
            measured = _measure(runner, feeds, batch_size, measuring, registry, log_dir, prepared)
        except Exception as error:
            told = describe(error)
            if result.doubles:
                end = f"at {batch_size}: {told.cause}"
            failure = attrs.evolve(told, cause=f"at batch size {batch_size}: {told.cause}")
            result = attrs.evolve(result, measuring=None if end else result.measuring or failure)
        else:
            result = attrs.evolve(result, performance=(*result.performance, measured.performance))
            windows[batch_size] = measured.windows
    if raw is not None and windows:
        write_raw(raw, windows)
    if measuring.doubling is not None and result.performance:
        gains = gains_of([one.throughput for one in result.performance])
        result = doubling_told(result, measuring.doubling, end or measuring.doubling.end(gains))
    return attrs.evolve(result, at=None, doubles=None)


def _next_size(request: MeasureSettings, tried: Sequence[int], performance: Sequence[BatchPerformance]) -> int | None:
    """The batch size that is measured after those; ``None`` after the last."""
    if request.doubling is None:
        return request.batch_sizes[len(tried)] if len(tried) < len(request.batch_sizes) else None
    if len(tried) > len(performance):  # the first had no numbers
        return None
    return request.doubling.after([one.throughput for one in performance])


def doubling_told(result: Evaluation, doubling: Doubling, end: str) -> Evaluation:
    """The evaluation with the note that says how far its batch was doubled, and what ended that."""
    told = doubled_note({one.batch_size: one.throughput for one in result.performance}, doubling.told(end))
    return attrs.evolve(result, notes=(*result.notes, told))


def _verified(
    runner: Runner,
    signature: Signature,
    reference: Signature,
    store: Samples,
    registry: Registry,
    verifying: VerifySettings,
    held: Held | None,
    errors: Path | None,
) -> Verification:
    """The verdict: by the means of several runs of a source that draws, or exactly where both draw the same numbers."""
    fixed = _FixedAxes(signature, reference)
    model: Callable[[Feeds], Mapping[str, np.ndarray]] = runner
    wanted: Iterable[Comparison] = islice(fixed.among(store.comparisons(reference)), verifying.at_most)
    noise, runs, notes = verifying.noise, verifying.runs, tuple[str, ...]()
    if held is not None and runs > 1:
        fitting = (one for one in store.comparisons(reference) if not fixed.misfit(one.feeds))
        if shares_numbers(holding(runner, held), islice(fitting, verifying.at_most)):
            model, wanted, noise, runs = holding(runner, held), under_seed(wanted), {}, 1
            notes = (_FROM_ONE_SEED,)
    verification = verify(
        model,
        wanted,
        signature=signature,
        precision=registry.precision(runner.precision or verifying.precision),
        noise=noise,
        atol=verifying.atol,
        rtol=verifying.rtol,
        runs=runs,
        stateful=verifying.stateful,
        inputs=runner.inputs,
        misfit=fixed.misfit,
        keep=lambda readings: None if errors is None else write_errors(errors, readings),
    )
    return attrs.evolve(
        verification,
        notes=(*verification.notes, *notes, *fixed.notes()),
        frozen_axes=tuple(dict.fromkeys((*verification.frozen_axes, *sorted(fixed.symbols)))),
    )


class _FixedAxes:
    """What an artifact is known to have fixed: probes of such an axis are left out and counted, items are not.

    An item of the user's that does not fit fails, and so does any other batch.
    """

    def __init__(self, signature: Signature, reference: Signature) -> None:
        self.signature = signature
        self.moving = {spec.name: spec.shape for spec in reference.inputs}
        self.batch = reference.batch_symbol if reference.batch_dim is not None else None
        self.left_out = 0
        self.fixed: set[str] = set()
        self.symbols: set[str] = set()

    def among(self, comparisons: Iterable[Comparison]) -> Iterator[Comparison]:
        for comparison in comparisons:
            misfits = self._misfits(comparison.feeds)
            self.symbols |= {str(self.moving[name][axis]) for name, axis, _ in misfits}
            if misfits and comparison.symbol not in (None, self.batch):
                self.left_out += 1
                self.fixed |= {f"axis {axis} of {name!r} at {size}" for name, axis, size in misfits}
            else:
                yield comparison

    def misfit(self, feeds: Mapping[str, np.ndarray]) -> str:
        """Why the artifact does not take these inputs; empty where nothing is known against it."""
        fixed = [f"axis {axis} of {name!r} at {size}" for name, axis, size in sorted(self._misfits(feeds))]
        return f"the export fixes {', '.join(fixed)}" if fixed else ""

    def _misfits(self, feeds: Mapping[str, np.ndarray]) -> set[tuple[str, int, int]]:
        return {
            (spec.name, axis, size)
            for spec in self.signature.inputs
            for axis, (size, found) in enumerate(zip(spec.shape, feeds[spec.name].shape, strict=True))
            if isinstance(size, int) and size != found
        }

    def notes(self) -> tuple[str, ...]:
        """What was left out; nothing is skipped in silence."""
        if not self.left_out:
            return ()
        fixed = ", ".join(sorted(self.fixed))
        return (f"The export fixes {fixed}: {self.left_out} comparisons of other sizes were left out.",)


def _measure(
    runner: Runner,
    feeds: Mapping[str, np.ndarray],
    batch_size: int,
    request: MeasureSettings,
    registry: Registry,
    log_dir: Path,
    prepared: float,
) -> Measured:
    config = request.config
    route = registry.route(request.profiler)
    job = ProfileJob(runner, feeds, seconds=config.seconds, calls=config.calls, log_dir=log_dir)

    def window() -> Any:
        return registry.ask("profile", job, route)

    return measure(window, call=lambda: runner(feeds), config=config, batch_size=batch_size, prepared=prepared)
