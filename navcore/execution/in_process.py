"""One format of a live model, made in this process by the first route that works, and a runner of what was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import attrs

from navcore.contract import Artifact, Format, Runner, RunnerJob
from navcore.errors import NavcoreError
from navcore.execution.schedule import PlanBasis
from navcore.planning import PlanSettings, Step, make_plan
from navcore.registry import Registry

Result = TypeVar("Result")
_NONE: Mapping[str, str] = MappingProxyType({})


@attrs.frozen(eq=False)
class Tried(Generic[Result]):
    """What came of a target.

    ``step`` is the one that worked and ``result`` what its attempt gave, both ``None`` where none did. ``failed`` are
    the errors of the routes that were tried before, by their id and in that order; ``missing`` says why there was no
    other.
    """

    step: Step | None
    result: Result | None
    failed: Mapping[str, NavcoreError]
    missing: str = ""


def first_that_works(
    registry: Registry,
    source: Format,
    target: Format,
    attempt: Callable[[Step], Result],
    *,
    left_out: Mapping[str, str] = _NONE,
) -> Tried[Result]:
    """Let ``attempt`` carry out the cheapest step from the live ``source`` to ``target``, and the next where it raises.

    That is what a run does, one target at a time and without a workspace: plan, and plan again without the route that
    failed. ``attempt`` makes the format and proves it as far as it is asked to. Routes that cannot be used on this
    machine, and those that ``left_out`` names with a reason, are never tried. Only errors of navcore are forgiven.
    """
    routes = tuple(
        route
        for route in registry.routes
        if route.hook == "export_model" and route.source == source.name and route.goal == target
    )
    here = {route.id: registry.unavailable(route) for route in routes if route.id not in left_out}
    reasons = {identity: reason for identity, reason in {**here, **left_out}.items() if reason}
    basis = PlanBasis(routes, registry.formats, source, PlanSettings((target.name,)), reasons)
    failed: dict[str, NavcoreError] = {}
    while True:
        plan = basis.plan({identity: error.what for identity, error in failed.items()})
        step = next((step for step in plan.steps if step.target == target), None)
        if step is None:
            why = (missing.reason for missing in plan.missing if missing.target == target)
            return Tried(None, None, failed, next(why, ""))
        try:
            return Tried(step, attempt(step), failed)
        except NavcoreError as error:
            failed[step.route.id] = error


def open_artifact(
    registry: Registry,
    artifact: Artifact,
    *,
    runtimes: Sequence[str] = (),
    device: str | None = None,
    threads: int | None = None,
    log_dir: Path,
) -> Runner | None:
    """A runner of the artifact in this process: in the first of ``runtimes`` that can run it here, else in any.

    Several runners of one runtime are told apart as a plan does it. ``None`` where nothing here runs the format; raises
    what the runner's route raises.
    """
    routes = [
        route for route in registry.routes if route.hook == "make_runner" and route.source == artifact.format.name
    ]
    reasons = {route.id: reason for route in routes if (reason := registry.unavailable(route))}
    plan = make_plan(routes, registry.formats, artifact.format, PlanSettings(()), reasons=reasons)
    usable = {check.runtime: check.route for check in plan.checks_of(artifact.format) if not check.reason}
    order = [*(str(name) for name in runtimes if str(name) in usable), *usable]
    if not order:
        return None
    route = usable[order[0]]
    options: Any = route.options() if route.options else None
    job: RunnerJob[Any] = RunnerJob(artifact, route.runtime, options, device, threads, log_dir)
    runner: Runner = registry.ask("make_runner", job, route)
    return runner
