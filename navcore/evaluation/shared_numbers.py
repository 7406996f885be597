"""Finds out whether an export draws the random numbers of its source, so that both can be held and compared exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager

import attrs
import numpy as np

from navcore.contract import Feeds
from navcore.evaluation.comparison import Comparison
from navcore.evaluation.differences import distance, is_floating

Model = Callable[[Feeds], Mapping[str, np.ndarray]]
Held = Callable[[], AbstractContextManager[None]]
"""Entered for the time of a call: random numbers start from the seed that the source was run with."""

_AS_NEAR = 1e-3
"""An answer is the source's own where it is a thousand times nearer to it than another draw is."""
_WITNESSES = 2
"""How many comparisons have to show it: one number that was drawn may be near another by chance."""


def holding(runner: Model, held: Held) -> Model:
    """The model under test, every call of which begins at the seed."""

    def call(feeds: Feeds) -> Mapping[str, np.ndarray]:
        with held():
            return runner(feeds)

    return call


def under_seed(comparisons: Iterable[Comparison]) -> Iterator[Comparison]:
    """What the source returned from the seed, in place of the means of its runs."""
    for comparison in comparisons:
        if comparison.seeded:
            yield attrs.evolve(comparison, expected=comparison.seeded)


def shares_numbers(runner: Model, comparisons: Iterable[Comparison]) -> bool:
    """Whether a ``runner`` that begins at the seed returns what the source did, where another draw is something else.

    So it draws from the same generator, as many numbers in the same order, and what differs elsewhere is no chance. An
    answer that it refuses to give shows nothing.
    """
    witnesses = 0
    for comparison in comparisons:
        witnesses += bool(comparison.seeded) and _is_own_answer(runner, comparison)
        if witnesses == _WITNESSES:
            return True
    return False


def _is_own_answer(runner: Model, comparison: Comparison) -> bool:
    try:
        answer = runner(comparison.feeds)
    except Exception:  # verifying will meet it again, and tell it
        return False
    return any(
        _is_nearer(seeded, np.asarray(answer[name]), comparison.expected[name])
        for name, seeded in comparison.seeded.items()
        if name in answer
    )


def _is_nearer(seeded: np.ndarray, answer: np.ndarray, mean: np.ndarray) -> bool:
    if not is_floating(seeded.dtype) or seeded.shape != answer.shape or seeded.dtype != answer.dtype:
        return False
    drawn = distance(seeded, mean)
    return bool(drawn > 0 and distance(seeded, answer) <= _AS_NEAR * drawn)
