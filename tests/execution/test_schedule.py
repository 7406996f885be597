"""What follows when a step ends, for any way in which steps may end; no process is started here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
import pytest
from hypothesis import given, strategies as st

from navcore.contract.formats import Format, Live
from navcore.contract.jobs import Artifact, Made
from navcore.contract.routes import Hook, Route
from navcore.contract.signature import Signature, TensorSpec
from navcore.execution.build_format import BuildResult
from navcore.execution.run_context import StartingPoint
from navcore.execution.schedule import (
    PlanBasis,
    PointChecked,
    ScheduleState,
    StepEnded,
    advance,
    begin,
    finish,
    ready,
    status_of,
)
from navcore.planning.plan import PlanSettings, Step
from navcore.workspace.results import Failure, FormatResult, Outcome, RuntimeResult, Status

LIVE = Format("live", live=Live(("m.Model",), lambda _v: None, lambda a, _d: a, lambda _m: ()))
A, B, C, D = (Format(name) for name in "abcd")
SIGNATURE = Signature((TensorSpec("x", "float32", ("batch",)),), (TensorSpec("y", "float32", ("batch",)),))
SOURCE = StartingPoint(Artifact(LIVE, SIGNATURE), "key", FormatResult(LIVE, Status.UNVERIFIED, live=True))
Ends = Callable[[Step], StepEnded]


def way(source: Format, target: Format, *, name: str = "", cost: float = 1.0) -> Route:
    hook: Hook = "export_model" if source == LIVE else "convert"
    return Route(
        hook=hook, name=name or f"{target.name}_from_{source.name}", source=source.name, target=target,
        cost=cost, owner="p", distribution="nav-p", version="1.0",
    )  # fmt: skip


def basis(*routes: Route, targets: tuple[str, ...] | None = None) -> PlanBasis:
    return PlanBasis(routes, (LIVE, A, B, C, D), LIVE, PlanSettings(targets))


def failure(step: Step, category: str) -> Failure:
    return Failure(f"{step.route.name} was {category}", category)


# How a step may end.


def made(step: Step, *runtimes: RuntimeResult) -> StepEnded:
    built = BuildResult(Outcome(Status.OK), f"key of {step.target.name}", Made())
    artifact = Artifact(step.target, SIGNATURE, Path(step.target.name) / "model")
    return StepEnded(step, built, artifact, runtimes, f"{step.target.name}/model", 100)


def right(step: Step) -> StepEnded:
    return made(step, RuntimeResult("r", Status.OK))


def untold(step: Step) -> StepEnded:
    """No runtime here can tell whether it is right."""
    return made(step, RuntimeResult("r", Status.UNAVAILABLE))


def wrong(step: Step) -> StepEnded:
    told = Outcome(Status.FAILED, failure=failure(step, "verification"))
    return made(step, RuntimeResult("r", Status.FAILED, outcome=told))


def failed(step: Step) -> StepEnded:
    return StepEnded(step, BuildResult(Outcome(Status.FAILED, failure=failure(step, "crash")), "key"))


def absent(step: Step) -> StepEnded:
    return StepEnded(step, BuildResult(Outcome(Status.UNAVAILABLE, failure=failure(step, "unavailable")), "key"))


def contents(state: ScheduleState) -> tuple[object, ...]:
    return tuple(
        dict(value) if isinstance(value, Mapping) else value for value in attrs.asdict(state, recurse=False).values()
    )


def run(world: PlanBasis, ends: Mapping[str, Ends], source: Status = Status.OK) -> tuple[ScheduleState, list[str]]:
    """The whole run, in which each route ends as told (``right`` by default); its last state, and what was tried."""
    state = begin(world, SIGNATURE)
    state = advance(state, PointChecked(SOURCE, (RuntimeResult("eager", source),)))
    tried: list[str] = []
    while steps := ready(state):
        for step in steps:
            assert step.route.id not in tried, "a route was tried twice"
            tried.append(step.route.id)
            before = contents(state)
            after = advance(state, ends.get(step.route.name, right)(step))
            assert contents(state) == before, "a state was changed"
            state = after
    assert ready(finish(state)) == ()
    return finish(state), tried


def statuses(state: ScheduleState) -> dict[str, Status]:
    return {name: row.status for name, row in state.rows.items()}


EXPORT, FIRST, SECOND, LAST = way(LIVE, A), way(A, B), way(A, B, name="b_by_detour", cost=3.0), way(B, C)
LADDER = basis(EXPORT, FIRST, SECOND, LAST)


def test_steps_are_ready_when_their_source_is_there() -> None:
    state = begin(LADDER, SIGNATURE)
    assert ready(state) == ()
    state = advance(state, PointChecked(SOURCE, (RuntimeResult("eager", Status.OK),)))
    assert [step.route for step in ready(state)] == [EXPORT]
    state = advance(state, right(ready(state)[0]))
    assert [step.route for step in ready(state)] == [FIRST]


def test_what_does_not_depend_on_each_other_is_ready_together() -> None:
    state = begin(basis(EXPORT, way(LIVE, B), way(A, C)), SIGNATURE)
    state = advance(state, PointChecked(SOURCE, ()))
    assert [step.target for step in ready(state)] == [A, B]


def test_what_another_machine_makes_has_a_row_that_says_from_what() -> None:
    routes = (way(LIVE, A), way(A, B))
    world = attrs.evolve(basis(*routes, targets=("b",)), reasons={routes[1].id: "no device"})
    state, _ = run(world, {})
    assert statuses(state) == {"live": Status.OK, "a": Status.OK, "b": Status.UNAVAILABLE}
    row = state.rows["b"]
    assert (row.made_from, row.requested) == ("a", True)
    assert row.failure is not None
    assert row.failure.cause == "no device"
    assert "navcore.load makes it" in row.failure.hint
    assert not state.rows["a"].requested


def test_rows_are_in_the_order_in_which_they_were_done() -> None:
    state, tried = run(LADDER, {})
    assert list(state.rows) == ["live", "a", "b", "c"]
    assert tried == [EXPORT.id, FIRST.id, LAST.id]
    assert set(statuses(state).values()) == {Status.OK}


@pytest.mark.parametrize("ends", [failed, wrong, absent])
def test_the_next_route_is_taken_and_both_attempts_stay_on_record(ends: Ends) -> None:
    state, tried = run(LADDER, {FIRST.name: ends})
    assert tried == [EXPORT.id, FIRST.id, SECOND.id, LAST.id]
    row = state.rows["b"]
    assert row.status == Status.OK
    assert row.route == SECOND.id
    assert [attempt.route for attempt in row.attempts] == [FIRST.id, SECOND.id]
    assert row.attempts[0].outcome.status == (Status.UNAVAILABLE if ends is absent else Status.FAILED)
    assert row.attempts[0].outcome.failure is not None


def test_what_was_tried_and_failed_says_more_than_what_was_not_to_be_had() -> None:
    state, _ = run(LADDER, {FIRST.name: failed, SECOND.name: absent})
    row = state.rows["b"]
    assert row.status == Status.FAILED
    assert row.failure is not None
    assert row.failure.cause == "b_from_a was crash"


def test_what_nobody_could_tell_is_built_on_and_what_is_wrong_is_not() -> None:
    assert statuses(run(LADDER, {EXPORT.name: untold})[0])["c"] == Status.OK
    state, tried = run(LADDER, {EXPORT.name: wrong})
    assert tried == [EXPORT.id]
    assert state.rows["a"].path == "a/model"  # it is there to look at
    assert statuses(state) == {
        "live": Status.OK, "a": Status.FAILED, "b": Status.SKIPPED, "c": Status.SKIPPED
    }  # fmt: skip
    assert state.rows["c"].failure is not None
    assert "a_from_live was verification" in state.rows["c"].failure.cause


def test_nothing_is_built_on_a_source_that_fails_its_own_check() -> None:
    state, tried = run(LADDER, {}, source=Status.FAILED)
    assert tried == []
    assert set(statuses(state).values()) == {Status.FAILED, Status.SKIPPED}


def test_a_signature_that_is_the_sources_is_not_told_twice() -> None:
    fixed = Signature((TensorSpec("x", "float32", (2,)),), SIGNATURE.outputs)

    def narrowed(step: Step) -> StepEnded:
        ended = right(step)
        assert ended.artifact is not None
        return attrs.evolve(ended, artifact=attrs.evolve(ended.artifact, signature=fixed))

    state, _ = run(LADDER, {EXPORT.name: narrowed})
    assert (state.rows["a"].signature, state.rows["b"].signature) == (fixed, None)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ((), Status.UNVERIFIED),
        ((Status.UNAVAILABLE,), Status.UNVERIFIED),
        ((Status.FAILED, Status.UNAVAILABLE), Status.FAILED),
        ((Status.FAILED, Status.OK), Status.OK),
    ],
)
def test_one_runtime_that_is_right_is_enough(found: tuple[Status, ...], status: Status) -> None:
    assert status_of([RuntimeResult(str(place), one) for place, one in enumerate(found)]) == status


@st.composite
def worlds(draw: st.DrawFn) -> PlanBasis:
    """Up to nine routes between five formats, in any arrangement, and any of the formats as targets."""
    ends = [LIVE, A, B, C, D]
    pairs = draw(
        st.lists(
            st.tuples(st.sampled_from(ends), st.sampled_from(ends[1:])).filter(lambda pair: pair[0] != pair[1]),
            min_size=1,
            max_size=9,
        )
    )
    routes = [
        way(source, target, name=f"r{number}", cost=draw(st.sampled_from([1.0, 2.0, 5.0])))
        for number, (source, target) in enumerate(pairs)
    ]
    targets = draw(st.none() | st.lists(st.sampled_from("abcd"), min_size=1, unique=True).map(tuple))
    return basis(*routes, targets=targets)


@given(
    worlds(),
    st.dictionaries(
        st.sampled_from([f"r{number}" for number in range(9)]), st.sampled_from([untold, wrong, failed, absent])
    ),
    st.sampled_from([Status.OK, Status.UNAVAILABLE, Status.FAILED]),
)
def test_however_steps_end_the_run_ends_and_every_target_has_its_row(
    world: PlanBasis, ends: dict[str, Ends], source: Status
) -> None:
    """``run`` itself sees to it that no route is tried twice, and that no state is ever changed."""
    state, tried = run(world, ends, source)
    first = world.plan({})
    wanted = {step.target.name for step in first.steps if step.requested}
    assert wanted | {missing.target.name for missing in first.missing} <= set(state.rows)
    targets = {route.id: route.goal.name for route in world.routes}
    for name, row in state.rows.items():
        assert name == row.format.name
        assert [attempt.route for attempt in row.attempts] == [one for one in tried if targets[one] == name]
        if row.made_from and row.status in (Status.OK, Status.UNVERIFIED):
            assert state.rows[row.made_from].status in (Status.OK, Status.UNVERIFIED)
        if row.status in (Status.FAILED, Status.SKIPPED) and not row.live:
            assert row.failure is not None
