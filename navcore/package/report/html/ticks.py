"""A logarithmic axis: its ends, and which numbers are written on it; and labels, where they find room beside points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import attrs

_LETTER = 6.4
_LINE = 14.0
_MARK = 7.0


def domain_of(values: Sequence[float], margin: float = 1.12) -> tuple[float, float]:
    """Bounds that leave some room on both sides of positive numbers."""
    return min(values) / margin, max(values) * margin


def round_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers between the two: 1, 2 and 5 times powers of ten, or evenly spaced ones where these are too few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [digit * 10.0**power for power in powers for digit in (1, 2, 5) if low <= digit * 10.0**power <= high]
    if len(found) > most:
        found = [tick for tick in found if math.isclose(math.log10(tick), round(math.log10(tick)))]
        return found[:: math.ceil(len(found) / most)]
    if len(found) >= 3:
        return found
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * digit for digit in (1, 2, 5, 10) if unit * digit >= rough * 0.999)
    return [round(step * number, 12) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def power_ticks(low: float, high: float, most: int = 8) -> list[float]:
    """The powers of ten between the two, of too many every second or third."""
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    return [10.0**power for power in powers[:: math.ceil(len(powers) / most) or 1]]


Align = Literal["left", "center", "right"]


@attrs.frozen
class Label:
    """A text at ``x``, ``y`` in pixels, which is its ``align`` edge, and the middle of its height."""

    text: str
    x: float
    y: float
    align: Align


def placed_labels(
    points: Sequence[tuple[float, float, str, str]],
    width: float,
    height: float,
    bars: Sequence[tuple[float, float, float]] = (),
) -> tuple[Label | None, ...]:
    """A label for each point (``x``, ``y`` in pixels, its name, and a short sign), where nothing is covered.

    Earlier points choose first. Where a name finds no room its sign stands for it, and where not even that does
    nothing. ``bars`` are lines that are not to
    be written over: from, to, and their height.
    """
    taken = [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y, _, _ in points]
    taken += [(left, y - 2, right, y + 2) for left, right, y in bars]
    labels: list[Label | None] = []
    for x, y, name, sign in points:
        placed = _free(x, y, name, taken, width, height) or _free(x, y, sign, taken, width, height)
        labels.append(placed and placed[0])
        if placed:
            taken.append(placed[1])
    return tuple(labels)


_Box = tuple[float, float, float, float]
_PLACES: tuple[tuple[Align, float, float], ...] = (
    ("center", 0, -15), ("center", 0, 15), ("left", 10, 0), ("right", -10, 0), ("left", 4, -15), ("left", 4, 15),
    ("right", -4, -15), ("right", -4, 15),
)  # fmt: skip


def _free(
    x: float, y: float, text: str, taken: Sequence[_Box], width: float, height: float
) -> tuple[Label, _Box] | None:
    for place in range(len(_PLACES)):
        label, box = _beside(x, y, text, place)
        inside = box[0] >= 2 and box[1] >= 0 and box[2] <= width - 2 and box[3] <= height
        if inside and not any(_overlap(box, other) for other in taken):
            return label, box
    return None


def _beside(x: float, y: float, text: str, place: int) -> tuple[Label, _Box]:
    """The text above a point, below it, beside it, or diagonally."""
    long = _LETTER * len(text)
    align, dx, dy = _PLACES[place]
    left = {"left": x + dx, "center": x - long / 2, "right": x + dx - long}[align]
    return Label(text, x + dx, y + dy, align), (left, y + dy - _LINE / 2, left + long, y + dy + _LINE / 2)


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
