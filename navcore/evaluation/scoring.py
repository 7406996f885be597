"""One pass of a model over the data under the user's metrics: every item's value, and what the pass comes to."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from navcore.errors import InputError, first_line
from navcore.workspace import Metric, MetricResult, packed_arrays, sees_all, write_bytes

Array = np.ndarray[Any, Any]


@attrs.frozen(eq=False)
class Score:
    """What one metric came to in a pass over ``items`` items.

    ``each`` is its value for every item, float64 of shape (items,); of a metric over the whole pass it is that one
    value, of shape (1,).
    """

    value: float
    items: int
    each: Array


@attrs.frozen(eq=False)
class Scores:
    """One pass: the score of each metric by name, and SHA-256 over the inputs of the calls, in any order."""

    by_metric: Mapping[str, Score]
    data: str

    def results(self, source: Mapping[str, MetricResult], bounds: Mapping[str, float]) -> tuple[MetricResult, ...]:
        """As kept in a row, with the difference from what the ``source`` came to on the same inputs."""
        found = []
        for name, score in self.by_metric.items():
            known = source.get(name)
            same = known is not None and (known.data, known.items) == (self.data, score.items)
            difference = score.value - known.value if known is not None and same else None
            found.append(MetricResult(name, score.value, score.items, difference, bounds.get(name), self.data))
        return tuple(found)


class Scoring:
    """A pass that is under way. The metrics are asked in their order, item by item."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._metrics: dict[str, Any] = {
            name: _own(name, metric) if sees_all(metric) else metric for name, metric in metrics.items()
        }
        self._each: dict[str, list[float]] = {name: [] for name in metrics}
        self._items: list[bytes] = []

    def add(self, feeds: Mapping[str, Array], outputs: Mapping[str, Array], item: Any) -> None:
        """Take in what the model returned for the next item. Raises :class:`InputError` for a metric that fails."""
        for name, metric in self._metrics.items():
            where = f"on item {len(self._items)} of the dataset"
            if sees_all(metric):
                _asked(name, where, outputs, metric.update, outputs, item)
            else:
                self._each[name].append(_number(name, where, outputs, metric, outputs, item))
        self._items.append(_digest(feeds))

    def scores(self) -> Scores:
        """What the pass came to; at least one item was added. Raises :class:`InputError` as :meth:`add` does."""
        found = {}
        for name, metric in self._metrics.items():
            each = self._each[name]
            if sees_all(metric):
                each = [_number(name, "after the last item", {}, metric.compute)]
            found[name] = Score(math.fsum(each) / len(each), len(self._items), np.array(each, np.float64))
        return Scores(found, hashlib.sha256(b"".join(sorted(self._items))).hexdigest())


def _digest(feeds: Mapping[str, Array]) -> bytes:
    sums = hashlib.sha256()
    for name, array in feeds.items():
        sums.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        sums.update(np.ascontiguousarray(array).tobytes())
    return sums.digest()


def write_scores(path: Path, scores: Scores) -> None:
    """Write the value of every item to the npz file ``path``, whole or not at all: one float64 array per metric."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, packed_arrays({name: score.each for name, score in scores.by_metric.items()}))


def _own(name: str, metric: Any) -> Any:
    """A copy of a metric that remembers, as it was before the first pass."""
    try:
        return copy.deepcopy(metric)
    except Exception as error:
        raise InputError(
            f"The metric {name!r} cannot be copied, so that each model has one of its own: "
            f"{type(error).__name__}: {first_line(error)}",
            hint="Give it a method __deepcopy__, or keep what cannot be copied outside of it.",
        ) from error


def _asked(name: str, where: str, outputs: Mapping[str, Array], ask: Any, *arguments: Any) -> Any:
    try:
        return ask(*arguments)
    except (Exception, SystemExit) as error:  # as for a dataloader: no function of the user's ends the program
        told = f"{type(error).__name__}: {first_line(error)}"
        named = f"It gets the outputs by name ({', '.join(outputs)}) and the item, and returns a number."
        raise InputError(f"The metric {name!r} failed {where}: {told}", hint=named if outputs else "") from error


def _number(name: str, where: str, outputs: Mapping[str, Array], ask: Any, *arguments: Any) -> float:
    value = _asked(name, where, outputs, ask, *arguments)
    return float(_asked(name, where, outputs, float, value))
