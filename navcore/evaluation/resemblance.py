"""What an output that is far off looks like: one row in every row, or another output of the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from navcore.contract import Signature
from navcore.evaluation.differences import Gap, distance, is_floating

Array = np.ndarray[Any, Any]

FAR_OFF = 0.1
"""Relative L2, or the share of differing elements: nearer than this the numbers say enough by themselves."""
ALIKE = 0.01
"""How near an output has to be to what it is said to be; the coarsest float formats round by less."""
_FEW = 3
"""So many integers have to be others: of labels one or two are the same by chance, after rounding before an argmax."""


def resemblance(
    output: str, gap: Gap, expected: Mapping[str, Array], outputs: Mapping[str, Array], signature: Signature
) -> str:
    """A clause on what the export returned in place of ``output``, or ``""`` when it is near or like nothing known."""
    off = gap.share if gap.error is None or gap.size is None else gap.error / max(gap.size, np.finfo(float).tiny)
    if gap.strays or off < FAR_OFF:
        return ""
    found = outputs[output]
    for other, array in expected.items():
        comparable = other != output and array.shape == found.shape and array.dtype == found.dtype
        if comparable and distance(array, found) <= ALIKE:
            return f"output {output!r} has the values of {other!r}"
    spec = next((spec for spec in signature.outputs if spec.name == output), None)
    axis = None if spec is None else signature.batch_axis(spec)
    return "" if axis is None else _one_row_everywhere(output, axis, expected[output], found)


def _one_row_everywhere(output: str, batch_axis: int, expected: Array, found: Array) -> str:
    """A clause on an output whose rows are all the same, where the source's differ: which of its rows that is."""
    wanted, rows = (np.moveaxis(array, batch_axis, 0) for array in (expected, found))
    if len(rows) < 2 or _are_alike(wanted) or not _are_alike(rows):
        return ""
    if not is_floating(found.dtype) and np.count_nonzero(wanted != rows) < _FEW:
        return ""
    frozen = next((row for row, array in enumerate(wanted) if distance(array, rows[0]) <= ALIKE), None)
    return f"every row of output {output!r} " + ("is the same" if frozen is None else f"equals row {frozen}")


def _are_alike(rows: Array) -> bool:
    return all(distance(rows[0], row) <= ALIKE for row in rows[1:])
