"""What lies behind the record: distributions of latencies, and the errors of all comparisons, read from a package."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from navcore.contract import Name
from navcore.package.report.cells import source_first
from navcore.package.report.html.private_paths import told
from navcore.sampling import read_packed
from navcore.workspace import FormatResult, blocks_file, errors_file, windows_file

Reader = Callable[[str], bytes | None]
"""The content of a file by its place in the workspace; ``None`` where there is none that may be read."""

_LARGEST_ARRAYS, _ALL_ARRAYS = 32 << 20, 256 << 20
"""Bytes that one file is unpacked to, and all of one kind."""
_MOST = 500
"""What is read of a record, which may be a stranger's and hold any number of rows."""
MOST_SIZES = 4
_BINS = 32
_SHORTEST = 1e-9
"""Milliseconds; no call takes less, and none takes so many."""
_ENOUGH_FOR_P95 = 90
"""As many calls a percentile of 95 needs to be claimed, here as in the table."""

Array = np.ndarray[Any, Any]


@attrs.frozen
class Latencies:
    """How the latencies of one row at one batch size are spread, in milliseconds.

    ``quantiles`` are the 5th, 25th, 50th, 75th and 95th percentile; the outer two are ``None`` where there were too few
    calls. ``density`` are pairs of a latency and how common it is, 1 being the most common.
    """

    format: str
    runtime: str
    batch_size: int
    calls: int
    quantiles: tuple[float | None, float, float, float, float | None]
    density: tuple[tuple[float, float], ...]

    @property
    def name(self) -> str:
        """Format and runtime."""
        return f"{self.format} in {self.runtime}"


@attrs.frozen
class Errors:
    """The errors of one output of one row, in the order of the comparisons; ``None`` where nothing was compared.

    ``bound`` is what they were held to, ``None`` where the user's own tolerances decided.
    """

    format: str
    runtime: str
    output: str
    comparisons: tuple[str, ...]
    values: tuple[float | None, ...]
    bound: float | None

    @property
    def name(self) -> str:
        """Format and runtime."""
        return f"{self.format} in {self.runtime}"

    @property
    def worst(self) -> int | None:
        """The number of the comparison with the largest error; ``None`` where nothing was compared."""
        known = [number for number, value in enumerate(self.values) if value is not None]
        return max(known, key=lambda number: self.values[number] or 0.0, default=None)


def latencies_of(results: Sequence[FormatResult], read: Reader, *, by_windows: bool) -> tuple[Latencies, ...]:
    """The spread of each row that was measured, by batch size, of at most four sizes; the source first.

    ``by_windows`` says that the table's numbers come from windows; otherwise they come from blocks measured in turn. A
    file that is not there, or is damaged, is passed over: the record has what matters.
    """
    found: list[Latencies] = []
    files = _Files(read)
    for row in source_first(results):
        for one in row.runtimes:
            if not one.performance or len(found) >= _MOST:
                continue
            windows, blocks = (
                file(Path(row.format.name), Name(one.runtime)).as_posix() for file in (windows_file, blocks_file)
            )
            arrays = files.first(*((windows, blocks) if by_windows else (blocks, windows)))
            for size in sorted({measured.batch_size for measured in one.performance})[:MOST_SIZES]:
                taken = _latencies(arrays.get(f"{size}/latencies"))
                if taken is not None:
                    found.append(_spread(told(row.format.name), told(one.runtime), size, taken))
    return tuple(sorted(found, key=lambda one: one.batch_size))


def errors_of(results: Sequence[FormatResult], read: Reader) -> tuple[Errors, ...]:
    """The errors of each row that was compared, per output."""
    found: list[Errors] = []
    files = _Files(read)
    for row in source_first(results):
        for one in row.runtimes:
            if one.verification is None or len(found) >= _MOST:
                continue
            arrays = files.first(errors_file(Path(row.format.name), Name(one.runtime)).as_posix())
            for output, comparisons, values in _errors(arrays):
                bound = one.verification.bound
                found.append(Errors(told(row.format.name), told(one.runtime), output, comparisons, values, bound))
    return tuple(found[:_MOST])


class _Files:
    """The files behind a record, of which only so much is unpacked: a stranger's may be small and hold a lot."""

    def __init__(self, read: Reader) -> None:
        self._read = read
        self._left = _ALL_ARRAYS

    def first(self, *places: str) -> Mapping[str, Array]:
        """The arrays of the first of the files that can be read."""
        for place in places:
            content = self._read(place)
            if content is None:
                continue
            try:
                arrays = read_packed(content, largest=min(_LARGEST_ARRAYS, self._left))
            except ValueError:  # damaged, or no such file at all
                continue
            self._left -= sum(array.nbytes for array in arrays.values())
            return arrays
        return {}


def _latencies(array: Array | None) -> Array | None:
    """The array where it can be one of latencies: a stranger's file may hold anything."""
    if array is None or array.ndim != 1 or array.dtype.kind != "f":
        return None
    wide = array.astype(np.float64)
    wide = wide[(wide >= _SHORTEST) & (wide <= 1 / _SHORTEST)]
    return wide if wide.size else None


def _spread(format: str, runtime: str, batch_size: int, taken: Array) -> Latencies:
    ordered = np.sort(taken)
    p5, p25, p50, p75, p95 = (_percentile(ordered, share) for share in (0.05, 0.25, 0.5, 0.75, 0.95))
    claimed = ordered.size >= _ENOUGH_FOR_P95
    quantiles = (p5 if claimed else None, p25, p50, p75, p95 if claimed else None)
    return Latencies(format, runtime, batch_size, int(ordered.size), quantiles, _density(ordered))


def _percentile(ordered: Array, share: float) -> float:
    """The smallest value that at least this share of all does not exceed."""
    return float(ordered[max(0, math.ceil(share * ordered.size) - 1)])


def _density(ordered: Array) -> tuple[tuple[float, float], ...]:
    """A smoothed histogram on a logarithmic axis, without the outermost half percent on either side."""
    low, high = _percentile(ordered, 0.005), _percentile(ordered, 0.995)
    if not high > low * (1 + 1e-9):
        return ((low, 1.0),)
    edges = np.linspace(math.log(low), math.log(high), _BINS + 1)
    counts, _ = np.histogram(np.log(ordered), bins=edges)
    weights = np.exp(-0.5 * (np.arange(-3, 4) / 1.0) ** 2)
    smooth = np.convolve(counts, weights / weights.sum(), mode="same")
    middles = np.exp((edges[:-1] + edges[1:]) / 2)
    largest = smooth.max()
    pairs = [(float(x), float(y / largest)) for x, y in zip(middles, smooth, strict=True)]
    return ((low, 0.0), *pairs, (high, 0.0))


def _errors(arrays: Mapping[str, Array]) -> Iterator[tuple[str, tuple[str, ...], tuple[float | None, ...]]]:
    """Output, names of comparisons, errors; nothing where the arrays do not fit together."""
    outputs, comparisons, errors = (arrays.get(name) for name in ("outputs", "comparisons", "errors"))
    if outputs is None or comparisons is None or errors is None:
        return
    if outputs.dtype.kind != "U" or comparisons.dtype.kind != "U" or errors.dtype.kind != "f":
        return
    if outputs.ndim != 1 or comparisons.ndim != 1 or errors.shape != (outputs.size, comparisons.size):
        return
    labels = tuple(told(str(label)) for label in comparisons)
    for output, values in zip(outputs, errors, strict=True):
        yield told(str(output)), labels, tuple(None if np.isnan(value) else abs(float(value)) for value in values)
