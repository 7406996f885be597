"""The answer in one sentence: what to ship, how much faster it is and how sure that is, how far off; or why nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import attrs

from navcore.evaluation import Choice, MaxThroughput, MinLatency, candidates_of
from navcore.package.report.cells import difference_text, is_source, number_text
from navcore.package.report.html.private_paths import told
from navcore.workspace import FormatResult, Ranking, Settings, Status


@attrs.frozen
class Answer:
    """``sentence`` is the answer, ``details`` what a reader has to know beside it; ``ships`` says that it names a row.

    ``chosen`` is the format and the runtime of that row.
    """

    sentence: str
    details: tuple[str, ...] = ()
    ships: bool = False
    chosen: tuple[str, str] | None = None


def answer_of(results: Sequence[FormatResult], ranking: Ranking | None, settings: Settings | None = None) -> Answer:
    """The answer by :meth:`navcore.PackageDescriptor.best`, in words that claim no more than was measured."""
    candidates = candidates_of(results, ranking, settings)
    best = MinLatency().choose(candidates)
    if best is not None:
        details = (
            _absolute(best),
            *_reservations(best),
            *_by_throughput(best, candidates),
            *_by_less(best, candidates),
        )
        return Answer(_sentence(best, ranking), details, ships=True, chosen=(best.format.name, best.runtime))
    recorded = MinLatency().choose(candidates_of([_as_if_here(row) for row in results], ranking, settings))
    if recorded is not None:
        return Answer(
            f"Nothing was tested on this machine; where it was recorded, {_name(recorded)} was the fastest that "
            f"verified{_claim(recorded, ranking)}, {_error_clause(recorded)}.",
            (_absolute(recorded), *_reservations(recorded), "Load the package on the machine that will serve it."),
        )
    loss = MinLatency(max_error=math.inf).choose(candidates)
    if loss is not None:
        return Answer(
            f"Nothing that is as precise as the source was measured. {_name(loss)} promises less, and comes out "
            f"{_error_clause(loss)}.",
            (_absolute(loss), _ASK_FOR_LESS),
        )
    return Answer(_why_nothing(results))


def _sentence(best: Choice, ranking: Ranking | None) -> str:
    against = _reference(ranking)
    paired = best.ratio
    where = "" if best.batch_size < 0 else f" at batch size {best.batch_size}"
    if paired is None:
        return (
            f"Ship {_name(best)}: the lowest median latency of what verified, {number_text(best.latency)} ms{where}, "
            f"{_error_clause(best)}; it was not measured in turn with the source, so no ratio is claimed."
        )
    interval = f"{number_text(paired.low)} to {number_text(paired.high)}"
    if not paired.shows_difference:
        return (
            f"{_name(best)} is the fastest that verified{where}, and no difference in speed to {against} was shown "
            f"({interval} times as fast, 95 %), {_error_clause(best)}."
        )
    speed = f"{number_text(paired.ratio)} times as fast as {against}{where} ({interval}, 95 %)"
    if paired.ratio < 1:
        return f"Nothing that verified is faster than {against}: the fastest, {_name(best)}, is {speed}."
    return f"Ship {_name(best)}: {speed}, {_error_clause(best)}."


def _name(choice: Choice) -> str:
    return told(f"{choice.format.name} in {choice.runtime}")


def _reference(ranking: Ranking | None) -> str:
    if ranking is None or ranking.is_source:
        return "the source"
    return told("{} in {}".format(*ranking.reference))


def _claim(choice: Choice, ranking: Ranking | None) -> str:
    paired = choice.ratio
    if paired is None or not paired.shows_difference:
        return ""
    interval = f"{number_text(paired.low)} to {number_text(paired.high)}, 95 %"
    return f", {number_text(paired.ratio)} times as fast as {_reference(ranking)} ({interval})"


def _error_clause(choice: Choice) -> str:
    if choice.error is None:
        return "with no number for its error"
    if choice.error == 0:
        return "with outputs that are the same to the last bit"
    return f"with a relative error of at most {difference_text(choice.error)}"


def _absolute(choice: Choice) -> str:
    where = "" if choice.batch_size < 0 else f" at batch size {choice.batch_size}"
    return (
        f"Its median latency is {number_text(choice.latency)} ms, its throughput {number_text(choice.throughput)} "
        f"samples per second{where}."
    )


def _reservations(choice: Choice) -> Iterator[str]:
    if not choice.stable:
        yield "Its measurement did not settle: the numbers may be off by more than their intervals say."
    if not choice.requested:
        yield "Nobody asked for this format: it was made on the way to another."


def _by_throughput(best: Choice, candidates: Sequence[Choice]) -> Iterator[str]:
    most = MaxThroughput().choose(candidates)
    if most is None or (most.format, most.runtime, most.callers) == (best.format, best.runtime, best.callers):
        return
    where = "" if most.batch_size < 0 else f" at batch size {most.batch_size}"
    if most.callers > 1:
        sessions = "one session" if most.sessions == 1 else f"{most.sessions} sessions"
        where += f", with {most.callers} callers at once on {sessions}"
    yield f"For throughput take {_name(most)}: {number_text(most.throughput)} samples per second{where}."


_ASK_FOR_LESS = (
    "A row of less precision is named once it is asked for: by targets=, or by best(MinLatency(max_error=…))."
)


def _by_less(best: Choice, candidates: Sequence[Choice]) -> Iterator[str]:
    """What is faster and promises less precision than the source has, which nobody asked for."""
    fastest = MinLatency(max_error=math.inf).choose(candidates)
    if fastest is not None and fastest.coarser:
        ratio = "" if fastest.ratio is None else f", {number_text(fastest.ratio.ratio)} times as fast as the source"
        speed = f"a median latency of {number_text(fastest.latency)} ms{ratio}"
        yield f"Faster at less precision: {_name(fastest)} with {speed}, {_error_clause(fastest)}. {_ASK_FOR_LESS}"


def _as_if_here(row: FormatResult) -> FormatResult:
    runtimes = tuple(attrs.evolve(one, elsewhere=False) for one in row.runtimes)
    return attrs.evolve(row, elsewhere=False, runtimes=runtimes)


def _why_nothing(results: Sequence[FormatResult]) -> str:
    made = [row for row in results if not is_source(row)]
    if not made:
        return "There are no results yet." if not results else "There is the source alone: nothing was made of it."
    runtimes = [one for row in made for one in row.runtimes]
    ok = [one for one in runtimes if one.status == Status.OK]
    if any(one.verification is not None and one.verification.frozen_axes for one in ok if one.performance):
        return "Nothing is named: what verified takes only some of the sizes that the data have."
    if ok:
        rows = "One row verified, and it was not" if len(ok) == 1 else f"{len(ok)} rows verified, and none of them was"
        return f"{rows} measured, so nothing is named as the fastest."
    if Status.UNVERIFIED in [*(row.status for row in made), *(one.status for one in runtimes)]:
        return "Nothing is proven: what was made could not be compared with the source, so nothing is named."
    return "Ship none of this: no format was made and verified."
