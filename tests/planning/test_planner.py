"""A plan is the cheapest way to every target, the same whatever the order of the routes, and says what is missing."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from textwrap import dedent

import attrs
import pytest
from hypothesis import given, strategies as st

from navcore.contract.formats import Format, Live
from navcore.contract.routes import Hook, Route
from navcore.errors import OptionError, UnknownFormat
from navcore.planning.plan import Plan, PlanSettings
from navcore.planning.planner import cheapest_paths, make_plan, unknown_target

LIVE = Format("live", live=Live(("m.Model",), lambda _v: None, lambda a, _d: a, lambda _m: ()))
ONNX = Format("onnx")
SCRIPT = Format("ts-script", family="ts")
TRACE = Format("ts-trace", family="ts")
ENGINE = Format("engine")
TINY = Format("tiny")
FORMATS = (ENGINE, LIVE, ONNX, SCRIPT, TINY, TRACE)


def way(
    source: Format | str, target: Format, owner: str = "p", *, name: str = "", cost: float = 1.0, default: bool = True
) -> Route:
    """A route of the plugin ``owner``, whose distribution is ``nav-<owner>`` 1.0."""
    hook: Hook = "export_model" if str(source) == "live" else "convert"
    return Route(
        name=name or f"{target}_from_{source}".replace("-", "_"), hook=hook, source=str(source), target=target,
        cost=cost, default=default, owner=owner, distribution=f"nav-{owner}", version="1.0",
    )  # fmt: skip


def runs(format: Format, runtime: str, owner: str = "p", *, cost: float = 1.0, default: bool = True) -> Route:
    return Route(
        name=f"run_{runtime}", hook="make_runner", source=format.name, runtime=runtime,
        cost=cost, default=default, owner=owner, distribution=f"nav-{owner}", version="1.0",
    )  # fmt: skip


EXPORT = way(LIVE, ONNX)
LADDER = way(LIVE, ONNX, name="onnx_by_another_way", cost=2.0)
BUILD = way(ONNX, ENGINE, "rt")
SCRIPTED = way(LIVE, SCRIPT)
TRACED = way(LIVE, TRACE)
ROUTES = (EXPORT, LADDER, BUILD, SCRIPTED, TRACED)


def planned(
    *targets: str,
    routes: tuple[Route, ...] = ROUTES,
    source: Format = LIVE,
    reasons: Mapping[str, str] | None = None,
    failed: Mapping[str, str] | None = None,
    kept: tuple[Format, ...] = (),
    prefer: Mapping[str, str] | None = None,
    runtimes: Mapping[str, tuple[str, ...]] | None = None,
) -> Plan:
    request = PlanSettings(targets or None, prefer or {}, runtimes or {})
    return make_plan(routes, FORMATS, source, request, reasons=reasons, failed=failed, kept=kept)


def ways(plan: Plan) -> list[str]:
    return [step.route.name for step in plan.steps]


def later_in(plan: Plan) -> dict[str, tuple[str, str]]:
    return {one.target.name: (one.source.name, one.needs) for one in plan.later}


def reasons_in(plan: Plan) -> dict[str, str]:
    return {missing.target.name: missing.reason for missing in plan.missing}


class TestTargets:
    def test_by_default_everything_that_can_be_reached(self) -> None:
        assert {step.target for step in planned().steps} == {ONNX, ENGINE, SCRIPT, TRACE}
        assert all(step.requested for step in planned().steps)

    def test_a_format_on_the_way_is_made_and_not_requested(self) -> None:
        plan = planned("engine")
        assert [(step.target, step.requested) for step in plan.steps] == [(ONNX, False), (ENGINE, True)]
        assert [step.requested for step in planned("engine", "onnx").steps] == [True, True]

    def test_a_family_means_all_of_its_variants(self) -> None:
        assert {step.target for step in planned("ts").steps} == {SCRIPT, TRACE}
        assert ways(planned("ts-trace")) == ["ts_trace_from_live"]
        assert ways(planned("ts-trace", "ts", "ts-trace")) == ["ts_trace_from_live", "ts_script_from_live"]

    def test_the_source_itself_is_there_already(self) -> None:
        assert planned("live") == planned("live", routes=ROUTES[::-1])
        assert planned("live").steps == ()
        assert planned("live").missing == ()
        assert planned("onnx", source=ONNX).missing == ()

    def test_a_file_is_a_source_too(self) -> None:
        assert ways(planned(source=ONNX)) == ["engine_from_onnx"]

    def test_a_route_that_starts_at_an_undeclared_format_is_no_trouble(self) -> None:
        stranger = way("nobody-declares-this", ENGINE, "odd")
        assert ways(planned("onnx", routes=(*ROUTES, stranger))) == ["onnx_from_live"]

    def test_a_kept_format_of_a_plugin_that_is_gone_can_be_built_on(self) -> None:
        gone = Format("gone")
        plan = make_plan((way("gone", ENGINE),), (ENGINE,), LIVE, PlanSettings(("engine",)), kept=(gone,))
        assert [(step.source, step.target) for step in plan.steps] == [(gone, ENGINE)]

    def test_a_kept_format_shortens_the_way_and_is_checked(self) -> None:
        plan = planned("engine", "onnx", kept=(ONNX,), routes=(*ROUTES, runs(ONNX, "cpu")))
        assert ways(plan) == ["engine_from_onnx"]
        assert [check.runtime for check in plan.checks_of(ONNX)] == ["cpu"]

    def test_without_its_exporters_a_loaded_package_goes_on_from_what_it_kept(self) -> None:
        plan = planned(routes=(BUILD,), kept=(ONNX,))
        assert ways(plan) == ["engine_from_onnx"]


class TestOptIn:
    OPT_IN = way(LIVE, TRACE, "opt", default=False)

    def test_it_is_not_planned_unless_asked_for(self) -> None:
        assert "ts-trace" not in {step.target.name for step in planned(routes=(EXPORT, self.OPT_IN)).steps}
        assert ways(planned("ts-trace", routes=(EXPORT, self.OPT_IN))) == ["ts_trace_from_live"]

    def test_it_is_no_shortcut_to_something_else(self) -> None:
        shortcut = way(TRACE, ENGINE, cost=0.0)
        assert ways(planned("engine", routes=(*ROUTES[:3], self.OPT_IN, shortcut))) == [
            "onnx_from_live",
            "engine_from_onnx",
        ]

    def test_what_can_be_made_from_nothing_else_brings_it_along(self) -> None:
        routes = (self.OPT_IN, way(TRACE, ENGINE))
        for plan in (planned("engine", routes=routes), planned(routes=routes)):
            assert ways(plan) == ["ts_trace_from_live", "engine_from_ts_trace"]
            assert [step.requested for step in plan.steps] == [False, True]
        assert [step.requested for step in planned("engine", "ts-trace", routes=routes).steps] == [True, True]

    def test_it_is_not_made_for_a_target_that_is_out_of_reach(self) -> None:
        build = way(TRACE, ENGINE)
        plan = planned(routes=(self.OPT_IN, build), failed={build.id: "it broke"})
        assert plan.steps == ()
        assert reasons_in(plan) == {"engine": "it broke"}

    def test_it_is_made_for_another_machine_only_where_that_could_not_make_it_itself(self) -> None:
        build = way(TRACE, ENGINE)
        plan = planned("engine", routes=(self.OPT_IN, build), reasons={build.id: "no CUDA device"})
        assert ways(plan) == ["ts_trace_from_live"]
        there = way(ONNX, TRACE, default=False)
        plan = planned("engine", routes=(EXPORT, there, build), reasons={build.id: "no CUDA device"})
        assert ways(plan) == ["onnx_from_live"]
        assert later_in(plan) == {"engine": ("onnx", "no CUDA device")}

    def test_an_alternative_that_is_opt_in_does_not_replace_a_failed_default(self) -> None:
        other = way(LIVE, ONNX, "other", default=False)
        plan = planned(routes=(EXPORT, other, BUILD), failed={EXPORT.id: "it broke"})
        assert plan.steps == ()
        assert reasons_in(plan) == {"engine": "onnx is not made: it broke", "onnx": "it broke"}

    def test_a_family_means_the_variants_that_are_made_by_default(self) -> None:
        rare = way(LIVE, TRACE, "opt", default=False)
        assert ways(planned("ts", routes=(SCRIPTED, rare))) == ["ts_script_from_live"]
        assert ways(planned("ts-trace", routes=(SCRIPTED, rare))) == ["ts_trace_from_live"]
        assert ways(planned("ts", routes=(rare,))) == ["ts_trace_from_live"]


class TestAlternatives:
    def test_the_cheapest_comes_first_and_the_next_when_it_failed(self) -> None:
        assert ways(planned("onnx")) == ["onnx_from_live"]
        assert ways(planned("onnx", failed={EXPORT.id: "it broke"})) == ["onnx_by_another_way"]
        plan = planned("onnx", failed={EXPORT.id: "it broke", LADDER.id: "it broke too"})
        assert reasons_in(plan) == {"onnx": "it broke; it broke too"}

    def test_without_a_stored_format_what_this_machine_lacks_is_lost(self) -> None:
        direct = way(LIVE, ENGINE)
        plan = planned("engine", routes=(direct, TRACED), reasons={direct.id: "no CUDA device"})
        assert plan.steps == ()
        assert reasons_in(plan) == {"engine": "no CUDA device"}

    def test_a_reason_on_the_way_names_what_is_not_made(self) -> None:
        plan = planned("engine", failed={EXPORT.id: "it broke", LADDER.id: "it broke too"})
        assert reasons_in(plan) == {"engine": "onnx is not made: it broke"}

    def test_what_is_made_another_way_is_not_what_is_missing(self) -> None:
        plan = planned("engine", "onnx", failed={EXPORT.id: "it broke"}, reasons={BUILD.id: "no CUDA device"})
        assert ways(plan) == ["onnx_by_another_way"]
        assert later_in(plan) == {"engine": ("onnx", "no CUDA device")}

    def test_by_default_too_what_is_out_of_reach_is_named(self) -> None:
        assert reasons_in(planned(failed={BUILD.id: "it broke"})) == {"engine": "it broke"}

    def test_nobody_makes_it_or_nobody_makes_what_it_is_made_from(self) -> None:
        assert reasons_in(planned("ts-trace", routes=(EXPORT,))) == {"ts-trace": "no installed plugin makes it"}
        assert reasons_in(planned("engine", routes=(BUILD,))) == {
            "engine": "it is made from onnx, which cannot be reached from live"
        }

    @pytest.mark.parametrize("routes", list(itertools.permutations([way(LIVE, ONNX, owner) for owner in "cab"])))
    def test_a_tie_is_broken_by_the_owners_name(self, routes: tuple[Route, ...]) -> None:
        assert [step.route.owner for step in planned("onnx", routes=routes).steps] == ["a"]

    def test_at_one_cost_fewer_steps_win(self) -> None:
        direct = way(LIVE, ENGINE, "z", cost=2.0)
        assert ways(planned("engine", routes=(*ROUTES, direct))) == ["engine_from_live"]


class TestLater:
    """What only this machine keeps from being made: another makes it of what is kept."""

    def test_what_it_is_made_from_is_made_though_nobody_asked_for_it(self) -> None:
        plan = planned("engine", reasons={BUILD.id: "no CUDA device"})
        assert ways(plan) == ["onnx_from_live"]
        assert [step.requested for step in plan.steps] == [False]
        assert later_in(plan) == {"engine": ("onnx", "no CUDA device")}
        assert plan.missing == ()

    def test_a_file_is_kept_itself(self) -> None:
        plan = planned("engine", source=ONNX, reasons={BUILD.id: "no CUDA device"})
        assert plan.steps == ()
        assert later_in(plan) == {"engine": ("onnx", "no CUDA device")}

    def test_it_starts_at_what_comes_nearest_and_tells_all_that_is_not_so_here(self) -> None:
        trace, build = way(ONNX, TRACE), way(TRACE, ENGINE)
        blocked = {trace.id: "no compiler", build.id: "no CUDA device"}
        plan = planned("engine", routes=(EXPORT, trace, build), reasons={build.id: "no CUDA device"})
        assert later_in(plan) == {"engine": ("ts-trace", "no CUDA device")}
        plan = planned("engine", routes=(EXPORT, trace, build), reasons=blocked)
        assert later_in(plan) == {"engine": ("onnx", "no compiler; no CUDA device")}

    def test_what_failed_here_is_not_put_off(self) -> None:
        plan = planned("engine", failed={EXPORT.id: "it broke", LADDER.id: "it broke too"}, reasons={BUILD.id: "none"})
        assert plan.later == ()
        assert reasons_in(plan) == {"engine": "onnx is not made: it broke; none"}


class TestPrefer:
    OTHER = way(LIVE, ONNX, "other", cost=9.0)
    ROUTES = (*ROUTES, OTHER)

    @pytest.mark.parametrize("owner", ["other", "nav-other"])
    def test_the_plugin_named_makes_it_whatever_it_costs(self, owner: str) -> None:
        plan = planned("engine", routes=self.ROUTES, prefer={"onnx": owner})
        assert plan.steps[0].route is self.OTHER

    def test_pinned_is_pinned_also_after_a_failure(self) -> None:
        plan = planned("onnx", routes=self.ROUTES, prefer={"onnx": "other"}, failed={self.OTHER.id: "it broke"})
        assert reasons_in(plan) == {"onnx": "it broke"}

    def test_a_family_is_pinned_where_the_plugin_makes_it(self) -> None:
        routes = (SCRIPTED, TRACED, way(LIVE, TRACE, "other", cost=5.0))
        plan = planned("ts", routes=routes, prefer={"ts": "other"})
        assert {step.target.name: step.route.owner for step in plan.steps} == {"ts-script": "p", "ts-trace": "other"}

    def test_the_exact_name_comes_before_the_family(self) -> None:
        routes = tuple(way(LIVE, made, owner) for made in (SCRIPT, TRACE) for owner in ("p", "other"))
        for prefer in ({"ts": "other", "ts-trace": "p"}, {"ts-trace": "p", "ts": "other"}):
            plan = planned("ts", routes=routes, prefer=prefer)
            assert {step.target.name: step.route.owner for step in plan.steps} == {
                "ts-script": "other",
                "ts-trace": "p",
            }

    def test_a_loaded_package_passes_over_what_it_was_once_asked_for(self) -> None:
        plan = planned(
            routes=(BUILD,), kept=(ONNX,), prefer={"onnx": "p", "gone": "q"}, runtimes={"gone": ("x",), "onnx": ("x",)}
        )
        assert ways(plan) == ["engine_from_onnx"]
        assert plan.checks == ()

    def test_a_plugin_that_does_not_make_it_is_refused(self) -> None:
        with pytest.raises(OptionError, match=r"rt does not make it\. It is made by: nav-other, nav-p\."):
            planned(routes=self.ROUTES, prefer={"onnx": "rt"})
        with pytest.raises(OptionError, match="It is made by: no installed plugin"):
            planned(prefer={"nonsense": "p"})


class TestRuntimes:
    CPU, GPU, RARE = runs(ONNX, "cpu"), runs(ONNX, "gpu", cost=2.0), runs(ONNX, "rare", default=False, cost=3.0)
    ROUTES = (*ROUTES, GPU, CPU, RARE)

    def checked(self, **options: object) -> list[tuple[str, str]]:
        plan = planned("onnx", routes=self.ROUTES, **options)  # type: ignore[arg-type]
        return [(check.runtime, check.reason) for check in plan.checks_of(ONNX)]

    def test_every_default_runtime_checks_and_a_missing_device_is_a_reason(self) -> None:
        assert self.checked() == [("cpu", ""), ("gpu", "")]
        assert self.checked(reasons={self.GPU.id: "no device"}) == [("cpu", ""), ("gpu", "no device")]

    def test_they_can_be_limited_and_then_the_rare_one_is_there(self) -> None:
        assert self.checked(runtimes={"onnx": ("rare", "cpu")}) == [("cpu", ""), ("rare", "")]
        assert self.checked(runtimes={"onnx": ()}) == []
        assert self.checked(runtimes={"ts": ()}) == [("cpu", ""), ("gpu", "")]

    def test_the_exact_name_comes_before_the_family(self) -> None:
        routes = (SCRIPTED, TRACED, *(runs(form, name, name) for form in (SCRIPT, TRACE) for name in ("a", "b")))
        plan = planned("ts", routes=routes, runtimes={"ts": ("a",), "ts-trace": ("b",)})
        assert [(check.format, check.runtime) for check in plan.checks] == [(SCRIPT, "a"), (TRACE, "b")]

    def test_a_runtime_that_nobody_brings_is_refused(self) -> None:
        with pytest.raises(
            OptionError, match=r"No installed plugin runs onnx in 'tpu'\. Runtimes for it: cpu, gpu, rare"
        ):
            self.checked(runtimes={"onnx": ("tpu",)})

    def test_a_runtime_is_refused_also_where_the_plan_does_not_make_the_format(self) -> None:
        with pytest.raises(OptionError, match=r"No installed plugin runs onnx in 'tpu'"):
            planned("ts-script", routes=(EXPORT, SCRIPTED, runs(ONNX, "cpu")), runtimes={"onnx": ("tpu",)})

    def test_a_limit_on_a_format_that_nobody_knows_is_refused(self) -> None:
        with pytest.raises(OptionError, match=r"runtimes\['onxx'\].*Did you mean 'onnx'\?"):
            self.checked(runtimes={"onxx": ("cpu",)})

    def test_of_two_plugins_for_one_runtime_the_cheaper_one_that_works_here_answers(self) -> None:
        cheap, dear = runs(ONNX, "cpu", "cheap"), runs(ONNX, "cpu", "dear", cost=2.0)
        routes = (EXPORT, dear, cheap)
        assert planned("onnx", routes=routes).checks[0].route is cheap
        assert planned("onnx", routes=routes, reasons={cheap.id: "broken"}).checks[0].route is dear
        both = planned("onnx", routes=routes, reasons={cheap.id: "broken", dear.id: "broken too"})
        assert [check.reason for check in both.checks] == ["broken"]

    def test_the_source_is_checked_in_its_own_runtime(self) -> None:
        plan = planned("onnx", routes=(EXPORT, runs(LIVE, "eager")))
        assert [(check.format, check.runtime) for check in plan.checks] == [(LIVE, "eager")]


class TestUnknownTargets:
    @pytest.mark.parametrize(
        ("target", "hint"),
        [
            ("onxn", "Did you mean 'onnx'?"),
            ("ts-scrip", "Did you mean 'ts-script'?"),
            ("openvino", "Install the plugin that brings it: pip install nav-openvino"),
            ("trt-fp16", "Install the plugin that brings it: pip install nav-trt"),
            ("qqq", "Known: engine, live, onnx, tiny, ts, ts-script, ts-trace. See 'navcore plugins'"),
        ],
    )
    def test_the_error_helps(self, target: str, hint: str) -> None:
        with pytest.raises(UnknownFormat) as caught:
            planned(target)
        assert str(caught.value).startswith(f"No installed plugin knows the target {target!r}. {hint}")

    @pytest.mark.parametrize(("target", "plugin"), [("trt", "nav-trt"), ("tf-savedmodel", "nav-tf")])
    def test_a_format_of_the_reference_page_is_out_of_reach_rather_than_unknown(self, target: str, plugin: str) -> None:
        plan = planned("onnx", target)
        assert ways(plan) == ["onnx_from_live"]
        assert list(reasons_in(plan)) == [target]
        assert f"pip install {plugin}" in reasons_in(plan)[target]

    def test_a_plugin_that_is_installed_is_not_recommended(self) -> None:
        known = ["torchscript-script", "torchscript-trace", "torchscript", "onnx"]
        assert "'torchscript-trace'" in unknown_target("torchscript-traced", known).hint
        assert "pip" not in unknown_target("torchscript-traced", known).hint
        assert "nav-trt" in unknown_target("trt", known).hint

    def test_with_nothing_installed_there_is_still_a_sentence(self) -> None:
        assert unknown_target("qqq", []).hint.startswith("Known: none.")


def test_a_plan_prints_itself() -> None:
    routes = (
        EXPORT, BUILD, TRACED, runs(LIVE, "eager"), runs(ONNX, "cpu", "ort"), runs(ONNX, "gpu", "ort-gpu", cost=2.0),
    )  # fmt: skip
    tiny = way(ONNX, TINY)
    plan = planned(
        "engine", "ts-trace", "ts-script", "tiny", routes=(*routes, tiny),
        reasons={runs(ONNX, "gpu", "ort-gpu").id: "no device", tiny.id: "no compiler"},
    )  # fmt: skip
    assert str(plan) == dedent("""\
        source  live (live)  run by eager
        make    onnx         from live by onnx_from_live (nav-p 1.0), on the way
                             checked by cpu, gpu (unavailable: no device)
        make    engine       from onnx by engine_from_onnx (nav-rt 1.0)
                             checked by no installed runtime
        make    ts-trace     from live by ts_trace_from_live (nav-p 1.0)
                             checked by no installed runtime
        later   tiny         from onnx, elsewhere: no compiler
        not     ts-script    no installed plugin makes it""")


def test_an_empty_plan_prints_itself() -> None:
    assert str(planned(routes=(), source=ONNX)) == "source  onnx (file)  run by no installed runtime"


# Random graphs: eight formats, up to fourteen routes of three plugins, costs with many ties.

NODES = tuple(Format(f"f{number}", family=f"family{number % 3}") for number in range(8))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Route, ...]:
    edges = st.tuples(
        st.sampled_from(NODES),
        st.sampled_from(NODES),
        st.sampled_from("abc"),
        st.sampled_from([0.0, 0.1, 0.2, 1.0, 3.0]),
    )
    return tuple(
        way(source, target, owner, name=f"r{number}", cost=cost, default=draw(st.booleans()))
        for number, (source, target, owner, cost) in enumerate(draw(st.lists(edges, max_size=14)))
    )


some_targets = st.one_of(
    st.none(), st.lists(st.sampled_from([*(node.name for node in NODES), "family1"]), max_size=4).map(tuple)
)


@given(graphs(), some_targets, st.data())
def test_every_step_starts_at_what_is_there(
    routes: tuple[Route, ...], targets: tuple[str, ...] | None, data: st.DataObject
) -> None:
    kept = data.draw(st.lists(st.sampled_from(NODES[1:]), unique=True, max_size=2))
    plan = make_plan(routes, NODES, NODES[0], PlanSettings(targets), kept=kept)
    there = {NODES[0], *kept}
    for step in plan.steps:
        assert step.source in there
        assert step.target not in there
        assert (step.route.source, step.route.goal) == (step.source.name, step.target)
        there.add(step.target)
    assert all(missing.target not in there and missing.reason for missing in plan.missing)
    needed = {step.source for step in plan.steps}
    assert all(step.requested or step.target in needed for step in plan.steps), "nothing is made for nobody"


@given(graphs(), some_targets, st.data())
def test_the_order_of_the_routes_never_changes_the_plan(
    routes: tuple[Route, ...], targets: tuple[str, ...] | None, data: st.DataObject
) -> None:
    failed = {route.id: f"{route.id} broke" for route in routes if data.draw(st.booleans())}
    shuffled = data.draw(st.permutations(routes))
    plan = make_plan(routes, NODES, NODES[0], PlanSettings(targets), failed=failed)
    again = make_plan(shuffled, NODES, NODES[0], PlanSettings(targets), failed=failed)
    assert again == plan
    assert str(again) == str(plan)


def _all_ways(routes: tuple[Route, ...], goal: Format) -> list[float]:
    """The cost of every way from the first node to the goal, by trying all of them."""
    found = []

    def walk(here: str, cost: float, seen: frozenset[str]) -> None:
        if here == goal.name:
            found.append(cost)
            return
        for route in routes:
            if route.source == here and route.goal.name not in seen:
                walk(route.goal.name, cost + route.cost, seen | {here})

    walk(NODES[0].name, 0.0, frozenset())
    return found


@given(graphs())
def test_the_way_is_the_cheapest_there_is(routes: tuple[Route, ...]) -> None:
    paths = cheapest_paths(routes, [NODES[0].name])
    for node in NODES[1:]:
        costs = _all_ways(routes, node)
        assert bool(costs) == (node.name in paths)
        if costs:
            assert sum(route.cost for route in paths[node.name]) == pytest.approx(min(costs))


@given(graphs(), st.sampled_from([node.name for node in NODES[1:]]))
def test_replanning_ends_with_the_target_or_with_every_reason_told(routes: tuple[Route, ...], target: str) -> None:
    routes = tuple(attrs.evolve(route, default=True) for route in routes)
    failed: dict[str, str] = {}
    while True:
        plan = make_plan(routes, NODES, NODES[0], PlanSettings((target,)), failed=failed)
        if not plan.steps:
            break
        assert failed.keys().isdisjoint(step.route.id for step in plan.steps)
        failed[plan.steps[-1].route.id] = f"{plan.steps[-1].route.id} broke"  # what makes the target itself
    assert list(reasons_in(plan)) == [target]
    assert all(reason in reasons_in(plan)[target] for reason in failed.values())
