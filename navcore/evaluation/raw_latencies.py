"""The latencies of every window on the disk, with what the machine did meanwhile, so that statistics can be redone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from navcore.evaluation.windows import Window, usual_share
from navcore.workspace import packed_arrays, write_bytes


def write_raw(path: Path, windows: Mapping[int, Sequence[Window]]) -> None:
    """Write the windows of each batch size to the npz file ``path``, whole or not at all.

    For the batch size N (−1: the model does not batch) there are ``N/latencies``, float32, in ms, of all windows in
    a row; ``N/calls``, how many of them each window has; and per window ``N/began`` (seconds of the machine's
    monotonic clock), ``N/wall`` and ``N/cpu`` (seconds), ``N/switches`` (involuntary, of the process), ``N/steal`` (the
    share of processor time, NaN where unknown) and ``N/contended`` (whether any of these speaks for a busy machine).
    """
    arrays: dict[str, np.ndarray] = {}
    for batch_size, taken in windows.items():
        usual = usual_share(taken)
        columns: dict[str, np.ndarray] = {
            "latencies": np.concatenate([one.latencies for one in taken]).astype(np.float32),
            "calls": np.array([one.latencies.size for one in taken], np.int64),
            "began": np.array([one.began for one in taken]),
            "wall": np.array([one.wall for one in taken]),
            "cpu": np.array([one.cpu for one in taken]),
            "switches": np.array([one.switches for one in taken], np.int64),
            "steal": np.array([np.nan if one.steal is None else one.steal for one in taken]),
            "contended": np.array([bool(one.contention(usual)) for one in taken]),
        }
        arrays |= {f"{batch_size}/{name}": column for name, column in columns.items()}
    if arrays:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, packed_arrays(arrays))
