"""What several callers at once got out of each row, as lines below the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from navcore.package.report.cells import number_text, printable, source_first
from navcore.workspace import ConcurrentThroughput, FormatResult

MEANING = (
    "callers: threads of one process, each of which calls again as soon as it has its answer, on one session of the "
    "model that they share, or on a session of its own for each; ± is half the 95 % interval."
)


def callers_lines(results: Sequence[FormatResult]) -> Iterator[str]:
    """A sentence for each row and batch size that was measured so, the source's first; nothing where none was."""
    for result in source_first(results):
        for runtime in result.runtimes:
            for (count, size), ways in groupby(runtime.concurrent, key=lambda one: (one.callers, one.batch_size)):
                told = " and ".join(_way(way) for way in ways)
                batch = f" at batch {size}" if size > 0 else ""
                yield f"{result.format.name} in {printable(runtime.runtime)}: {count} callers{batch} get {told}."


def _way(found: ConcurrentThroughput) -> str:
    margin = number_text((found.high - found.low) / 2, 1)
    where = "one session" if found.sessions == 1 else f"{found.sessions} sessions"
    return f"{number_text(found.throughput)}/s ±{margin} on {where}"
