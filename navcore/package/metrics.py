"""The user's own metrics on the models of a package: a function of outputs and item, averaged over a dataset."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from navcore.contract import Format, Runner
from navcore.errors import InputError, first_line
from navcore.sampling import iterate, length
from navcore.workspace import FormatResult, Status

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy as np

Metric = Callable[[Mapping[str, "np.ndarray"], Any], float]
"""``fn(outputs, item)``: the outputs by name as the model returned them for one item of the dataset, and that item."""


class Models(Protocol):
    """What is needed of a package: its rows, a runner for each, and how an item becomes the inputs of a call."""

    @property
    def results(self) -> tuple[FormatResult, ...]:
        """One row per format."""

    def get_source_runner(self) -> object | None:
        """Something where the source is at hand, else ``None``."""

    def open_runner(self, format: Format, *, runtime: str) -> AbstractContextManager[Runner]:
        """The runner of a row."""

    def feeds_of(self, item: Any, index: int) -> Mapping[str, Any]:
        """The arrays of an item, by input."""


@attrs.frozen
class MetricValue:
    """What one metric came to for one format in one runtime: the mean over ``items`` items."""

    metric: str
    format: Format
    runtime: str
    value: float
    items: int


def evaluate_metrics(package: Models, metrics: Mapping[str, Metric], dataset: Any) -> tuple[MetricValue, ...]:
    """See :meth:`navcore.PackageDescriptor.evaluate`."""
    if not isinstance(metrics, Mapping) or not metrics or not all(callable(metric) for metric in metrics.values()):
        raise InputError(
            f"metrics={metrics!r} has to map names to functions.",
            hint='Write {"accuracy": fn} with fn(outputs, item) → number.',
        )
    values = []
    for row in package.results:
        if row.live and package.get_source_runner() is None:
            continue
        for runtime in row.runtimes:
            if runtime.status == Status.OK:
                with package.open_runner(row.format, runtime=runtime.runtime) as runner:
                    means = _means(runner, package, metrics, dataset)
                values += [
                    MetricValue(name, row.format, runtime.runtime, mean, length(dataset))
                    for name, mean in means.items()
                ]
    return tuple(values)


def _means(runner: Runner, package: Models, metrics: Mapping[str, Metric], dataset: Any) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in metrics}
    count = length(dataset)
    for index, item in zip(range(count), iterate(dataset), strict=False):
        outputs = runner(package.feeds_of(item, index))
        for name, metric in metrics.items():
            found[name].append(_value(name, metric, outputs, item, index))
    return {name: math.fsum(values) / len(values) for name, values in found.items()}


def _value(name: str, metric: Metric, outputs: Mapping[str, np.ndarray], item: Any, index: int) -> float:
    try:
        return float(metric(outputs, item))
    except Exception as error:
        raise InputError(
            f"The metric {name!r} failed on item {index} of the dataset: {type(error).__name__}: {first_line(error)}",
            hint=f"It gets the outputs by name ({', '.join(outputs)}) and the item, and returns a number.",
        ) from error
