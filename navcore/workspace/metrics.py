"""The user's own metrics: what is one, how far one may be from the source's, and what it came to for a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from navcore.errors import InputError, OptionError
from navcore.workspace.argument_types import by_name, number, refused, shown

if TYPE_CHECKING:
    import numpy as np

_EXAMPLE = "{'accuracy': fn}, with fn(outputs, item) → number"
_LONGEST_NAME = 100
_ROUNDING = 1e-9
"""A difference of two means is rounded: 0.78 − 0.785 is a little less than −0.005."""


class PassMetric(Protocol):
    """A metric over a whole pass, which no mean of items gives: F1, mean average precision, a word error rate.

    Each pass has a copy of its own, made before the first item. The copy is forgotten afterwards.
    """

    def update(self, outputs: Mapping[str, np.ndarray], item: Any) -> object:
        """Take in one item of the data, and what the model returned for it, by the names of the outputs."""

    def compute(self) -> float:
        """What the items seen so far come to."""


Metric = Callable[[Mapping[str, "np.ndarray"], Any], float] | PassMetric
"""``fn(outputs, item)``, whose mean over the items is the value, or a :class:`PassMetric`."""


def _refuse_no_name(_result: object, _field: attrs.Attribute[str], value: str) -> None:
    if not is_metric_name(value):
        raise InputError(f"{shown(value)} cannot be the name of a metric.", hint="Write it as one short line.")


@attrs.frozen
class MetricResult:
    """What one metric came to for one format in one runtime: ``value``, over ``items`` items of the data.

    ``difference`` is the value less the source's on the same data, ``None`` where the source's is not known. ``bound``
    is how far the metric may fall (below 0) or rise (above 0) against the source for the row to count as verified,
    ``None`` where nothing was said. ``data`` is SHA-256 over the inputs of the items, in
    any order.
    """

    metric: str = attrs.field(validator=_refuse_no_name)
    value: float
    items: int
    difference: float | None = None
    bound: float | None = None
    data: str = ""

    @property
    def keeps_bound(self) -> bool:
        """Whether there is a bound, and the difference is known and within it."""
        return self.bound is not None and self.difference is not None and within_bound(self.difference, self.bound)

    @property
    def broken(self) -> str:
        """A clause where the metric is known to have left its bound, else ``""``."""
        if self.bound is None or self.difference is None or self.keeps_bound:
            return ""
        way = "below" if self.difference < 0 else "above"
        told = f"{self.metric} is {self.value:.6g}, {abs(self.difference):.3g} {way} the source's"
        return f"{told}, and {abs(self.bound):.3g} {'below' if self.bound < 0 else 'above'} is allowed"


def within_bound(difference: float, bound: float) -> bool:
    """Whether a metric fell by no more than a bound below 0, rose by no more than one above 0; 0 allows neither."""
    if bound < 0:
        return difference >= bound * (1 + _ROUNDING)
    if bound > 0:
        return difference <= bound * (1 + _ROUNDING)
    return difference == 0


def metrics_given(name: str, value: Any) -> Mapping[str, Metric]:
    """The type of ``metrics``: a mapping from names to metrics, or one function, which has a name."""
    instead = f"Write {name}={_EXAMPLE}."
    if not isinstance(value, Mapping):
        own = getattr(value, "__name__", "")
        if isinstance(value, type) or not is_metric(value) or not str(own).isidentifier():
            raise refused(name, value, "has to map names to functions", instead)
        return {own: value}
    if not value:
        raise refused(name, value, "holds no metric", instead)
    for key, one in value.items():
        if not is_metric_name(key):
            raise refused(name, value, f"has the key {shown(key)}, which cannot name a column", instead)
        if isinstance(one, type) or not is_metric(one):
            what = "is neither a function nor an object with update and compute"
            raise refused(f"{name}[{key!r}]", one, what, instead)
    return dict(value)


def is_metric(value: object) -> bool:
    """Whether it is a function, or has ``update`` and ``compute``."""
    return callable(value) or sees_all(value)


def sees_all(value: object) -> bool:
    """Whether it is a :class:`PassMetric`."""
    return all(callable(getattr(value, name, None)) for name in ("update", "compute"))


def is_metric_name(value: object) -> bool:
    """Whether it is one printable line without slashes, of at most 100 characters: it names a column and an array."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME:
        return False
    return value.isprintable() and value == value.strip() and not set(value) & set("/\\")


def _finite(name: str, value: Any) -> float:
    if value != value:  # NaN is neither below nor above
        raise refused(name, value, "has to be a number", f"Write {name}=-0.005.")
    below = isinstance(value, int | float) and not isinstance(value, bool) and value < 0
    size: float = number(zero=True, example="-0.005")(name, -value if below else value)
    return -size if below else size


_bounds = by_name(_finite, example="{'accuracy': -0.005}", of="metrics to bounds")


def bounds_given(name: str, value: Any) -> Mapping[str, float]:
    """The type of ``verified_when``: a mapping from metrics to how far each may fall (below 0) or rise (above 0)."""
    settled: Mapping[str, float] = _bounds(name, value)
    return settled


def refuse_bounds_without_metric(metrics: Mapping[str, Metric], bounds: Mapping[str, float]) -> None:
    """Raise :class:`OptionError` for a bound on a metric that is not there."""
    for name in bounds:
        if name not in metrics:
            known = f"The metrics are {', '.join(metrics)}." if metrics else f"Give it as metrics={_EXAMPLE}."
            raise OptionError(f"verified_when names {name!r}, which is not among the metrics.", hint=known)
