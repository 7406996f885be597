"""Run a plan to its end: make what is ready, check it, and plan again around every route that failed.

What follows from what is decided in :mod:`navcore.execution.schedule`; here it is done, announced and published.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from navcore.contract import Artifact, estimate_seconds, resolve_batch_sizes
from navcore.evaluation import FRUITLESS
from navcore.execution.build_format import BuildResult, build_key, built_artifact, is_forked, recall
from navcore.execution.check_format import is_reference, is_refused
from navcore.execution.isolation import import_before_forks
from navcore.execution.run_context import RunContext, StartingPoint, imports_of
from navcore.execution.schedule import (
    PlanBasis,
    PointChecked,
    ScheduleEvent,
    ScheduleState,
    StepEnded,
    advance,
    begin,
    finish,
    ready,
)
from navcore.execution.thread_pool import StepPool, Task
from navcore.planning import Plan, PlanSettings, Step
from navcore.workspace import Event, FormatResult, RuntimeResult, Stage, Status, size_of_model

Publish = Callable[[tuple[FormatResult, ...]], None]


@attrs.frozen
class Executed:
    """The rows of a run, and by name the recipes of the formats that are there, also of those that were refused."""

    rows: tuple[FormatResult, ...] = ()
    keys: Mapping[str, str] = attrs.field(factory=dict)


def execute(context: RunContext, kept: Sequence[StartingPoint], publish: Publish) -> Executed:
    """Make and check every format of the plan; ``publish`` receives all rows each time one is finished.

    ``kept`` is what there is to start from: the source, or the formats of a loaded package. The rows have the source
    first, then the formats in the order in which they were finished.

    Waves of steps that do not depend on each other are made side by side; how checks run beside them is in
    :class:`navcore.execution.thread_pool.StepPool`. A route that fails, in making or in verification, is left out
    and the plan is made again from what exists, until nothing is left to do.
    """

    def published(before: ScheduleState, after: ScheduleState) -> ScheduleState:
        if after.rows is not before.rows:
            publish(tuple(after.rows.values()))
        return after

    def told(state: ScheduleState, event: ScheduleEvent) -> ScheduleState:
        return published(state, advance(state, event))

    with StepPool(context) as pool:
        state = begin(_basis(context, kept), context.samples.signature)
        _announce_unreachable(context, state.plan)
        _announce_estimate(context, state.plan)
        pool.begin_checks([(one.artifact, one.key, state.plan.checks_of(one.artifact.format)) for one in kept])
        for point in kept:
            runtimes = _checked(context, pool, state, point.artifact, point.key)
            state = told(state, PointChecked(point, runtimes, _candidates(context, state, point)))
        while steps := ready(state):
            for step, built in _made(context, pool, state, steps):
                state = told(state, _ended(context, pool, state, step, built))
            pool.end_wave()
        rows = tuple(published(state, finish(state)).rows.values())
        refused = {name: one.event.built.key for name, one in state.furthest.items()}
        return Executed(rows, {**refused, **{name: one.key for name, one in state.foundations.items()}})


def _candidates(context: RunContext, state: ScheduleState, point: StartingPoint) -> tuple[str, ...]:
    """The runtimes of a live source other than the one that says what is right."""
    if point.artifact.model is None:
        return ()
    checks = state.plan.checks_of(point.artifact.format)
    return tuple(one.runtime for one in checks if not is_reference(context, one))


def _basis(context: RunContext, kept: Sequence[StartingPoint]) -> PlanBasis:
    registry, settings, source = context.registry, context.settings, context.source
    # A loaded package has no live model any more, and what cannot be exported again need not be planned.
    exports = source.model is not None
    return PlanBasis(
        routes=tuple(route for route in registry.routes if exports or route.hook != "export_model"),
        formats=registry.formats,
        source=source.format,
        settings=PlanSettings(settings.targets, settings.prefer, settings.runtimes, settings.effort),
        reasons={route.id: reason for route in registry.routes if (reason := registry.unavailable(route))},
        kept=tuple(one.artifact.format for one in kept if one.artifact.format != source.format),
    )


def _made(
    context: RunContext, pool: StepPool, state: ScheduleState, steps: Sequence[Step]
) -> Iterable[tuple[Step, BuildResult]]:
    """Make a wave, less what an earlier run has finished."""
    tasks: list[Task] = []
    known: dict[str, BuildResult] = {}
    for step in steps:
        origin = state.foundations[step.source.name]
        task = Task(step, origin.artifact, build_key(context, step, origin.key), state.plan.checks_of(step.target))
        tasks.append(task)
        before = recall(context, step, task.key)
        if before is not None and (before.present or _was_refused(context, task, before)):
            known[step.target.name] = before
        else:
            context.announce(Event(Stage.MAKING, step.target.name, f"by {step.route.name}"))
    import_before_forks(_imports_of_forks(context, tasks, known))
    made = pool.make_all(tasks, known)
    return [(step, made[step.target.name]) for step in steps]


def _imports_of_forks(context: RunContext, tasks: Sequence[Task], known: Mapping[str, BuildResult]) -> list[str]:
    """What the live exports of a wave import of their framework: the caller has it then, and each fork with it."""
    forked = [
        task.step for task in tasks if task.step.target.name not in known and is_forked(context, task.step, task.origin)
    ]
    return [name for step in forked for name in imports_of(step.route, context.registry)]


def _was_refused(context: RunContext, task: Task, known: BuildResult) -> bool:
    """Whether a product that is gone need not come back, because verification refused it and would again."""
    artifact = built_artifact(context, task.step, task.origin, known)
    checks = [check for check in task.checks if not check.reason]
    key = known.checked_key
    return bool(checks) and all(is_refused(context, artifact, key, check) for check in checks)


def _ended(context: RunContext, pool: StepPool, state: ScheduleState, step: Step, built: BuildResult) -> StepEnded:
    """Tell how a step ended, check what it made, and look at what lies there now."""
    outcome = built.outcome
    cause = outcome.failure.cause if outcome.failure else ""
    context.announce(Event(Stage.MAKING, step.target.name, cause, outcome.status, outcome.seconds, built.reused))
    if built.made is None:
        return StepEnded(step, built)
    artifact = built_artifact(context, step, state.foundations[step.source.name].artifact, built)
    runtimes = _checked(context, pool, state, artifact, built.checked_key)
    path = artifact.file
    if not path.exists():
        return StepEnded(step, built, artifact, runtimes)
    return StepEnded(step, built, artifact, runtimes, context.workspace.relative(path), size_of_model(path.parent))


def _checked(
    context: RunContext, pool: StepPool, state: ScheduleState, artifact: Artifact, key: str
) -> tuple[RuntimeResult, ...]:
    rows = []
    for planned in state.plan.checks_of(artifact.format):
        subject = f"{artifact.format.name}/{planned.runtime}"
        if not planned.reason:
            context.announce(Event(Stage.CHECKING, subject))
        result = pool.check(artifact, key, planned)
        row = result.row
        text = row.failure.cause if row.failure else ""
        seconds = row.outcome.seconds if row.outcome else None
        context.announce(Event(Stage.CHECKING, subject, text, row.status, seconds, result.reused))
        rows.append(row)
    return tuple(rows)


def _announce_unreachable(context: RunContext, plan: Plan) -> None:
    """Say before anything is made or measured what cannot be made here, and why: whoever waits for it can stop."""
    for later in plan.later:
        text = f"{later.needs}; it can be made from {later.source.name} on a machine that has what it needs"
        context.announce(Event(Stage.MAKING, later.target.name, text, Status.UNAVAILABLE))
    for missing in plan.missing:
        context.announce(Event(Stage.MAKING, missing.target.name, missing.reason, Status.UNAVAILABLE))


def _announce_estimate(context: RunContext, plan: Plan) -> None:
    """How many steps the plan has, and how long its windows will take."""
    makings, checks = len(plan.steps), sum(not check.reason for check in plan.checks)
    text = f"{makings} formats to make, {checks} runtimes to check them in"
    context.announce(Event(Stage.ESTIMATE, "plan", text, steps=makings + checks))
    settings = context.settings
    if settings.windows is None:
        return
    sizes = resolve_batch_sizes(
        settings.windows, batch_dim=settings.batch_dim, dataloader_batch=context.samples.batch_size
    )
    runtimes = sum(not check.reason and check.route.spot_check is None for check in plan.checks)
    fewest = FRUITLESS + 1 if settings.doubles else len(sizes)  # so many at least until twice nothing was gained
    least, most = estimate_seconds(settings.windows, runtimes=runtimes, batch_sizes=fewest)
    told = f"{least:.0f} to {most:.0f} s" if math.isfinite(most) else "as long as its windows of calls take"
    text = f"measuring {runtimes} runtimes at batch sizes {_listed(sizes)} takes {told}"
    if settings.doubles:
        text = f"measuring {runtimes} runtimes at batch sizes that double takes at least {least:.0f} s"
    context.announce(Event(Stage.ESTIMATE, "profiling", text, seconds=least))


def _listed(sizes: Iterable[int]) -> str:
    return ", ".join("unbatched" if size == -1 else str(size) for size in sizes)
