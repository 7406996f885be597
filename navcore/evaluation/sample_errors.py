"""The error of every output in every comparison on the disk: behind the worst of them, which the record has, all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from navcore.evaluation.tolerance import Reading
from navcore.workspace import packed_arrays, write_bytes


def write_errors(path: Path, readings: Mapping[str, Sequence[Reading]]) -> None:
    """Write the readings of one format in one runtime to the npz file ``path``, whole or not at all.

    ``outputs`` are the names of the outputs and ``comparisons`` those of the comparisons, both text. ``errors`` has a
    row per output and a column per comparison, float64: the relative L2 difference from the source, of an output that
    is not floating point the share of elements that differ, and NaN where nothing was compared. Without readings
    nothing is written.
    """
    # Two probes of one axis have the same label, and not the same place.
    places = {reading.place: None for found in readings.values() for reading in found}
    if not places:
        return
    column = {place: number for number, place in enumerate(places)}
    errors = np.full((len(readings), len(column)), np.nan)
    for row, found in enumerate(readings.values()):
        for reading in found:
            place = row, column[reading.place]
            errors[place] = np.fmax(errors[place], reading.off)
    path.parent.mkdir(parents=True, exist_ok=True)
    names = {"outputs": np.array(list(readings)), "comparisons": np.array(list(column))}
    write_bytes(path, packed_arrays({**names, "errors": errors}))
