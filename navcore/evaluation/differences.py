"""The numbers between two arrays: how far an export's output is from the source's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from navcore.workspace import Difference

Array = np.ndarray[Any, Any]

SMALL_SHARE = 0.1
ZERO_SCALE = 1e-3
_FILL_SIZE = 1e4
_FILL_RATIO = 1e3


@attrs.frozen
class Gap:
    """What lies between one output of the source and of the export, in one comparison.

    ``atol`` and ``rtol`` are as in :class:`Difference`. ``differing`` and ``elements`` are counts. ``strays`` counts
    the elements that are NaN or infinite on one side, or differently on both. ``largest`` is the largest finite
    magnitude in the source. ``error`` and ``size`` are the root mean squares of source − export and of the source;
    these and ``cosine`` are ``None`` unless the dtype is floating point. ``far`` counts the elements that are not
    close, where it was asked how close they have to be.
    """

    dtype: str
    elements: int
    differing: int = 0
    strays: int = 0
    atol: float = 0.0
    rtol: float = 0.0
    largest: float = 0.0
    error: float | None = None
    size: float | None = None
    cosine: float | None = None
    far: int = 0

    @property
    def share(self) -> float:
        """The share of elements that differ."""
        return self.differing / self.elements if self.elements else 0.0


def is_floating(dtype: np.dtype[Any]) -> bool:
    """Whether numbers of this dtype are rounded: floating point and complex, those of ml_dtypes included."""
    if dtype.kind in "fc":
        return True
    return dtype.name.startswith(("bfloat", "float"))


def gap_between(source: Array, exported: Array, close: float | None = None) -> Gap:
    """Compare two arrays of one shape and dtype.

    With ``close`` it is counted which elements are further apart than ``close`` · (1 + |source|), or differ at all
    where the dtype is not floating point.

    Differences are taken in a wide dtype: float64 (complex128) for floating point, exactly for integers of any size
    and sign, logically for booleans (a difference is 1) and for text. Non-finite values that are equal at the same
    place (NaN and NaN, ∞ and ∞) count as equal; any other is a stray, and makes ``atol``, ``rtol`` and ``error``
    infinite. Raises :class:`ValueError` when shapes or dtypes differ.
    """
    if source.shape != exported.shape or source.dtype != exported.dtype:
        raise ValueError(
            f"An array of {source.dtype}{list(source.shape)} cannot be compared with one of "
            f"{exported.dtype}{list(exported.shape)}."
        )
    first, second = source.reshape(-1), exported.reshape(-1)
    if is_floating(source.dtype):
        return _floating_gap(first, second, close)
    gap = _exact_gap(first, second)
    return gap if close is None else attrs.evolve(gap, far=gap.differing)


def _floating_gap(source: Array, exported: Array, close: float | None) -> Gap:
    name, elements = source.dtype.name, source.size
    wide = np.promote_types(source.dtype, np.float64)
    with np.errstate(invalid="ignore"):  # numpy warns of a bfloat16 NaN that it widens, not of any other
        first, second = source.astype(wide), exported.astype(wide)
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    finite = np.isfinite(first) & np.isfinite(second)
    strays = int(np.count_nonzero(~(finite | same)))
    differing = elements - int(np.count_nonzero(same))
    if not finite.all():
        first, second = first[finite], second[finite]
    with np.errstate(over="ignore"):
        apart = np.abs(first - second)
    atol, rtol, largest = _largest(apart), _largest(_quotient(apart, np.abs(second))), _largest(np.abs(first))
    far = 0 if close is None else int(np.count_nonzero(apart > close * (1 + np.abs(first))))
    told = ~_filled(first, second)
    if not told.all():
        first, second, apart = first[told], second[told], apart[told]
    error, size, cosine = _root_mean_square(apart), _root_mean_square(first), _cosine(first, second)
    if strays:
        atol = rtol = error = float("inf")
    return Gap(name, elements, differing, strays, atol, rtol, largest, error, size, cosine, far)


def _exact_gap(source: Array, exported: Array) -> Gap:
    name, elements = source.dtype.name, source.size
    if source.dtype.kind in "SUOmM":
        source, exported = source != exported, np.zeros(elements, bool)
    wide = np.uint64 if source.dtype.kind == "u" else np.int64
    first, second = source.astype(wide), exported.astype(wide)
    # Modulo 2**64 the difference of the larger and the smaller is exact, also where int64 would overflow.
    first_bits, second_bits = first.astype(np.uint64), second.astype(np.uint64)
    apart = np.where(first >= second, first_bits - second_bits, second_bits - first_bits)
    size = np.where(second < 0, np.uint64(0) - second_bits, second_bits)
    rtol = _largest(_quotient(apart.astype(np.float64), size.astype(np.float64)))
    return Gap(name, elements, int(np.count_nonzero(apart)), 0, _largest(apart), rtol)


def _largest(values: Array) -> float:
    """The largest of non-negative numbers; 0 for none."""
    return float(values.max()) if values.size else 0.0


def _quotient(apart: Array, size: Array) -> Array:
    """``apart / size`` with 0/0 = 0, so that a zero that is a zero in both does not count."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotient: Array = np.where(apart == 0, 0.0, apart / size)
    return quotient


def _filled(source: Array, exported: Array) -> Array:
    """Where both hold one fill value, such as the −1e9 or the smallest float of a masked logit.

    Left in, it would be nearly all of ‖source‖ and hide any error elsewhere. It is the number of largest magnitude,
    at least 10 000, a thousand times larger than every other, and the same in both at each of its places.
    """
    nowhere = np.zeros(source.size, bool)
    if source.size < 2:
        return nowhere
    size = np.abs(source)
    places: Array = source == source[int(size.argmax())]
    fill, rest = _largest(size), _largest(size[~places])
    if fill < _FILL_SIZE or fill <= _FILL_RATIO * rest or (source != exported)[places].any():
        return nowhere
    return places


def _root_mean_square(values: Array) -> float:
    """The root of the mean square, whose squares neither overflow nor underflow; 0 for no values."""
    largest = _largest(np.abs(values))
    if largest == 0 or not np.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.mean(np.square(np.abs(values) / largest))))


def _cosine(source: Array, exported: Array) -> float | None:
    """The cosine of two vectors: 1 when both are zero, 0 when one is, ``None`` when there are no elements."""
    if source.size == 0:
        return None
    sizes = _largest(np.abs(source)), _largest(np.abs(exported))
    if 0 in sizes:
        return 1.0 if sizes == (0, 0) else 0.0
    first, second = source / sizes[0], exported / sizes[1]
    product: float = float(np.real(np.vdot(first, second))) / float(np.linalg.norm(first) * np.linalg.norm(second))
    return min(1.0, max(-1.0, product))


def relatives(gaps: Sequence[Gap]) -> list[float]:
    """The relative L2 difference of one output, per comparison: ‖source − export‖ / ‖source‖.

    ‖source‖ never counts for less than if the elements had a tenth of the output's typical size, which is the median,
    over all comparisons, of their root mean square where that is not zero: a sum that happens to be small carries the
    rounding of its large terms. An output that is zero throughout is measured as if its size were 0.001, which lets
    fp32 differ by 1e-7 there. Empty for outputs that are not floating point.
    """
    sizes = [gap.size for gap in gaps if gap.size]
    floor = SMALL_SHARE * _median(sizes) if sizes else ZERO_SCALE
    return [gap.error / max(gap.size, floor) for gap in gaps if gap.error is not None and gap.size is not None]


def _median(values: Sequence[float]) -> float:
    """As ``np.median`` has it, which would import ``numpy.ma`` into every child, and that takes long."""
    ordered = np.sort(values)
    middle = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
    return float("nan") if np.isnan(ordered[-1]) else float(np.mean(middle))


def summarise(output: str, labels: Sequence[str], gaps: Sequence[Gap]) -> Difference:
    """One output over all comparisons; ``labels`` name the comparisons of ``gaps``.

    ``atol``, ``rtol``, ``relative_l2`` (see :func:`relatives`) and ``cosine`` are those of the worst comparison: one
    bad sample is not diluted by many good ones. ``differing`` is over all elements. ``worst`` is the comparison with
    the largest absolute difference, empty when there is no difference.
    """
    elements = sum(gap.elements for gap in gaps)
    worst = max(zip(gaps, labels, strict=True), key=lambda pair: pair[0].atol)
    return Difference(
        output=output,
        atol=worst[0].atol,
        rtol=max(gap.rtol for gap in gaps),
        relative_l2=max(relatives(gaps), default=None),
        cosine=min((gap.cosine for gap in gaps if gap.cosine is not None), default=None),
        elements=elements,
        differing=sum(gap.differing for gap in gaps) / elements if elements else 0.0,
        worst=worst[1] if worst[0].differing else "",
    )


def distance(first: Array, second: Array) -> float:
    """How far two results of one model are apart, in the measure to which bounds and noise refer.

    The relative L2 difference for floating point, the share of differing elements otherwise; infinite where only one
    of them is finite. Raises :class:`ValueError` when shapes or dtypes differ.
    """
    gap = gap_between(first, second)
    return gap.share if gap.error is None else relatives([gap])[0]
