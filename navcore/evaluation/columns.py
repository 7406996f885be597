"""Errors by the slices of an output's last axis: a score beside coordinates that are hundreds of times larger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from navcore.contract import bound_of
from navcore.evaluation.differences import is_floating

Array = np.ndarray[Any, Any]

MOST_COLUMNS = 128
"""Axes that are longer hold features of one kind, whose scales do not tell them apart."""
_FACTOR = 10.0
_LARGEST = 0.5
_ROUNDING = 1 / 20


@attrs.frozen(eq=False)
class Columns:
    """By column, the sums of the squared errors and of the squared values of the source, over ``count`` elements."""

    errors: Array
    sizes: Array
    count: int


def columns_of(source: Array, exported: Array) -> Columns | None:
    """The columns of one output in one comparison; ``None`` where there is nothing to tell apart.

    Values that are not finite on both sides count as equal: they are judged by themselves.
    """
    if source.ndim < 2 or not 1 < source.shape[-1] <= MOST_COLUMNS or not source.size or not is_floating(source.dtype):
        return None
    wide = np.promote_types(source.dtype, np.float64)
    with np.errstate(invalid="ignore"):
        first, second = (array.reshape(-1, source.shape[-1]).astype(wide) for array in (source, exported))
        finite = np.isfinite(first) & np.isfinite(second)
        apart = np.where(finite, np.abs(first - second), 0.0)
    with np.errstate(over="ignore"):
        sizes = np.square(np.where(finite, np.abs(first), 0.0)).sum(axis=0)
        return Columns(np.square(apart).sum(axis=0), sizes, len(first))


def wrong_column(found: Sequence[Columns], precision: str) -> tuple[int, float] | None:
    """The column that is worst beyond what ``precision`` explains, and its relative L2 difference over all comparisons.

    A column may differ by ten times the bound of the whole (half its size at most), and by the rounding of the largest
    column beside it, a twentieth of the bound: a small column may be what is left of large terms. Only the second is
    left of a column that is much smaller than that, and it is never judged.
    """
    if not found or len({len(one.sizes) for one in found}) > 1:
        return None
    count = sum(one.count for one in found)
    sizes = np.sqrt(sum(one.sizes for one in found) / count)
    errors = np.sqrt(sum(one.errors for one in found) / count)
    if not np.isfinite(sizes).all() or not np.isfinite(errors).all():
        return None
    bound = bound_of(precision).relative_l2
    allowed = min(_FACTOR * bound, _LARGEST) * sizes + _ROUNDING * bound * sizes.max()
    beyond = np.where(errors > allowed, errors / np.maximum(sizes, np.finfo(float).tiny), 0.0)
    worst = int(beyond.argmax())
    return (worst, float(beyond[worst])) if beyond[worst] > 0 else None
