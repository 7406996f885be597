"""Run a plan to its end: make what is ready, check it, and plan again around every route that failed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import attrs

from navcore.contract import Artifact, Format, Signature
from navcore.execution.build_format import BuildResult, build_key, recall
from navcore.execution.check_format import is_refused
from navcore.execution.run_context import RunContext, StartingPoint
from navcore.execution.thread_pool import StepPool, Task
from navcore.planning import Missing, Plan, PlanSettings, Step, make_plan
from navcore.workspace import Attempt, Event, Failure, FormatResult, RuntimeResult, Stage, Status, size_of_model

Publish = Callable[[tuple[FormatResult, ...]], None]


def execute(context: RunContext, kept: Sequence[StartingPoint], publish: Publish) -> tuple[FormatResult, ...]:
    """Make and check every format of the plan; ``publish`` receives all rows each time one is finished.

    ``kept`` is what there is to start from: the source, or the formats of a loaded package.

    Waves of steps that do not depend on each other are made side by side; how checks run beside them is in
    :class:`navcore.execution.thread_pool.StepPool`. A route that fails, in making or in verification, is left out
    and the plan is made again from what exists, until nothing is left to do.
    """
    with StepPool(context) as pool:
        board = _Board(context, kept, publish, pool)
        board.check_kept()
        while ready := board.ready():
            for step, built in board.make_all(ready):
                board.take(step, built)
            pool.end_wave()
        return board.finish()


def plan_settings(context: RunContext) -> PlanSettings:
    """What the settings ask the planner for."""
    settings = context.settings
    return PlanSettings(settings.targets, settings.prefer, settings.runtimes)


class _Board:
    """Where one run stands: rows that are done, what can be built on, and the routes that have failed."""

    def __init__(self, context: RunContext, kept: Sequence[StartingPoint], publish: Publish, pool: StepPool) -> None:
        self.context = context
        self.pool = pool
        self.kept = tuple(kept)
        self.publish = publish
        self.rows: dict[str, FormatResult] = {}
        self.artifacts: dict[str, tuple[Artifact, str]] = {}
        self.attempts: dict[str, list[Attempt]] = {}
        self.failed: dict[str, str] = {}
        self.reasons = {
            route.id: reason for route in context.registry.routes if (reason := context.registry.unavailable(route))
        }
        self.plan = self.first_plan = self._plan()
        self._announce_estimate()

    def _plan(self) -> Plan:
        registry = self.context.registry
        # A loaded package has no live model any more, and what cannot be exported again need not be planned.
        exports = self.context.source.model is not None
        return make_plan(
            [route for route in registry.routes if exports or route.hook != "export_model"],
            registry.formats,
            self.context.source.format,
            plan_settings(self.context),
            reasons=self.reasons,
            failed=self.failed,
            kept=[one.artifact.format for one in self.kept if one.artifact.format != self.context.source.format],
        )

    def _announce_estimate(self) -> None:
        from navcore.contract import estimate_seconds, resolve_batch_sizes

        settings = self.context.settings
        if not settings.run_profiling:
            return
        sizes = resolve_batch_sizes(
            settings.profiler_config, batch_dim=settings.batch_dim, dataloader_batch=self.context.samples.batch_size
        )
        runtimes = sum(not check.reason and check.route.spot_check is None for check in self.plan.checks)
        least, most = estimate_seconds(settings.profiler_config, runtimes=runtimes, batch_sizes=len(sizes))
        told = f"{least:.0f} to {most:.0f} s" if math.isfinite(most) else "as long as its windows of calls take"
        text = f"measuring {runtimes} runtimes at batch sizes {_listed(sizes)} takes {told}"
        self.context.announce(Event(Stage.ESTIMATE, "profiling", text, seconds=least))

    def ready(self) -> list[Step]:
        """Steps whose source can be built on and whose target has no row yet."""
        return [
            step for step in self.plan.steps if step.target.name not in self.rows and step.source.name in self.artifacts
        ]

    def check_kept(self) -> None:
        """Check what was there before anything is made; a format that fails here is not built on."""
        self.pool.begin_checks([(one.artifact, one.key, self.plan.checks_of(one.artifact.format)) for one in self.kept])
        for kept in self.kept:
            runtimes = tuple(self._check(kept.artifact, kept.key))
            status = _status_of(runtimes)
            if status != Status.FAILED:
                self.artifacts[kept.artifact.format.name] = (kept.artifact, kept.key)
            failure = next((row.failure for row in runtimes if row.status == Status.FAILED), None)
            self._put(attrs.evolve(kept.row, status=status, runtimes=runtimes, failure=failure))

    def make_all(self, ready: list[Step]) -> Iterable[tuple[Step, BuildResult]]:
        """Make the wave, less what an earlier run has finished."""
        tasks: list[Task] = []
        known: dict[str, BuildResult] = {}
        for step in ready:
            origin, origin_key = self.artifacts[step.source.name]
            key = build_key(self.context, step, origin_key)
            tasks.append(Task(step, origin, key, self.plan.checks_of(step.target)))
            before = recall(self.context, step, key)
            if before is not None and (before.present or self._was_refused(step, before)):
                known[step.target.name] = before
            else:
                self.context.announce(Event(Stage.MAKING, step.target.name, f"by {step.route.name}"))
        made = self.pool.make_all(tasks, known, self._artifact)
        return [(step, made[step.target.name]) for step in ready]

    def _was_refused(self, step: Step, known: BuildResult) -> bool:
        """Whether a product that is gone need not come back, because verification refused it and would again."""
        artifact = self._artifact(step, known)
        checks = [check for check in self.plan.checks_of(step.target) if not check.reason]
        key = known.checked_key
        return bool(checks) and all(is_refused(self.context, artifact, key, check) for check in checks)

    def take(self, step: Step, built: BuildResult) -> None:
        """Check what was made; a failure takes the route out and plans again."""
        attempts = self.attempts.setdefault(step.target.name, [])
        attempts.append(Attempt(step.route.id, built.outcome, step.route.distribution, step.route.version))
        outcome = built.outcome
        self.context.announce(
            Event(
                Stage.MAKING,
                step.target.name,
                outcome.failure.cause if outcome.failure else "",
                outcome.status,
                outcome.seconds,
                built.reused,
            )
        )
        if built.made is None:
            assert outcome.failure is not None
            self._give_up(step, None, (), outcome.failure, outcome.status)
            return
        artifact = self._artifact(step, built)
        runtimes = tuple(self._check(artifact, built.checked_key))
        status = _status_of(runtimes)
        if status == Status.FAILED:
            refused = next(row for row in runtimes if row.status == Status.FAILED)
            failure = refused.failure or Failure("verification failed", "verification")
            attempts[-1] = attrs.evolve(
                attempts[-1], outcome=attrs.evolve(outcome, status=Status.FAILED, failure=failure)
            )
            self._give_up(step, built, runtimes, failure, Status.FAILED)
            return
        self.artifacts[step.target.name] = (artifact, built.key)
        self._put(self._result(step, built, runtimes, status))

    def _give_up(
        self,
        step: Step,
        built: BuildResult | None,
        runtimes: tuple[RuntimeResult, ...],
        failure: Failure,
        status: Status,
    ) -> None:
        """Leave the route out; when no other reaches the target, its row is what it came to."""
        self.failed[step.route.id] = failure.cause
        self.plan = self._plan()
        if any(other.target == step.target for other in self.plan.steps):
            return
        if status == Status.UNAVAILABLE:  # the last way was not to be had; one that was tried and failed says more
            attempts = self.attempts[step.target.name]
            failed = [one.outcome for one in attempts if one.outcome.status == Status.FAILED]
            status, failure = (Status.FAILED, failed[-1].failure or failure) if failed else (status, failure)
        self._put(self._result(step, built, runtimes, status, failure))

    def _artifact(self, step: Step, built: BuildResult) -> Artifact:
        assert built.made is not None
        path = self.context.workspace.format_folder(step.target.name) / step.target.filename
        origin = self.artifacts[step.source.name][0]
        signature = built.made.signature or origin.signature
        return Artifact(step.target, signature, path, None, built.made.calling, built.made.facts)

    def _result(
        self,
        step: Step,
        built: BuildResult | None,
        runtimes: tuple[RuntimeResult, ...],
        status: Status,
        failure: Failure | None = None,
    ) -> FormatResult:
        path = self.context.workspace.format_folder(step.target.name) / step.target.filename
        there = built is not None and path.exists()
        made = built.made if built is not None else None
        return FormatResult(
            format=step.target,
            status=status,
            path=self.context.workspace.relative(path) if there else None,
            route=step.route.id,
            made_from=step.source.name,
            requested=step.requested,
            calling=made.calling if made else "named",
            signature=self._own_signature(step, built),
            attempts=tuple(self.attempts.get(step.target.name, ())),
            runtimes=runtimes,
            notes=made.notes if made else (),
            facts=dict(made.facts) if made else {},
            size=size_of_model(path.parent) if there else None,
            failure=failure,
        )

    def _own_signature(self, step: Step, built: BuildResult | None) -> Signature | None:
        """The artifact's signature where it is not the source's."""
        if built is None or built.made is None:
            return None
        signature = self._artifact(step, built).signature
        return None if signature == self.context.samples.signature else signature

    def _check(self, artifact: Artifact, key: str) -> Iterable[RuntimeResult]:
        for planned in self.plan.checks_of(artifact.format):
            subject = f"{artifact.format.name}/{planned.runtime}"
            if not planned.reason:
                self.context.announce(Event(Stage.CHECKING, subject))
            checking = self.pool.check(artifact, key, planned)
            row = checking.row
            text = row.failure.cause if row.failure else ""
            seconds = row.outcome.seconds if row.outcome else None
            self.context.announce(Event(Stage.CHECKING, subject, text, row.status, seconds, checking.reused))
            yield row

    def _put(self, row: FormatResult) -> None:
        self.rows[row.format.name] = row
        self.publish(tuple(self.rows.values()))

    def finish(self) -> tuple[FormatResult, ...]:
        """All rows, the source first, then in the plan's order; what was never reached says why."""
        for step in self.plan.steps:  # its source was there, and failed before anything was made of it
            if step.target.name not in self.rows:
                origin = step.source.name
                self._put(self._left_out(step.target, origin, f"{origin} is not made: {self._why_not(origin)}"))
        for missing in self.plan.missing:
            if missing.target.name not in self.rows:
                self._put(self._out_of_reach(missing))
        return tuple(self.rows.values())

    def _out_of_reach(self, missing: Missing) -> FormatResult:
        """The row of a target that no route reaches any more, or none ever did."""
        target = missing.target
        attempts = tuple(self.attempts.get(target.name, ()))
        if attempts:
            failed = any(attempt.outcome.status == Status.FAILED for attempt in attempts)
            failure = attempts[-1].outcome.failure or Failure(missing.reason, "unavailable")
            status = Status.FAILED if failed else Status.UNAVAILABLE
            return FormatResult(
                target, status, attempts=attempts, requested=self._is_requested(target), failure=failure
            )
        planned = next((step for step in self.first_plan.steps if step.target == target), None)
        if planned is None:
            return FormatResult(target, Status.UNAVAILABLE, failure=Failure(missing.reason, "unavailable"))
        return self._left_out(target, planned.source.name, missing.reason)

    def _left_out(self, target: Format, origin: str, reason: str) -> FormatResult:
        failure = Failure(reason, "skipped", hint=f"It is made from {origin}.")
        return FormatResult(target, Status.SKIPPED, requested=self._is_requested(target), failure=failure)

    def _why_not(self, name: str) -> str:
        row = self.rows.get(name)
        return row.failure.cause if row is not None and row.failure is not None else "it was left out itself"

    def _is_requested(self, target: Format) -> bool:
        return all(step.requested for step in self.first_plan.steps if step.target == target)


def _status_of(runtimes: Sequence[RuntimeResult]) -> Status:
    """Ok as soon as one runtime is; failed when one failed and none is ok; else nobody could tell."""
    statuses = {row.status for row in runtimes}
    if Status.OK in statuses:
        return Status.OK
    return Status.FAILED if Status.FAILED in statuses else Status.UNVERIFIED


def _listed(sizes: Iterable[int]) -> str:
    return ", ".join("unbatched" if size == -1 else str(size) for size in sizes)
