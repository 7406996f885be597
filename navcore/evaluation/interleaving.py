"""Blocks of several models in turn, until it is known by how much each is faster than the one they are held against."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from time import perf_counter

import attrs

from navcore.evaluation.paired_ratios import median_interval, paired_ratio
from navcore.evaluation.windows import Window, usual_share
from navcore.workspace import Failure, describe

BLOCK_SECONDS = 0.25
NARROW = 0.03
"""An interval is narrow enough when it is narrower than this share of the ratio."""

STABLE = 0.10
"""What is not known this well when the time is over is called unstable; the reference page's share for windows."""

LEAST_ROUNDS = 5
FEWEST_ROUNDS = 3
"""How many rounds there are in any case, also when the budget is over."""

Measure = Callable[[], Window]


@attrs.frozen
class Ratio:
    """How much faster than the reference: the median of paired blocks, its 95 % interval, from so many pairs."""

    value: float
    low: float
    high: float
    pairs: int

    @property
    def is_stable(self) -> bool:
        """Whether the interval is narrower than 10 % of the ratio."""
        return self.high - self.low < STABLE * self.value

    @property
    def is_narrow(self) -> bool:
        """Whether the interval is narrower than 3 % of the ratio, and stands on enough rounds."""
        return self.pairs >= LEAST_ROUNDS and self.high - self.low < NARROW * self.value


@attrs.frozen(eq=False)
class Interleaved:
    """What came of it, each by the name of the model; ``reference`` is the one that the ratios are to.

    ``windows`` are all blocks in the order in which they were measured, ``counted`` those that the statistics stand on:
    one per round, and where it was measured again, the later. ``ratios`` and ``intervals`` are those that stand on
    three rounds at least. ``failures`` tells of models that could not be measured to the end. ``settled`` says whether
    every ratio became narrow before the budget was over.
    """

    reference: str
    windows: Mapping[str, tuple[Window, ...]]
    counted: Mapping[str, tuple[Window, ...]]
    ratios: Mapping[str, Ratio]
    intervals: Mapping[str, tuple[float, float]]
    failures: Mapping[str, Failure]
    seconds: float
    settled: bool


def interleave(
    models: Mapping[str, Measure],
    reference: str,
    *,
    seed: int,
    until: float,
    clock: Callable[[], float] = perf_counter,
) -> Interleaved:
    """Measure a block of each model in turn, in an order that is shuffled anew for each round, by ``seed``.

    A model takes part until its ratio to ``reference`` is narrow; the reference to the end. There are at least three
    rounds, and at least five where the ratios are to become narrow; after these no round begins behind ``until``, a
    time of ``clock``. A block that others disturbed is measured once more at the end of its round, as long as there is
    time, and the later one counts. A model whose block raises takes no further part.
    """
    rounds = _Rounds(models, reference, seed, until, clock)
    began = clock()
    while rounds.is_open():
        rounds.one_round()
    return rounds.outcome(clock() - began)


class _Rounds:
    """The rounds of one reference and those that are held against it."""

    def __init__(
        self, models: Mapping[str, Measure], reference: str, seed: int, until: float, clock: Callable[[], float]
    ) -> None:
        self._models = models
        self._reference = reference
        self._seed = seed
        self._order = random.Random(seed)
        self._until = until
        self._clock = clock
        self._taken: dict[str, list[Window]] = {name: [] for name in models}
        self._rounds: list[dict[str, Window]] = []
        self._failures: dict[str, Failure] = {}
        self._ratios: dict[str, Ratio] = {}

    def is_open(self) -> bool:
        if self._reference in self._failures:
            return False
        if len(self._rounds) < FEWEST_ROUNDS:
            return True
        return self._clock() < self._until and bool(self._unsettled())

    def _measured(self) -> list[str]:
        """Those held against the reference that can be measured."""
        return [name for name in self._models if name not in (self._reference, *self._failures)]

    def _unsettled(self) -> list[str]:
        """Those whose ratio is not narrow yet; a reference that is alone has to have its own median narrow.

        It is also alone once all others have failed.
        """
        if not self._measured():
            medians = [one.median for one in self._column(self._reference)]
            if len(medians) < LEAST_ROUNDS:
                return [self._reference]
            low, high = median_interval(medians, self._seed)
            return [] if high - low < NARROW * high else [self._reference]
        return [name for name in self._measured() if name not in self._ratios or not self._ratios[name].is_narrow]

    def one_round(self) -> None:
        names = list(dict.fromkeys((self._reference, *self._unsettled())))
        self._order.shuffle(names)
        found: dict[str, Window] = {}
        for name in names:
            self._block(name, found)
        for name in [name for name in found if self._is_disturbed(name)]:
            if self._clock() < self._until:
                self._block(name, found)
        self._rounds.append(found)
        for name in names:
            if name != self._reference and (pairs := self._pairs(name)):
                references, others = zip(*pairs, strict=True)
                self._ratios[name] = Ratio(*paired_ratio(references, others, self._seed), len(pairs))

    def _block(self, name: str, found: dict[str, Window]) -> None:
        try:
            window = self._models[name]()
        except Exception as error:
            self._failures[name] = describe(error)
            found.pop(name, None)
        else:
            found[name] = window
            self._taken[name].append(window)

    def _is_disturbed(self, name: str) -> bool:
        taken = self._taken[name]
        return name not in self._failures and bool(taken[-1].contention(usual_share(taken)))

    def _column(self, name: str) -> list[Window]:
        return [one[name] for one in self._rounds if name in one]

    def _pairs(self, name: str) -> list[tuple[float, float]]:
        """The medians of the reference and of the model in each round; a clock may be too coarse for either."""
        found = [
            (one[self._reference].median, one[name].median)
            for one in self._rounds
            if name in one and self._reference in one
        ]
        return [pair for pair in found if min(pair) > 0]

    def outcome(self, seconds: float) -> Interleaved:
        counted = {name: tuple(self._column(name)) for name in self._models}
        return Interleaved(
            reference=self._reference,
            windows={name: tuple(taken) for name, taken in self._taken.items()},
            counted=counted,
            ratios={name: ratio for name, ratio in self._ratios.items() if ratio.pairs >= FEWEST_ROUNDS},
            intervals={
                name: median_interval([one.median for one in column], self._seed)
                for name, column in counted.items()
                if len(column) >= FEWEST_ROUNDS
            },
            failures=dict(self._failures),
            seconds=seconds,
            settled=self._reference not in self._failures and not self._unsettled(),
        )
