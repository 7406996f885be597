"""Where a run stands, and what follows when a step or a check has ended: frozen states and pure functions.

What happens in the world (children, files, events) is :mod:`navcore.execution.scheduler`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import attrs

from navcore.contract import Artifact, Format, Route, Signature
from navcore.execution.build_format import BuildResult
from navcore.execution.run_context import StartingPoint
from navcore.planning import Later, Missing, Plan, PlanSettings, Step, make_plan
from navcore.workspace import Attempt, Failure, FormatResult, RuntimeResult, Status


@attrs.frozen
class PlanBasis:
    """What a run is planned from, over and over; see :func:`navcore.planning.make_plan`."""

    routes: tuple[Route, ...]
    formats: tuple[Format, ...]
    source: Format
    settings: PlanSettings
    reasons: Mapping[str, str] = attrs.field(factory=dict)
    kept: tuple[Format, ...] = ()

    def plan(self, failed: Mapping[str, str]) -> Plan:
        """The plan without the routes that have failed."""
        return make_plan(
            self.routes,
            self.formats,
            self.source,
            self.settings,
            reasons=self.reasons,
            failed=failed,
            kept=self.kept,
        )


@attrs.frozen
class Foundation:
    """An artifact that other formats can be made from, and the recipe by which it is known."""

    artifact: Artifact
    key: str


@attrs.frozen
class ScheduleState:
    """Where one run stands.

    ``signature`` is the source's. ``plan`` leaves out what has failed, ``first_plan`` is the one of the beginning.
    ``rows`` are done, in the order in which they were; ``foundations`` is what can be built on, ``attempts`` what was
    tried, each by the name of the format; ``failed`` says of routes, by their id, how they ended. ``furthest`` has, by
    the name of the format, the last step that made a file which was then refused.
    """

    basis: PlanBasis
    signature: Signature
    plan: Plan
    first_plan: Plan
    rows: Mapping[str, FormatResult] = attrs.field(factory=dict)
    foundations: Mapping[str, Foundation] = attrs.field(factory=dict)
    attempts: Mapping[str, tuple[Attempt, ...]] = attrs.field(factory=dict)
    failed: Mapping[str, str] = attrs.field(factory=dict)
    furthest: Mapping[str, StepRefused] = attrs.field(factory=dict)


@attrs.frozen
class PointChecked:
    """What there is to start from has been checked.

    ``candidates`` are runtimes in which a live source was held against itself: they say nothing about it.
    """

    point: StartingPoint
    runtimes: tuple[RuntimeResult, ...]
    candidates: tuple[str, ...] = ()


@attrs.frozen
class StepEnded:
    """A step of the plan has ended, and what it made has been checked.

    ``artifact`` is ``None`` when nothing was made. ``path`` (in the workspace) and ``size`` say what lies in the
    format's folder now, ``None`` where nothing does.
    """

    step: Step
    built: BuildResult
    artifact: Artifact | None = None
    runtimes: tuple[RuntimeResult, ...] = ()
    path: str | None = None
    size: int | None = None


@attrs.frozen
class StepRefused:
    """A step whose product was refused, and why."""

    event: StepEnded
    failure: Failure


ScheduleEvent: TypeAlias = PointChecked | StepEnded


def begin(basis: PlanBasis, signature: Signature) -> ScheduleState:
    """A run before its first event. Raises what :func:`navcore.planning.make_plan` raises."""
    plan = basis.plan({})
    return ScheduleState(basis, signature, plan, plan)


def ready(state: ScheduleState) -> tuple[Step, ...]:
    """Steps whose source can be built on and whose target has no row yet; they do not depend on each other."""
    return tuple(
        step
        for step in state.plan.steps
        if step.target.name not in state.rows and step.source.name in state.foundations
    )


def advance(state: ScheduleState, event: ScheduleEvent) -> ScheduleState:
    """The state after the event. A route that failed, in making or in verification, is out of every later plan."""
    return _after_point(state, event) if isinstance(event, PointChecked) else _after_step(state, event)


def finish(state: ScheduleState) -> ScheduleState:
    """The end of a run in which nothing is ready any more: what was never reached has a row that says why.

    A target whose route was tried and failed has its row already.
    """
    for step in state.plan.steps:  # its source was there, and failed before anything was made of it
        if step.target.name not in state.rows:
            origin = step.source.name
            state = _put(state, _left_out(state, step.target, origin, f"{origin} is not made: {_why(state, origin)}"))
    for later in state.plan.later:
        if later.target.name not in state.rows:
            state = _put(state, _for_later(state, later))
    for missing in state.plan.missing:
        if missing.target.name not in state.rows:
            state = _put(state, _out_of_reach(state, missing))
    return state


def status_of(runtimes: Sequence[RuntimeResult]) -> Status:
    """Ok as soon as one runtime is; failed when one failed and none is ok; else nobody could tell."""
    statuses = {row.status for row in runtimes}
    if Status.OK in statuses:
        return Status.OK
    return Status.FAILED if Status.FAILED in statuses else Status.UNVERIFIED


def _after_point(state: ScheduleState, event: PointChecked) -> ScheduleState:
    """A format that was there: one that fails is not built on."""
    point, status = event.point, status_of(event.runtimes)
    if status_of([row for row in event.runtimes if row.runtime not in event.candidates]) != Status.FAILED:
        state = _built_on(state, point.artifact, point.key)
    failed = (row.failure for row in event.runtimes if row.status == Status.FAILED)
    failure = next(failed, None) if status == Status.FAILED else None
    return _put(state, attrs.evolve(point.row, status=status, runtimes=event.runtimes, failure=failure))


def _after_step(state: ScheduleState, event: StepEnded) -> ScheduleState:
    outcome = event.built.outcome
    if event.artifact is None:
        assert outcome.failure is not None
        return _gave_up(_attempted(state, event, None), event, outcome.failure, outcome.status)
    status = status_of(event.runtimes)
    if status == Status.FAILED:
        refused = next(row for row in event.runtimes if row.status == Status.FAILED)
        failure = refused.failure or Failure("verification failed", "verification")
        return _gave_up(_attempted(state, event, failure), event, failure, Status.FAILED)
    state = _built_on(_attempted(state, event, None), event.artifact, event.built.key)
    return _put(state, _result(state, event, status))


def _attempted(state: ScheduleState, event: StepEnded, refused: Failure | None) -> ScheduleState:
    """Note the attempt; one whose product was ``refused`` has failed, though the step itself has not."""
    route, outcome, name = event.step.route, event.built.outcome, event.step.target.name
    if refused is not None:
        outcome = attrs.evolve(outcome, status=Status.FAILED, failure=refused)
    attempts = (*state.attempts.get(name, ()), Attempt(route.id, outcome, route.distribution, route.version))
    return attrs.evolve(state, attempts={**state.attempts, name: attempts})


def _gave_up(state: ScheduleState, event: StepEnded, failure: Failure, status: Status) -> ScheduleState:
    """Leave the route out; when no other reaches the target, its row is what the one that came furthest came to."""
    step = event.step
    failed = {**state.failed, step.route.id: failure.cause}
    state = attrs.evolve(state, failed=failed, plan=state.basis.plan(failed))
    if event.artifact is not None:
        furthest = {**state.furthest, step.target.name: StepRefused(event, failure)}
        state = attrs.evolve(state, furthest=furthest)
    if any(other.target == step.target for other in state.plan.steps):
        return state
    refused = state.furthest.get(step.target.name)
    if refused is not None:  # a route that made a file came further than one that made none
        return _put(state, _result(state, refused.event, Status.FAILED, refused.failure))
    if status == Status.UNAVAILABLE:  # the last way was not to be had; one that was tried and failed says more
        tried = [one.outcome for one in state.attempts[step.target.name] if one.outcome.status == Status.FAILED]
        status, failure = (Status.FAILED, tried[-1].failure or failure) if tried else (status, failure)
    return _put(state, _result(state, event, status, failure))


def _result(state: ScheduleState, event: StepEnded, status: Status, failure: Failure | None = None) -> FormatResult:
    step, made, artifact = event.step, event.built.made, event.artifact
    own = None if artifact is None or artifact.signature == state.signature else artifact.signature
    return FormatResult(
        format=step.target,
        status=status,
        path=event.path,
        route=step.route.id,
        made_from=step.source.name,
        requested=step.requested,
        calling=made.calling if made else "named",
        signature=own,
        attempts=state.attempts.get(step.target.name, ()),
        runtimes=event.runtimes,
        notes=made.notes if made else (),
        facts=dict(made.facts) if made else {},
        assets=made.assets if made else (),
        size=event.size,
        failure=failure,
    )


def _put(state: ScheduleState, row: FormatResult) -> ScheduleState:
    return attrs.evolve(state, rows={**state.rows, row.format.name: row})


def _built_on(state: ScheduleState, artifact: Artifact, key: str) -> ScheduleState:
    return attrs.evolve(state, foundations={**state.foundations, artifact.format.name: Foundation(artifact, key)})


def _for_later(state: ScheduleState, later: Later) -> FormatResult:
    """The row of a target that another machine makes; what was tried here to no avail is told with it."""
    name = later.source.name
    attempts = state.attempts.get(later.target.name, ())
    failed = [one.outcome for one in attempts if one.outcome.status == Status.FAILED]
    hint = f"It is made from {name}: navcore.load makes it on a machine that has what it needs."
    failure = (failed[-1].failure if failed else None) or Failure(later.needs, "unavailable", hint=hint)
    status = Status.FAILED if failed else Status.UNAVAILABLE
    requested = _is_requested(state, later.target)
    return FormatResult(later.target, status, made_from=name, requested=requested, attempts=attempts, failure=failure)


def _out_of_reach(state: ScheduleState, missing: Missing) -> FormatResult:
    """The row of a target that no route reaches any more, or none ever did."""
    target = missing.target
    attempts = state.attempts.get(target.name, ())
    if attempts:
        failed = any(attempt.outcome.status == Status.FAILED for attempt in attempts)
        failure = attempts[-1].outcome.failure or Failure(missing.reason, "unavailable")
        status = Status.FAILED if failed else Status.UNAVAILABLE
        requested = _is_requested(state, target)
        return FormatResult(target, status, attempts=attempts, requested=requested, failure=failure)
    planned = next((step for step in state.first_plan.steps if step.target == target), None)
    if planned is None:
        return FormatResult(target, Status.UNAVAILABLE, failure=Failure(missing.reason, "unavailable"))
    return _left_out(state, target, planned.source.name, missing.reason)


def _left_out(state: ScheduleState, target: Format, origin: str, reason: str) -> FormatResult:
    failure = Failure(reason, "skipped", hint=f"It is made from {origin}.")
    return FormatResult(target, Status.SKIPPED, requested=_is_requested(state, target), failure=failure)


def _why(state: ScheduleState, name: str) -> str:
    row = state.rows.get(name)
    return row.failure.cause if row is not None and row.failure is not None else "it was left out itself"


def _is_requested(state: ScheduleState, target: Format) -> bool:
    return all(step.requested for step in state.first_plan.steps if step.target == target)
