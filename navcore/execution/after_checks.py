"""What is measured once everything is checked: the models in turn, and then several callers of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from navcore.execution.artifacts import artifact_of
from navcore.execution.check_format import measure_runtime
from navcore.execution.ranking import ranked_rows
from navcore.execution.run_context import RunContext
from navcore.execution.several_callers import with_callers
from navcore.planning import Check
from navcore.workspace import FormatResult, Ranking, RuntimeResult, Status


def measured_rows(
    context: RunContext, rows: Sequence[FormatResult], keys: Mapping[str, str]
) -> tuple[tuple[FormatResult, ...], Ranking | None]:
    """The rows with all numbers that the settings ask for, and the ranking, where there is one.

    ``keys`` are the recipes of the formats, by name, under which what an earlier run measured is found again.
    """
    ranked, ranking = ranked_rows(context, _with_windows(context, rows), keys)
    return with_callers(context, ranked, keys), ranking


def _with_windows(context: RunContext, rows: Sequence[FormatResult]) -> tuple[FormatResult, ...]:
    """The rows with windows of what a metric let pass, which was not measured while its numbers stood against it."""
    if context.settings.windows is None:
        return tuple(rows)

    def measured(row: FormatResult, one: RuntimeResult) -> RuntimeResult:
        if not one.judged_by or one.status != Status.OK or one.performance or one.profiling is not None:
            return one
        artifact = artifact_of(row, context.samples.signature, context.workspace.root, context.registry)
        fresh = measure_runtime(context, artifact, Check(row.format, one.runtime, context.registry.route(one.route)))
        return attrs.evolve(
            one, performance=fresh.performance, profiling=fresh.profiling, threads=fresh.threads, machine=fresh.machine
        )

    return tuple(attrs.evolve(row, runtimes=tuple(measured(row, one) for one in row.runtimes)) for row in rows)
