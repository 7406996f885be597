"""What one output may differ by, and the words for numbers that go beyond it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import attrs

from navcore.contract import bound_of
from navcore.evaluation.differences import Gap
from navcore.evaluation.precision_bounds import HOPELESS_BOUND, MEANS_FACTOR, NO_SIGNAL, NOISE_FACTOR


@attrs.frozen
class Reading:
    """One output in one comparison: its gap, and its relative L2 difference (``None`` unless floating point).

    ``label`` and ``symbol`` are the comparison's; ``place`` is how a sentence calls it. ``likeness`` says what it looks
    like where it is far off.
    """

    label: str
    place: str
    symbol: str | None
    gap: Gap
    relative: float | None
    likeness: str = ""

    @property
    def off(self) -> float:
        """How far off it is: the relative L2 difference, or the share of differing elements."""
        return self.gap.share if self.relative is None else self.relative


@attrs.frozen
class Tolerance:
    """What one output is held to: the user's ``atol``, ``rtol``, ``close`` where given, else what a precision explains.

    ``noise`` is how far the source is from itself (:func:`navcore.evaluation.distance`); ten times that is
    explained in any precision. Where means of ``runs`` runs are compared, it is five times the noise of such a mean.
    """

    precision: str
    noise: float = 0.0
    atol: float | None = None
    rtol: float | None = None
    close: float | None = None
    runs: int = 1

    @property
    def given(self) -> bool:
        return any(limit is not None for limit in (self.atol, self.rtol, self.close))

    @property
    def relative_l2(self) -> float:
        """The largest relative L2 difference of a floating-point output, in any one comparison."""
        return max(bound_of(self.precision).relative_l2, self.explained_by_noise)

    @property
    def explained_by_noise(self) -> float:
        return (NOISE_FACTOR if self.runs == 1 else MEANS_FACTOR / math.sqrt(self.runs)) * self.noise

    @property
    def widened(self) -> float:
        """By which factor the source's noise widened the bound of a floating-point output; 1 where it did not."""
        return self.relative_l2 / bound_of(self.precision).relative_l2

    @property
    def hopeless(self) -> bool:
        """Whether the source's noise explains so much that neither right nor wrong can be told."""
        return not self.given and self.explained_by_noise > HOPELESS_BOUND

    @property
    def differing(self) -> float:
        """The largest share of differing elements of any other output."""
        return max(bound_of(self.precision).differing, NOISE_FACTOR * self.noise)


def beyond(output: str, readings: Sequence[Reading], tolerance: Tolerance) -> list[str]:
    """A clause for every limit that the readings of ``output`` break, naming the worst comparison."""
    if not readings:
        return []
    stray = max(readings, key=lambda reading: reading.gap.strays)
    if stray.gap.strays:
        return [
            f"output {output!r} is NaN or infinite on one side only, or not alike on both, "
            f"at {stray.gap.strays} of {stray.gap.elements} elements in {stray.place}"
        ]
    if not tolerance.given:
        return beyond_precision(output, readings, tolerance)
    clauses = (
        _over(output, readings, "atol", tolerance.atol, lambda reading: reading.gap.atol),
        _over(output, readings, "rtol", tolerance.rtol, lambda reading: reading.gap.rtol),
        _far(output, readings, tolerance.close),
    )
    return [clause for clause in clauses if clause]


def has_no_signal(readings: Sequence[Reading], tolerance: Tolerance) -> bool:
    """Whether an output is next to nothing on every sample, and so is its difference: no verdict can rest on it."""
    floating = [reading.gap for reading in readings if reading.relative is not None and reading.gap.elements]
    return (
        bool(floating)
        and not tolerance.given
        and all(gap.largest < NO_SIGNAL and gap.atol < NO_SIGNAL and not gap.strays for gap in floating)
    )


def _over(
    output: str, readings: Sequence[Reading], name: str, allowed: float | None, measure: Callable[[Reading], float]
) -> str:
    worst = max(readings, key=measure)
    found = measure(worst)
    # Written so that a NaN given as the limit allows nothing.
    if allowed is None or found <= allowed:
        return ""
    kind = "absolute" if name == "atol" else "relative"
    return f"the {kind} difference of output {output!r} is {found:.4g} in {worst.place}, over {name}={allowed:g}"


def _far(output: str, readings: Sequence[Reading], close: float | None) -> str:
    worst = max(readings, key=lambda reading: reading.gap.far)
    if close is None or not worst.gap.far:
        return ""
    limit = "0" if worst.relative is None else f"close={close:g}"
    return (
        f"{worst.gap.far} of {worst.gap.elements} elements of output {output!r} differ by more than {limit} "
        f"in {worst.place}"
    )


def beyond_precision(output: str, readings: Sequence[Reading], tolerance: Tolerance) -> list[str]:
    """A clause when ``output`` differs by more than the limit's precision and the source's noise explain."""
    relatives = [(reading.relative, reading.place) for reading in readings if reading.relative is not None]
    if not relatives:
        return _beyond_share(output, readings, tolerance)
    worst, place = max(relatives)
    if worst <= tolerance.relative_l2:
        return []
    explains = _explains(tolerance, by_noise=tolerance.widened > 1)
    alike = next((each for each in readings if each.likeness and each.off > tolerance.relative_l2), None)
    if alike is not None:
        return [
            f"{alike.likeness} in {alike.place} (relative L2 difference {alike.off:.4g}, "
            f"where {explains} {tolerance.relative_l2:.4g})"
        ]
    return [
        f"the relative L2 difference of output {output!r} is {worst:.4g} in {place}, "
        f"and {explains} at most {tolerance.relative_l2:.4g}"
    ]


def _beyond_share(output: str, readings: Sequence[Reading], tolerance: Tolerance) -> list[str]:
    differing = sum(reading.gap.differing for reading in readings)
    elements = sum(reading.gap.elements for reading in readings)
    where = "all comparisons"
    if differing <= tolerance.differing * elements:
        # Many sound comparisons must not hide one that is wrong; but one flip in a small one is what a rounding does.
        floor = 1 if tolerance.differing else 0
        apart = [each for each in readings if each.gap.differing > max(floor, tolerance.differing * each.gap.elements)]
        if not apart:
            return []
        worst = max(apart, key=lambda reading: reading.gap.share)
        differing, elements, where = worst.gap.differing, worst.gap.elements, worst.place
    alike = next((each for each in readings if each.likeness), None)
    if alike is not None:
        return [f"{alike.likeness} in {alike.place} ({alike.gap.differing} of {alike.gap.elements} elements differ)"]
    explains = _explains(tolerance, by_noise=tolerance.differing > bound_of(tolerance.precision).differing)
    return [
        f"{differing} of {elements} elements of output {output!r} differ in {where}, "
        f"and {explains} at most a share of {tolerance.differing:.4g}"
    ]


def _explains(tolerance: Tolerance, *, by_noise: bool) -> str:
    if not by_noise:
        return f"{tolerance.precision} explains"
    if tolerance.runs == 1:
        return "ten times the source's own noise explains"
    return f"the source's own noise in means of {tolerance.runs} runs explains"
