"""Twice the batch as long as that brings more samples per second: which size comes next, and where it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import attrs

GAIN = 0.05
"""A doubling that brings less than this share of throughput gains nothing; the share of Model Navigator."""

FRUITLESS = 2
"""After so many doublings in a row that gained nothing there is no further."""

LARGEST = 2**20

DOUBLED = "Batch doubled"
"""How the note of a row begins that says how far its batch was doubled."""


@attrs.frozen
class Doubling:
    """The sizes from ``smallest`` on, each twice the one before, up to ``most``, which is the last in any case.

    ``declared`` says that the user gave the largest, ``unlike`` why larger batches cannot be compared with the first.
    """

    smallest: int = 1
    most: int = LARGEST
    declared: bool = False
    unlike: str = ""

    def size(self, number: int) -> int:
        """The size after so many doublings."""
        return int(min(self.smallest << number, self.most))

    def is_over(self, gains: Sequence[float]) -> bool:
        """Whether there is no further after doublings that gained so many shares of throughput each."""
        return not self.further(gains) or self.size(len(gains)) >= self.most

    def after(self, throughputs: Sequence[float]) -> int | None:
        """The size after those that had so many samples per second, ``None`` where there is no further."""
        if not throughputs:
            return self.smallest
        gains = gains_of(throughputs)
        return None if self.is_over(gains) else self.size(len(throughputs))

    def further(self, gains: Sequence[float]) -> bool:
        """Whether the last doublings still gained anything."""
        return len(gains) < FRUITLESS or any(gain >= GAIN for gain in gains[-FRUITLESS:])

    def end(self, gains: Sequence[float]) -> str:
        """Why it ended there, as the end of a sentence."""
        if not self.further(gains):
            return f"twice in a row twice the batch gained less than {GAIN:.0%}".replace("%", " %")
        return "that is the largest that axis_ranges allows" if self.declared else "that is the largest there is"

    def told(self, end: str) -> str:
        """The end of the sentence, and what else is to be known of the larger batches."""
        end = end.rstrip(".")
        return f"{end}; larger batches were not compared, since {self.unlike}" if self.unlike else end


def gains_of(throughputs: Sequence[float]) -> list[float]:
    """By what share each is more than the one before."""
    return [after / before - 1 for before, after in pairwise(throughputs)]


def most_at(throughputs: Mapping[int, float]) -> int:
    """The size of the most samples per second, of equals the smaller."""
    return min(throughputs, key=lambda size: (-throughputs[size], size))


def doubled_note(throughputs: Mapping[int, float], end: str) -> str:
    """The sentence of a row whose batch was doubled: how far, which size is best, and why there is no further."""
    best = most_at(throughputs)
    return f"{DOUBLED} to {max(throughputs)}: most samples per second at {best}. It ended there: {end}."
