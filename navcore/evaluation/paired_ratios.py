"""How much faster one model is than another, from windows that were measured in turn: a ratio with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_RESAMPLES = 2000
_CONFIDENCE = 95.0
_TOO_FEW_TO_RESAMPLE = {3: 4.303, 4: 3.182}
"""The 97.5th percentile of Student's t for so many values.

The bootstrap's interval of three ends at the smallest and the largest, and holds the median three times in four only.
"""


def paired_ratio(reference: Sequence[float], other: Sequence[float], seed: int) -> tuple[float, float, float]:
    """The median of ``reference[i] / other[i]``, and the bounds of its 95 % interval.

    Each pair comes from one round, so that what slowed the machine down for longer than a round is in both and cancels
    out. The interval is that of :func:`median_interval` over the rounds.
    """
    ratios = np.asarray(reference, dtype=np.float64) / np.asarray(other, dtype=np.float64)
    low, high = median_interval(ratios, seed)
    return float(np.median(ratios)), low, high


def median_interval(values: Sequence[float] | np.ndarray, seed: int) -> tuple[float, float]:
    """The bounds of the 95 % interval of a median, by the percentile bootstrap drawn from ``seed``.

    Of three or four values, which the bootstrap makes too narrow, it is Student's interval of their mean, from below by
    their reciprocals, so that it stays above 0; of fewer everything between the smallest and the largest.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.size < 3 or not values.min() > 0:
        return float(values.min()), float(values.max())
    if values.size in _TOO_FEW_TO_RESAMPLE:
        low, high = 1 / _students_bound(1 / values), _students_bound(values)
        return min(low, float(values.min())), max(high, float(values.max()))  # but for rounding it is so anyway
    drawn = np.random.default_rng(seed).integers(0, values.size, (_RESAMPLES, values.size))
    medians = np.sort(np.median(values[drawn], axis=1))
    tail = (100 - _CONFIDENCE) / 200
    return float(medians[int(tail * _RESAMPLES)]), float(medians[int((1 - tail) * _RESAMPLES) - 1])


def _students_bound(values: np.ndarray) -> float:
    """The upper bound of Student's interval of the mean; of three or four values none is above it."""
    return float(values.mean() + _TOO_FEW_TO_RESAMPLE[values.size] * values.std(ddof=1) / math.sqrt(values.size))
