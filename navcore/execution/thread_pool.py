"""Does side by side, in threads that each supervise a child, what may be: steps, and checks that measure nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, ParamSpec

import attrs

from navcore.contract import Artifact
from navcore.execution.admission import LOOK_EVERY, Abandoned, Admission, foreseen_memory
from navcore.execution.build_format import BuildResult, built_artifact, can_fork, make
from navcore.execution.check_format import CheckResult, check_runtime
from navcore.execution.isolation import kill_children
from navcore.execution.resources import processors
from navcore.execution.run_context import RunContext
from navcore.execution.step import ChildStep, StepPlace
from navcore.execution.step_children import (
    RunStep,
    StepAnswer,
    answer_from,
    executor_failed,
    run_step,
    run_step_forked,
    submit_step,
)
from navcore.planning import Check, Step
from navcore.workspace import Outcome, size_of

SIDE_BY_SIDE = 4
_Given = ParamSpec("_Given")


@attrs.frozen
class Task:
    """One step of a wave, with what it starts from, and the checks that its product will go through."""

    step: Step
    origin: Artifact
    key: str
    checks: tuple[Check, ...] = ()


class StepPool:
    """The threads of one run, from ``with`` to its end; an exception kills the children of all of them.

    Checks that measure nothing begin as soon as what they check is there, beside each other and beside the steps that
    are still at work, as far as processors and memory reach; :meth:`check` hands each result over when it is asked for.
    Those that measure windows begin when they are asked for, one at a time, since measuring has the machine to itself.

    A step or a check whose process was killed from outside, or lacked memory, is tried once more alone, and so is a
    check that ended beside others by a crash or for its time: that may have been its neighbours' doing.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._pool = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="navcore")
        self._admission = Admission(processors())
        self._run = _runner_of_steps(context.executor, self._admission)
        self._checks: dict[tuple[str, str], Future[CheckResult]] = {}
        self._futures: list[Future[Any]] = []

    def __enter__(self) -> StepPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            self._stop()
        self._pool.shutdown()

    def _stop(self) -> None:
        """End everything that is at work, and record nothing of it."""
        self._admission.close()
        for future in self._futures:
            future.cancel()
        while not all(future.done() for future in self._futures):
            kill_children(self._context.workspace.private)  # or leaving the pool would wait for them
            wait(self._futures, timeout=0.1)
        kill_children(self._context.workspace.private)

    def make_all(self, tasks: Sequence[Task], known: Mapping[str, BuildResult]) -> dict[str, BuildResult]:
        """Make one wave, less what is known; whatever must happen in the caller's own thread happens there, in turn.

        Returns how each ended, by the name of its target.
        """
        threads = max(1, processors() // max(1, min(len(tasks), SIDE_BY_SIDE)))
        each = self._threads_of_a_check([check for task in tasks for check in task.checks])

        def begin_checks(task: Task, built: BuildResult) -> BuildResult:
            if built.made is not None:
                artifact = built_artifact(self._context, task.step, task.origin, built)
                self._begin_checks(artifact, built.checked_key, task.checks, each)
            return built

        def work(task: Task) -> BuildResult:
            return begin_checks(task, self._make(task, threads))

        made = {task.step.target.name: known.get(task.step.target.name) for task in tasks}
        todo = [task for task in tasks if made[task.step.target.name] is None]
        in_caller = [one for one in todo if self._is_in_caller(one)]
        futures = {one.step.target.name: self._submit(work, one) for one in todo if one not in in_caller}
        for task in tasks:
            if (before := made[task.step.target.name]) is not None:
                begin_checks(task, before)
        for task in in_caller:
            made[task.step.target.name] = work(task)
        made |= {name: future.result() for name, future in futures.items()}
        return {name: built for name, built in made.items() if built is not None}

    def _is_in_caller(self, task: Task) -> bool:
        """Frameworks export one model at a time in a process: they keep in its globals how far they are."""
        return task.step.route.hook == "export_model" and not can_fork(self._context, task.step, task.origin)

    def _make(self, task: Task, threads: int) -> BuildResult:
        needs = None if task.origin.path is None else self._foreseen(task.origin)
        run, forked = self._unless_stopped(self._run), self._unless_stopped(run_step_forked)
        with self._admission.place(needs, patient=False):
            built = make(self._context, task.step, task.origin, task.key, threads, run, forked)
        if _deserves_another_try(built.outcome):
            with self._admission.place(needs, alone=True):
                built = make(self._context, task.step, task.origin, task.key, threads, run, forked)
        return built

    def begin_checks(self, waiting: Sequence[tuple[Artifact, str, Sequence[Check]]]) -> None:
        """Begin to check what is on disk, each artifact under its key, as the class says."""
        each = self._threads_of_a_check([planned for _, _, checks in waiting for planned in checks])
        for artifact, key, checks in waiting:
            self._begin_checks(artifact, key, checks, each)

    def _begin_checks(self, artifact: Artifact, key: str, checks: Sequence[Check], threads: int) -> None:
        if self._context.settings.windows is not None or artifact.path is None:
            return
        for planned in checks:
            if not planned.reason:
                future = self._submit(self._check_beside, artifact, key, planned, threads)
                self._checks[artifact.format.name, planned.runtime] = future

    def check(self, artifact: Artifact, key: str, planned: Check) -> CheckResult:
        """The result of a check: of the one that was begun, or else of one made now."""
        begun = self._checks.pop((artifact.format.name, planned.runtime), None)
        if begun is not None:
            return begun.result()
        return check_runtime(self._context, artifact, key, planned, self._again)

    def _again(self, step: ChildStep, place: StepPlace) -> StepAnswer:
        answer = self._run(step, place)
        return self._run(step, place) if _deserves_another_try(answer.outcome) else answer

    def end_wave(self) -> None:
        """Wait for the checks that were begun and that nobody asked for; the next wave may need their folders."""
        while self._checks:
            self._checks.popitem()[1].result()

    def _check_beside(self, artifact: Artifact, key: str, planned: Check, threads: int) -> CheckResult:
        run = self._unless_stopped(self._run)

        def beside(step: ChildStep, place: StepPlace) -> StepAnswer:
            needs = self._foreseen(artifact)
            with self._admission.place(needs) as admitted:
                answer = run(step, place)
            if _deserves_another_try(answer.outcome) or (admitted.crowded and _was_ended(answer)):
                with self._admission.place(needs, alone=True):
                    answer = run(step, place)
            return answer

        return check_runtime(self._context, artifact, key, planned, beside, threads)

    def _foreseen(self, artifact: Artifact) -> int:
        assert artifact.path is not None
        return foreseen_memory(size_of(artifact.path.parent), self._context.settings.memory_limit)

    def _threads_of_a_check(self, checks: Sequence[Check]) -> int:
        """By the plan alone: what else happens to run must not decide how a sum is rounded."""
        possible = sum(not check.reason for check in checks)
        return max(1, processors() // max(1, min(possible, SIDE_BY_SIDE)))

    def _submit(self, work: Callable[_Given, Any], *given: _Given.args, **named: _Given.kwargs) -> Future[Any]:
        self._admission.raise_if_closed()
        future = self._pool.submit(work, *given, **named)
        self._futures.append(future)
        return future

    def _unless_stopped(self, work: Callable[_Given, StepAnswer]) -> Callable[_Given, StepAnswer]:
        """The same, but an answer that came because the run was stopped is no answer."""

        def guarded(*given: _Given.args, **named: _Given.kwargs) -> StepAnswer:
            self._admission.raise_if_closed()
            answer = work(*given, **named)
            self._admission.raise_if_closed()
            return answer

        return guarded


def _deserves_another_try(outcome: Outcome) -> bool:
    """Whether a process was ended by something that may be over by now; a full disk is full."""
    return outcome.failure is not None and outcome.failure.category in ("killed", "out-of-memory")


def _was_ended(answer: StepAnswer) -> bool:
    failure = answer.outcome.failure
    return failure is not None and failure.category in ("timeout", "crash")


def _runner_of_steps(executor: Executor | None, admission: Admission) -> RunStep:
    """How a step is run: in a child of this process, or of one of the user's executor."""
    if executor is None:
        return run_step

    def submitted(step: ChildStep, place: StepPlace) -> StepAnswer:
        try:
            return answer_from(_awaited(submit_step(executor, step, place), admission))
        except Abandoned:
            raise
        except Exception as error:  # a step itself never raises
            raise executor_failed(error) from error

    return submitted


def _awaited(future: Future[dict[str, Any]], admission: Admission) -> dict[str, Any]:
    """The answer, unless the run is stopped before the step has begun: it may stand in a long line."""
    while True:
        try:
            return future.result(timeout=LOOK_EVERY)
        except TimeoutError:
            if future.done():
                raise
            if admission.closed and future.cancel():
                admission.raise_if_closed()
