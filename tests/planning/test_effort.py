"""How much a run does unasked: each route says from which effort on, and whoever names a thing has it at any."""

from __future__ import annotations

from typing import Any

import pytest

from navcore.contract.effort import Effort
from navcore.contract.formats import Format, Live
from navcore.contract.routes import Route, usual_variants
from navcore.errors import InputError, OptionError
from navcore.planning.arguments import settled
from navcore.planning.asked import Asked
from navcore.planning.package_arguments import settled_for_package
from navcore.planning.plan import Plan, PlanSettings
from navcore.planning.planner import make_plan
from navcore.planning.recorded import effort_here, obeyed
from navcore.registry import load_registry
from navcore.workspace import Settings

LIVE = Format("live", live=Live(("m.Model",), lambda _v: None, lambda a, _d: a, lambda _m: ()))
FILE, FUSED, INT8, RARE = Format("file", family="f"), Format("fused", family="f"), Format("int8"), Format("rare")
FORMATS = (FILE, FUSED, INT8, LIVE, RARE)
NORMAL, THOROUGH = {"effort": "normal"}, {"effort": "thorough"}


def makes(source: Format, target: Format, **declared: Any) -> Route:
    hook: Any = "export_model" if source.live else "convert"
    return Route(hook=hook, source=source.name, target=target, owner="p", **declared)


def runs(format: Format, runtime: str, **declared: Any) -> Route:
    return Route(hook="make_runner", source=format.name, runtime=runtime, owner="p", **declared)


ROUTES = (
    makes(LIVE, FILE),
    makes(FILE, FUSED, **NORMAL),
    makes(FILE, INT8, **THOROUGH),
    makes(FILE, RARE, default=False),
    runs(LIVE, "eager"),
    runs(LIVE, "compiled", **NORMAL),
    runs(FILE, "cpu"),
    runs(FILE, "cpu-bf16", **NORMAL),
    runs(FILE, "cpu-throughput", **THOROUGH),
    runs(FUSED, "cpu"),
    runs(INT8, "cpu"),
    runs(RARE, "cpu-throughput", **THOROUGH),
)


def planned(effort: Effort, *targets: str, routes: tuple[Route, ...] = ROUTES, **more: Any) -> Plan:
    return make_plan(routes, FORMATS, LIVE, PlanSettings(targets or None, effort=effort, **more))


def made(plan: Plan) -> list[str]:
    return sorted(step.target.name for step in plan.steps)


def checked(plan: Plan, format: Format) -> list[str]:
    return [one.runtime for one in plan.checks_of(format)]


def test_each_word_takes_in_those_before_it() -> None:
    assert [[one.covers(other) for other in Effort] for one in Effort] == [
        [True, False, False], [True, True, False], [True, True, True]
    ]  # fmt: skip


def test_what_is_made_and_run_unasked() -> None:
    assert made(planned(Effort.QUICK)) == ["file"]
    assert made(planned(Effort.NORMAL)) == ["file", "fused"]
    assert made(planned(Effort.THOROUGH)) == ["file", "fused", "int8"]
    assert [checked(planned(effort), FILE) for effort in Effort] == [
        ["cpu"], ["cpu", "cpu-bf16"], ["cpu", "cpu-bf16", "cpu-throughput"]
    ]  # fmt: skip
    assert [checked(planned(effort), LIVE) for effort in Effort] == [["eager"], *[["compiled", "eager"]] * 2]


@pytest.mark.parametrize("effort", Effort)
def test_what_is_named_is_made_at_any_effort(effort: Effort) -> None:
    assert made(planned(effort, "int8")) == ["file", "int8"]
    assert made(planned(effort, "rare")) == ["file", "rare"]


def test_what_nobody_asked_for_is_checked_in_the_quick_runtimes_alone() -> None:
    plan = planned(Effort.THOROUGH, "int8")
    assert (checked(plan, LIVE), checked(plan, FILE)) == (["eager"], ["cpu"])
    plan = planned(Effort.THOROUGH, "int8", "live", "file")
    assert (checked(plan, LIVE), len(checked(plan, FILE))) == (["compiled", "eager"], 3)


def test_a_format_that_only_more_effort_runs_is_run_all_the_same() -> None:
    assert checked(planned(Effort.QUICK, "rare"), RARE) == ["cpu-throughput"]


def test_a_runtime_that_is_named_runs_at_any_effort() -> None:
    assert checked(planned(Effort.QUICK, runtimes={"file": ("cpu-throughput",)}), FILE) == ["cpu-throughput"]


def test_a_family_means_what_is_made_within_the_effort() -> None:
    assert made(planned(Effort.QUICK, "f")) == ["file"]
    assert made(planned(Effort.NORMAL, "f")) == ["file", "fused"]
    assert usual_variants((INT8,), ROUTES) == (INT8,)  # none of it within: all of it


def test_on_the_way_to_another_target_a_format_is_made_at_any_effort() -> None:
    engine = Format("engine")
    routes = (*ROUTES, makes(INT8, engine))
    plan = make_plan(routes, (*FORMATS, engine), LIVE, PlanSettings(("engine",), effort=Effort.QUICK))
    assert [(step.target.name, step.requested) for step in plan.steps] == [
        ("file", False), ("int8", False), ("engine", True)
    ]  # fmt: skip


def test_kept_formats_of_a_package_are_asked_for() -> None:
    request = PlanSettings(("fused",), effort=Effort.NORMAL)
    assert checked(make_plan(ROUTES, FORMATS, LIVE, request, kept=(FILE,)), FILE) == ["cpu", "cpu-bf16"]


def test_the_argument_is_one_of_three_words() -> None:
    assert settled("run", {})[0].effort is Effort.NORMAL
    assert settled("run", {"effort": "quick"})[0].effort is Effort.QUICK
    assert settled_for_package(effort=None)["effort"] is None
    for wrong in ("fast", "", None, 1, b"quick"):
        with pytest.raises(OptionError, match="has to be one of 'quick', 'normal', 'thorough'"):
            settled("run", {"effort": wrong})
    with pytest.raises(InputError):
        settled_for_package(effort="fast")


class TestOfAPackage:
    @pytest.mark.parametrize("recorded", Effort)
    def test_a_stranger_may_ask_for_less_than_usual_and_not_for_more(self, toy: Any, recorded: Effort) -> None:
        here = obeyed(Settings(effort=recorded), load_registry(), trust=False, weights=0)
        assert here.settings.effort == min(recorded, Effort.NORMAL, key=list(Effort).index)
        assert ("effort thorough" in here.set_aside) == (recorded is Effort.THOROUGH)
        assert effort_here(Settings(effort=recorded), trust=True) is recorded

    @pytest.mark.parametrize("trust", [True, False])
    def test_the_users_own_word_comes_first(self, toy: Any, trust: bool) -> None:
        asked = Asked(effort=Effort.THOROUGH)
        here = obeyed(Settings(effort=Effort.QUICK), load_registry(), trust=trust, weights=0, asked=asked)
        assert (here.settings.effort, here.set_aside) == (Effort.THOROUGH, ())
        stranger = Settings(effort=Effort.THOROUGH)
        here = obeyed(stranger, load_registry(), trust=trust, weights=0, asked=Asked(effort=Effort.QUICK))
        assert (here.settings.effort, here.set_aside) == (Effort.QUICK, ())
