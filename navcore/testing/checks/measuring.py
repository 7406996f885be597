"""The check of profilers: one window gives one latency for every call."""

from __future__ import annotations

from navcore.contract import ProfileJob, Route, Runner
from navcore.testing.ground import Ground
from navcore.testing.verdicts import NotMet
from navcore.workspace import describe

_CALLS = 7
_SECONDS = 0.05
_NUMBERS = 20_000
"""To sort so many takes some tenths of a millisecond, which a clock has to see."""


def window_is_measured(ground: Ground, route: Route) -> None:
    """A window of 7 calls gives 7 latencies in milliseconds, one of 0.05 s at least one: finite, none below zero.

    Not all of them are zero: a clock that is too coarse to see the calls measures nothing.

    If this fails: return a float64 array of shape ``(calls,)``, one number per call and in order, never empty; with
    ``calls=`` exactly as many.
    """
    import numpy as np

    ground.require(route)
    feeds = {"x": np.random.default_rng(7).random((1, _NUMBERS), np.float32)}
    for calls, seconds in ((_CALLS, None), (None, _SECONDS)):
        told = f"{calls} calls" if calls else f"{seconds} s"
        with Runner(lambda given: {"y": np.sort(given["x"])}) as runner:
            try:
                job = ProfileJob(runner, feeds, seconds, calls, ground.folder)
                with ground.busy(route.who):
                    answer = ground.registry.ask("profile", job, route)
            except Exception as error:
                raise NotMet(f"{describe(error).cause} (in a window of {told})") from error
        if not isinstance(answer, np.ndarray) or answer.dtype != np.float64 or answer.ndim != 1:
            raise NotMet(f"a window of {told} gave {_told(answer)} in place of a float64 array of shape (calls,)")
        if len(answer) == 0 or (calls is not None and len(answer) != calls):
            raise NotMet(f"a window of {told} gave {len(answer)} latencies")
        if not (np.isfinite(answer).all() and (answer >= 0).all()):
            raise NotMet(f"a window of {told} has latencies that are negative or not finite")
        if not answer.any():
            raise NotMet(f"a window of {told} has no latency above zero")


def _told(answer: object) -> str:
    dtype, shape = getattr(answer, "dtype", None), getattr(answer, "shape", None)
    return f"an array of {dtype} with shape {shape}" if dtype is not None else f"a {type(answer).__name__}"
