"""How long a plan will take, before it is begun: by what its routes took here, else by what they usually take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from navcore.contract import Hook, Route, estimate_seconds
from navcore.planning.plan import Estimate, Plan
from navcore.workspace import RANKING, Settings

USUAL: Mapping[Hook, float] = MappingProxyType({"export_model": 5.0, "convert": 5.0, "make_runner": 3.0})
"""Seconds for a model of some tens of megabytes whose route says nothing, the start of its child included.

Medians over the routes of navcore's own plugins, measured with a ResNet-18 and a BERT of six layers on two cores.
"""
_READING = 2.0
"""Seconds to read the data and to run the source, where nothing is known of it."""
_SIZES = 2
"""Batch sizes that are measured where none were asked for: one, and the dataloader's."""
_CALLERS_SECONDS = 4.0
"""For each row and batch size, on one session and on several together."""


def estimate(plan: Plan, settings: Settings, times: Mapping[str, float], *, processors: int) -> Estimate:
    """About how long the plan will take with those settings.

    ``times`` are the seconds that a route took, by its id, and that the ranking did (:func:`navcore.workspace.seen`).
    Steps run side by side on ``processors``, what is made from another behind it. What the user's metrics take is not
    in it.
    """
    checks = [check for check in plan.checks if not check.reason]
    routes = [*(step.route for step in plan.steps), *(check.route for check in checks)]
    behind: dict[str, float] = {}  # seconds until the format is there
    for step in plan.steps:
        behind[step.target.name] = behind.get(step.source.name, 0.0) + _seconds(step.route, times)
    longest = max((behind.get(one.format.name, 0.0) + _seconds(one.route, times) for one in checks), default=0.0)
    longest = max(longest, *behind.values(), 0.0)
    work = max(longest, _total(routes, times) / max(1, processors))
    measured = sum(check.route.spot_check is None for check in checks)
    return Estimate(
        _READING + work + _measuring(settings, measured, times), len(routes), sum(one.id in times for one in routes)
    )


def _seconds(route: Route, times: Mapping[str, float]) -> float:
    usual = USUAL.get(route.hook, 0.0) if route.seconds is None else route.seconds
    return times.get(route.id, usual)


def _total(routes: Iterable[Route], times: Mapping[str, float]) -> float:
    return sum(_seconds(route, times) for route in routes)


def _measuring(settings: Settings, runtimes: int, times: Mapping[str, float]) -> float:
    """Seconds of windows, of the ranking and of several callers; a ranking of other rows takes another time."""
    if not settings.run_profiling:
        return 0.0
    asked = settings.measuring.batch_sizes
    sizes = 1 if settings.batch_dim is None else _SIZES if asked is None else len(asked)
    seconds = 0.0
    if settings.windows is not None:
        seconds += estimate_seconds(settings.windows, runtimes=runtimes, batch_sizes=sizes)[0]
    if settings.ranking:
        seconds += min(settings.budget, times.get(RANKING, settings.budget))
    if settings.callers is not None:
        seconds += _CALLERS_SECONDS * runtimes * sizes
    return seconds
