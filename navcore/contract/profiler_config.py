"""What the user asks of profiling: batch sizes, windows, and when a measurement counts as stable."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import attrs

from navcore.errors import OptionError

WINDOWS_NEEDED = 3
WARM_UP_SECONDS = 0.3
WARM_UP_BLOCKS = 10
_BLOCK_SECONDS = 0.1
_BLOCK_SHARE = 0.05
_LARGEST_BATCH = 2**20
_LONGEST_WINDOW = 24 * 3600 * 1000
_MOST_CALLS = 10**7
_MOST_TRIALS = 1000


class MeasurementMode(StrEnum):
    """What ends a measurement window: time, or a number of calls."""

    TIME_WINDOWS = "time_windows"
    COUNT_WINDOWS = "count_windows"


def _mode(value: MeasurementMode | str) -> MeasurementMode:
    try:
        return MeasurementMode(value)
    except ValueError:
        known = ", ".join(repr(str(mode)) for mode in MeasurementMode)
        raise OptionError(
            f"measurement_mode is {value!r}, which is not a measurement mode.", hint=f"Use one of {known}."
        ) from None


def _sizes(value: Sequence[int] | None) -> tuple[int, ...] | None:
    """The sizes without repetitions, in the order given."""
    if value is None:
        return None
    sizes = tuple(map(_plain, value)) if isinstance(value, Iterable) else ()
    if not sizes:
        raise OptionError(f"batch_sizes is {value!r}.", hint="Give a list of sizes, such as [1, 8], or None.")
    for size in sizes:
        _whole("batch_sizes", size)
    return tuple(dict.fromkeys(sizes))


def _plain(value: Any) -> Any:
    """Python's number for one of numpy's; anything else as it is."""
    item = getattr(value, "item", None)
    return item() if isinstance(value, numbers.Real) and callable(item) else value


def _whole(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise OptionError(f"{name} is given {value!r}.", hint="Give whole numbers of at least 1.")


def _positive(name: str, value: object, unit: str) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise OptionError(f"{name} is {value!r}.", hint=f"Give a number of {unit} above 0.")


@attrs.frozen
class ProfilerConfig:
    """How models are measured; the fields, their order and their defaults are the reference page's.

    ``batch_sizes``: sizes to measure, ``None`` for 1 and the dataloader's. ``measurement_mode``: windows of fixed
    time, ``measurement_interval`` ms long, or of ``measurement_request_count`` calls. A measurement is stable when,
    over three windows in a row, the largest average latency is at most ``stability_percentage`` percent above the
    smallest; it ends after ``max_trials`` windows in any case, and fewer than three can never be stable.

    Raises :class:`OptionError` when a value is out of range or the mode lacks its interval or count.
    """

    batch_sizes: tuple[int, ...] | None = attrs.field(default=None, converter=_sizes)
    measurement_mode: MeasurementMode = attrs.field(default=MeasurementMode.TIME_WINDOWS, converter=_mode)
    measurement_interval: float | None = attrs.field(default=5000, converter=_plain)
    measurement_request_count: int | None = attrs.field(default=None, converter=_plain)
    stability_percentage: float = attrs.field(default=10.0, converter=_plain)
    max_trials: int = attrs.field(default=10, converter=_plain)

    def __attrs_post_init__(self) -> None:
        if self.measurement_interval is not None:
            _positive("measurement_interval", self.measurement_interval, "milliseconds")
        if self.measurement_request_count is not None:
            _whole("measurement_request_count", self.measurement_request_count)
        _positive("stability_percentage", self.stability_percentage, "percent")
        _whole("max_trials", self.max_trials)
        if self.measurement_mode is MeasurementMode.TIME_WINDOWS and self.measurement_interval is None:
            raise OptionError("Time windows have no measurement_interval.", hint="Give one, in milliseconds.")
        if self.measurement_mode is MeasurementMode.COUNT_WINDOWS and self.measurement_request_count is None:
            raise OptionError("Count windows have no measurement_request_count.", hint="Give a number of calls.")

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data, as ``status.yaml`` has them."""
        data = attrs.asdict(self)
        sizes = None if self.batch_sizes is None else list(self.batch_sizes)
        return {**data, "batch_sizes": sizes, "measurement_mode": str(self.measurement_mode)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ProfilerConfig:
        """The configuration of what :meth:`to_dict` gave; what is absent has its default.

        Raises :class:`OptionError` for a key that is no field, and for a value as the class does.
        """
        known = [field.name for field in attrs.fields(cls)]
        if strange := [str(key) for key in data if key not in known]:
            raise OptionError(f"A profiler config has no {', '.join(strange)}.", hint=f"Fields: {', '.join(known)}.")
        return cls(**data)

    @property
    def seconds(self) -> float | None:
        """The length of a window; ``None`` for count windows."""
        if self.measurement_mode is MeasurementMode.COUNT_WINDOWS or self.measurement_interval is None:
            return None
        return self.measurement_interval / 1000

    @property
    def calls(self) -> int | None:
        """The number of calls of a window; ``None`` for time windows."""
        return self.measurement_request_count if self.seconds is None else None

    @property
    def warm_up_seconds(self) -> float | None:
        """The length of one block of the warm-up, at most a twentieth of a window; ``None`` for count windows."""
        return None if self.seconds is None else min(_BLOCK_SECONDS, _BLOCK_SHARE * self.seconds)


def refuse_endless(config: ProfilerConfig) -> None:
    """Raise :class:`OptionError` for a measurement that would not come to an end, or not fit into any memory."""
    bounds = (
        ("batch_sizes", max(config.batch_sizes or (1,)), _LARGEST_BATCH),
        ("measurement_interval", config.measurement_interval, _LONGEST_WINDOW),
        ("measurement_request_count", config.measurement_request_count, _MOST_CALLS),
        ("max_trials", config.max_trials, _MOST_TRIALS),
    )
    for name, value, most in bounds:
        if value is not None and value > most:
            raise OptionError(f"{name} is given {value}, which no machine measures.", hint=f"Give at most {most}.")


def resolve_batch_sizes(config: ProfilerConfig, *, batch_dim: int | None, dataloader_batch: int) -> tuple[int, ...]:
    """The batch sizes to measure: those given, else 1 and the dataloader's, each once; ``(-1,)`` without a batch.

    Raises :class:`OptionError` when sizes are given for a model that does not batch.
    """
    if batch_dim is not None:
        return config.batch_sizes or tuple(dict.fromkeys((1, dataloader_batch)))
    if config.batch_sizes is not None:
        raise OptionError(
            f"batch_sizes is {list(config.batch_sizes)}, but with batch_dim=None the model does not batch.",
            hint="Leave batch_sizes out, or give batch_dim.",
        )
    return (-1,)


def estimate_seconds(config: ProfilerConfig, *, runtimes: int, batch_sizes: int) -> tuple[float, float]:
    """The least and the most time, in seconds, to measure that many runtimes at that many batch sizes.

    For time windows of calls that are short beside the interval, without loading the models. Count windows take
    however long their calls take: (0, ∞).
    """
    if config.seconds is None or config.warm_up_seconds is None:
        return 0.0, math.inf
    least = min(WINDOWS_NEEDED, config.max_trials) * config.seconds + WINDOWS_NEEDED * config.warm_up_seconds
    most = config.max_trials * config.seconds + WARM_UP_BLOCKS * config.warm_up_seconds
    return runtimes * batch_sizes * least, runtimes * batch_sizes * most
