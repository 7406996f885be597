"""How much faster one model is than another, from windows that were measured in turn: a ratio with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_RESAMPLES = 2000
_CONFIDENCE = 95.0


def paired_ratio(reference: Sequence[float], other: Sequence[float], seed: int) -> tuple[float, float, float]:
    """The median of ``reference[i] / other[i]``, and the bounds of its 95 % interval.

    Each pair comes from one round, so that what slowed the machine down for longer than a round is in both and cancels
    out. The interval is the percentile bootstrap over rounds, drawn from ``seed``; of fewer than three pairs it is
    everything between the smallest and the largest.
    """
    ratios = np.asarray(reference, dtype=np.float64) / np.asarray(other, dtype=np.float64)
    low, high = median_interval(ratios, seed)
    return float(np.median(ratios)), low, high


def median_interval(values: Sequence[float] | np.ndarray, seed: int) -> tuple[float, float]:
    """The bounds of the 95 % interval of a median, by the percentile bootstrap drawn from ``seed``."""
    values = np.asarray(values, dtype=np.float64)
    if values.size < 3:
        return float(values.min()), float(values.max())
    drawn = np.random.default_rng(seed).integers(0, values.size, (_RESAMPLES, values.size))
    medians = np.sort(np.median(values[drawn], axis=1))
    tail = (100 - _CONFIDENCE) / 200
    return float(medians[int(tail * _RESAMPLES)]), float(medians[int((1 - tail) * _RESAMPLES) - 1])
