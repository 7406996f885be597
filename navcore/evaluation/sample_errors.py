"""The error of every output in every comparison on the disk: behind the worst of them, which the record has, all."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from navcore.evaluation.tolerance import Reading
from navcore.workspace import write_bytes

_LONG_AGO = (1980, 1, 1, 0, 0, 0)


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
    write_bytes(path, _packed({**names, "errors": errors}))


def _packed(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A compressed npz file of which the same arrays give the same bytes; numpy writes the time into its own."""
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", _LONG_AGO)
            member.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(member, "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return packed.getvalue()
