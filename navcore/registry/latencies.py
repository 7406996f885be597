"""What a profiler returned for one window, as latencies: the hook is open to plugins, and their answers are judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from navcore.errors import PluginError

if TYPE_CHECKING:
    import numpy as np

_HINT = "Return the latency of every call in milliseconds."


def latencies_of(result: object, calls: int | None, who: str = "") -> np.ndarray[Any, Any]:
    """The latency of every call in ms, float64, shape ``(calls,)``.

    ``calls`` is how many were asked for, ``None`` where time was the limit. Raises :class:`PluginError`, under the name
    ``who``, for anything but a finite number per call, none negative and not all zero.
    """
    import numpy as np

    try:
        latencies = np.asarray(result, dtype=np.float64)
    except (TypeError, ValueError):
        raise _refused(f"The profiler returned a {type(result).__name__}, not latencies.", who) from None
    if latencies.ndim != 1 or latencies.size == 0:
        raise _refused(f"The profiler returned an array of shape {latencies.shape}, not (calls,).", who)
    if not np.isfinite(latencies).all() or latencies.min() < 0:
        raise _refused("The profiler returned latencies that are negative, or not finite.", who)
    if latencies.max() == 0:
        raise _refused(
            f"The profiler returned only zeros, for {latencies.size} calls: its clock is too coarse to see them.", who
        )
    if calls is not None and latencies.size != calls:
        raise _refused(f"The profiler measured {latencies.size} calls where {calls} were asked for.", who)
    return latencies


def _refused(what: str, who: str) -> PluginError:
    return PluginError(what, who=who, hint=_HINT)
