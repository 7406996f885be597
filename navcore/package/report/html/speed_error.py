"""Speed against error: a point per row and batch size, and which of them nothing else beats in both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from navcore.evaluation import Choice, candidates_of
from navcore.package.report.html.private_paths import told
from navcore.workspace import FormatResult, Ranking


@attrs.frozen
class Point:
    """One row at one batch size.

    ``speed`` is how many times faster than the reference it is, or where there is no ranking its median latency in ms;
    ``low`` and ``high`` bound it with 95 % confidence, and are ``speed`` itself where no interval is known. ``error``
    is relative L2, of integers the share that differs. ``best`` says that no other point is faster and nearer.
    ``here`` is false for what another machine recorded.
    """

    format: str
    runtime: str
    speed: float
    low: float
    high: float
    error: float
    best: bool = False
    here: bool = True

    @property
    def name(self) -> str:
        """Format and runtime."""
        return f"{self.format} in {self.runtime}"


@attrs.frozen
class SpeedAndError:
    """The points of one batch size (−1: unbatched). ``by_ratio`` tells ratios from latencies.

    ``reference`` is what the ratios are to. ``left_out`` are rows that have no place in the picture, with the reason.
    """

    batch_size: int
    by_ratio: bool
    reference: str
    points: tuple[Point, ...]
    left_out: tuple[str, ...] = ()


_Intervals = Mapping[tuple[str, str, int], tuple[float, float] | None]
MOST_SIZES = 4
MOST_POINTS = 60
_SMALLEST = 1e-18


def speed_and_error(results: Sequence[FormatResult], ranking: Ranking | None) -> tuple[SpeedAndError, ...]:
    """A picture per batch size, the smallest first; of at most four sizes, and sixty points each.

    By ratio where any row of that size was measured in turn, else by latency. Only what verified has a place.
    """
    here = _of_one_caller(results, ranking)
    there = _of_one_caller([row for one in results for row in _recorded_elsewhere(one)], ranking)
    sizes = sorted({choice.batch_size for choice in (*here, *there)})[:MOST_SIZES]
    intervals = {
        (str(row.format.name), str(one.runtime), measured.batch_size): measured.interval
        for row in results
        for one in row.runtimes
        for measured in one.performance
    }
    return tuple(_picture(size, here, there, ranking, intervals) for size in sizes)


def _of_one_caller(results: Sequence[FormatResult], ranking: Ranking | None) -> list[Choice]:
    """The candidates whose latencies can be compared: a call among many waits for the others."""
    return [choice for choice in candidates_of(results, ranking) if choice.callers == 1]


def _recorded_elsewhere(row: FormatResult) -> Iterator[FormatResult]:
    """The row with those runtimes alone that are another machine's, as if they were this one's."""
    runtimes = tuple(attrs.evolve(one, elsewhere=False) for one in row.runtimes if one.elsewhere)
    if runtimes:
        yield attrs.evolve(row, runtimes=runtimes)


def _picture(
    size: int, here: Sequence[Choice], there: Sequence[Choice], ranking: Ranking | None, intervals: _Intervals
) -> SpeedAndError:
    known = [(one, True) for one in here if one.batch_size == size]
    known += [(one, False) for one in there if one.batch_size == size]
    by_ratio = any(choice.ratio is not None for choice, _ in known)
    points, left_out = list[Point](), list[str]()
    for choice, is_here in known:
        name = told(f"{choice.format.name} in {choice.runtime}")
        if choice.error is None or not (choice.error == 0 or _drawable(choice.error)):
            left_out.append(f"{name}: no number says how far off it is")
            continue
        interval = intervals.get((choice.format.name, choice.runtime, size))
        point = _point(choice, choice.error, interval, here=is_here, by_ratio=by_ratio)
        if by_ratio and choice.ratio is None:
            left_out.append(f"{name}: it was not measured in turn with the others")
        elif not _drawable(point.low, point.speed, point.high):
            left_out.append(f"{name}: its speed cannot be drawn")
        elif len(points) == MOST_POINTS:
            left_out.append(f"{name}: there are {MOST_POINTS} already")
        else:
            points.append(point)
    reference = "the source"
    if ranking is not None and not ranking.is_source:
        reference = told("{} in {}".format(*ranking.reference))
    return SpeedAndError(size, by_ratio, reference, _with_front(points, by_ratio), tuple(left_out))


def _drawable(*numbers: float) -> bool:
    """Whether the numbers have places on a logarithmic axis that anybody could read."""
    return all(_SMALLEST <= number <= 1 / _SMALLEST for number in numbers)


def _point(choice: Choice, error: float, interval: tuple[float, float] | None, *, here: bool, by_ratio: bool) -> Point:
    paired = choice.ratio
    if by_ratio and paired is not None:
        speed, low, high = paired.ratio, paired.low, paired.high
    else:
        speed = choice.latency
        low, high = interval or (speed, speed)
    return Point(told(choice.format.name), told(choice.runtime), speed, low, high, error, here=here)


def _with_front(points: Sequence[Point], by_ratio: bool) -> tuple[Point, ...]:
    """Marked is what no other beats in both; rows of another machine count only where there is none of this one."""
    contest = [point for point in points if point.here] or list(points)

    def beats(one: Point, other: Point) -> bool:
        faster = one.speed >= other.speed if by_ratio else one.speed <= other.speed
        return faster and one.error <= other.error and (one.speed, one.error) != (other.speed, other.error)

    best = {id(point) for point in contest if not any(beats(one, point) for one in contest)}
    return tuple(attrs.evolve(point, best=id(point) in best) for point in points)
