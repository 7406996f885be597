"""Which rows promise less precision than the source has, and whether the user asked for that."""

from __future__ import annotations

import math
from collections.abc import Sequence

from navcore.contract import BOUNDS, known_precision
from navcore.workspace import FormatResult, RuntimeResult, Settings


def promised(row: FormatResult, one: RuntimeResult) -> float:
    """The relative L2 difference that the row may have: the bound of the precision that it was held to, not its noise.

    Of a precision of a plugin's own it is the bound that applied; infinite where nothing is known.
    """
    verification = one.verification
    name = (verification.precision if verification is not None else "") or one.precision or row.format.precision
    known = known_precision(None if name is None else str(name))
    if known in BOUNDS:
        return BOUNDS[str(known)].relative_l2
    bound = None if verification is None else verification.bound
    return math.inf if bound is None else bound


def own_promise(results: Sequence[FormatResult]) -> float:
    """What the source promises itself: the finest of its runtimes.

    Where none of them says in what it computes, the finest row of a format without a precision of its own, and without
    such a row float32.
    """
    there = [(row, one) for row in results for one in row.runtimes]
    sources = [_computes_in(one) for row, one in there if row.is_source]
    known = [bound for bound in sources if bound is not None]
    plain = [promised(row, one) for row, one in there if not row.is_source and row.format.precision is None]
    return min(known or plain, default=BOUNDS["fp32"].relative_l2)


def is_coarser(row: FormatResult, one: RuntimeResult, source: float, settings: Settings | None) -> bool:
    """Whether the row promises less than the ``source`` does, and nobody asked for that.

    Asked for is what the settings name: the format, or its family, among the targets, where it is the format that
    promises less, and the runtime, where the runtime does. So is what the user judged: by tolerances, by a metric with
    a bound, or by ``set_verified``. ``None`` stands for settings that name nothing.
    """
    if one.is_verified or (settings is not None and (settings.atol is not None or settings.rtol is not None)):
        return False
    of_format = _bound_of(row.format.precision)
    named = settings is not None and bool({row.format.name, row.format.family} & set(settings.targets or ()))
    if of_format is not None and of_format > source and not named:
        return True
    allowed = source if of_format is None else max(source, of_format)
    return promised(row, one) > allowed and not _is_named(row, one, settings)


def _is_named(row: FormatResult, one: RuntimeResult, settings: Settings | None) -> bool:
    """Whether the settings name that runtime for the format."""
    if settings is None:
        return False
    limited = settings.runtimes.get(row.format.name, settings.runtimes.get(row.format.family, ()))
    return one.runtime in limited


def _computes_in(one: RuntimeResult) -> float | None:
    verification = one.verification
    return _bound_of(one.precision or (verification.precision if verification is not None else None))


def _bound_of(precision: str | None) -> float | None:
    """A format's own bound; of one that a plugin declares, which a record holds by name alone, nothing finite."""
    if not precision:
        return None
    known = known_precision(str(precision))
    return BOUNDS[str(known)].relative_l2 if known in BOUNDS else math.inf
