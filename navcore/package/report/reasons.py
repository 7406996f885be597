"""Why rows are not ok, or have no numbers: every cause with what to do, told once for all rows that share it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from navcore.package.report.cells import failure_of, result_words, source_first, unmade_cause
from navcore.workspace import Failure, FormatResult, Outcome, RuntimeResult, Status


@attrs.frozen
class Reason:
    """One cause, of these formats (in these runtimes, where it is one of runtimes).

    ``words`` are those of the table's column ``result``. ``details`` are sentences: the user's line,
    what to do, the log.
    """

    status: Status
    words: str
    formats: tuple[str, ...]
    runtimes: tuple[str, ...]
    cause: str
    details: tuple[str, ...] = ()

    @property
    def about(self) -> tuple[str, str]:
        """The row of the table that it is about; of several, the first."""
        return self.formats[0], self.runtimes[0] if self.runtimes else ""

    @property
    def sentence(self) -> str:
        """Who, and why."""
        where = f" in {', '.join(self.runtimes)}" if self.runtimes else ""
        return f"{', '.join(self.formats)}{where}: {self.cause}"


def reasons_of(results: Sequence[FormatResult]) -> list[Reason]:
    """The reason of each row that has one, in the order of the table."""
    found = []
    for result in source_first(results):
        last = result.attempts[-1].outcome if result.attempts else None
        name = (str(result.format.name),)
        if not result.runtimes and (cause := unmade_cause(result)):
            details = _details(result.failure, last)
            found.append(Reason(result.status, result_words(result), name, (), cause, details))
        for runtime in result.runtimes:
            failure = failure_of(result, runtime)
            if failure is not None:
                outcome = _outcome_of(runtime) or last
                status = runtime.status
                words = result_words(result, attrs.evolve(runtime, performance=(), verified=False, metrics=()))
                if status == Status.OK:  # it was measured at some batch sizes only, or not at all
                    status, words = Status.UNVERIFIED, "not measured"
                where = (str(runtime.runtime),)
                found.append(Reason(status, words, name, where, failure.cause, _details(failure, outcome)))
    return found


def folded(reasons: Iterable[Reason]) -> list[Reason]:
    """The same, each cause told once: first for all runtimes of a format, then for all formats that agree in those."""
    by_format: dict[Reason, Reason] = {}
    for one in reasons:
        key = attrs.evolve(one, runtimes=())
        known = by_format.get(key)
        by_format[key] = one if known is None else attrs.evolve(one, runtimes=(*known.runtimes, *one.runtimes))
    by_runtimes: dict[Reason, Reason] = {}
    for one in by_format.values():
        key = attrs.evolve(one, formats=())
        known = by_runtimes.get(key)
        by_runtimes[key] = one if known is None else attrs.evolve(one, formats=(*known.formats, *one.formats))
    return list(by_runtimes.values())


def _outcome_of(runtime: RuntimeResult) -> Outcome | None:
    if runtime.profiling is not None and runtime.profiling.failure is not None:
        return runtime.profiling
    return runtime.outcome


def _details(failure: Failure | None, outcome: Outcome | None) -> tuple[str, ...]:
    log = outcome.log if outcome is not None else ""
    if failure is None:
        return ()
    return tuple(one for one in (failure.frame and f"at {failure.frame}", failure.hint, log and f"log: {log}") if one)
