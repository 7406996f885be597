"""Results as plain data for JSON, under keys that stay what they are from release to release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from navcore.package.report.cells import Speeds, failure_of, is_source, source_first, source_reference
from navcore.workspace import (
    Attempt,
    BatchPerformance,
    Difference,
    Failure,
    FormatResult,
    Outcome,
    Ranking,
    RuntimeResult,
)


def results_data(results: Sequence[FormatResult], ranking: Ranking | None = None) -> list[dict[str, Any]]:
    """One mapping per format, the source first; latencies in ms, throughput in samples per second, sizes in bytes."""
    ordered = source_first(results)
    speeds = Speeds(source_reference(ordered), ranking)
    return [_format_data(result, speeds) for result in ordered]


def _format_data(result: FormatResult, speeds: Speeds) -> dict[str, Any]:
    format = result.format
    return {
        "format": format.name,
        "family": format.family,
        "jit_type": None if format.jit_type is None else str(format.jit_type),
        "precision": format.precision,
        "source": is_source(result),
        "requested": result.requested,
        "status": str(result.status),
        "path": result.path,
        "size": result.size,
        "route": result.route,
        "recorded_elsewhere": result.elsewhere,
        "failure": _failure_data(result.failure),
        "notes": list(result.notes),
        "attempts": [_attempt_data(attempt) for attempt in result.attempts],
        "runtimes": [_runtime_data(result, runtime, speeds) for runtime in result.runtimes],
    }


def _runtime_data(result: FormatResult, runtime: RuntimeResult, speeds: Speeds) -> dict[str, Any]:
    checked = runtime.verification
    return {
        "runtime": runtime.runtime,
        "status": str(runtime.status),
        "verified": runtime.is_verified,
        "judged_by": list(runtime.judged_by),
        "provider": runtime.provider,
        "precision": runtime.precision,
        "threads": runtime.threads,
        "recorded_elsewhere": result.elsewhere or runtime.elsewhere,
        "failure": _failure_data(failure_of(result, runtime)),
        "log": _log(runtime.profiling) or _log(runtime.outcome),
        "notes": [*runtime.notes, *(checked.notes if checked is not None else ())],
        "compared": 0 if checked is None else checked.compared,
        "bound": None if checked is None else checked.bound,
        "frozen_axes": [] if checked is None else list(checked.frozen_axes),
        "differences": [] if checked is None else [_difference_data(one) for one in checked.differences],
        "metrics": [
            {
                "metric": one.metric,
                "value": one.value,
                "items": one.items,
                "difference": one.difference,
                "bound": one.bound,
                "keeps_bound": None if one.bound is None else one.keeps_bound,
            }
            for one in runtime.metrics
        ],
        "performance": [
            {
                "batch_size": measured.batch_size,
                "avg_latency": measured.avg_latency,
                "std_latency": measured.std_latency,
                "p50_latency": measured.p50_latency,
                "p90_latency": measured.p90_latency,
                "p95_latency": measured.p95_latency,
                "p99_latency": measured.p99_latency,
                "throughput": measured.throughput,
                "request_count": measured.request_count,
                "stable": measured.stable,
                "notes": list(measured.notes),
                "p50_interval": None if measured.interval is None else list(measured.interval),
                **_compared(result, runtime, measured, speeds),
            }
            for measured in sorted(runtime.performance, key=lambda one: one.batch_size)
        ],
        "concurrent": [
            {
                "callers": found.callers,
                "sessions": found.sessions,
                "batch_size": found.batch_size,
                "throughput": found.throughput,
                "throughput_interval": [found.low, found.high],
                "p50_latency": found.p50_latency,
                "p95_latency": found.p95_latency,
                "request_count": found.calls,
                "seconds": found.seconds,
            }
            for found in runtime.concurrent
        ],
    }


def _compared(
    result: FormatResult, runtime: RuntimeResult, measured: BatchPerformance, speeds: Speeds
) -> dict[str, Any]:
    """How many times faster than the source, and the 95 % interval where the two were measured in turn."""
    paired = speeds.paired(result.format.name, runtime.runtime, measured.batch_size)
    if paired is None:
        return {"vs_source": speeds.apart(runtime, measured), "vs_source_interval": None}
    return {"vs_source": paired.ratio, "vs_source_interval": [paired.low, paired.high]}


def _difference_data(difference: Difference) -> dict[str, Any]:
    return {
        "output": difference.output,
        "atol": difference.atol,
        "rtol": difference.rtol,
        "relative_l2": difference.relative_l2,
        "cosine": difference.cosine,
        "elements": difference.elements,
        "differing": difference.differing,
        "worst": difference.worst,
    }


def _attempt_data(attempt: Attempt) -> dict[str, Any]:
    outcome = attempt.outcome
    return {
        "route": attempt.route,
        "distribution": attempt.owner,
        "version": attempt.version,
        "status": str(outcome.status),
        "seconds": outcome.seconds,
        "peak_memory": outcome.peak_memory,
        "contained": outcome.contained,
        "log": _log(outcome),
        "failure": _failure_data(outcome.failure),
    }


def _failure_data(failure: Failure | None) -> dict[str, str] | None:
    if failure is None:
        return None
    return {"cause": failure.cause, "category": failure.category, "frame": failure.frame, "hint": failure.hint}


def _log(outcome: Outcome | None) -> str | None:
    return outcome.log or None if outcome is not None else None
