"""The checks of the conformance kit, by what they are about; the docstring of each says what to do when it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from navcore.contract import Hook, Route
from navcore.registry import Plugin
from navcore.testing.checks.declarations import (
    imports_light,
    imports_silently,
    names_are_its_own,
    options_are_frozen,
    options_survive_the_trip,
    probe_answers,
    routes_are_the_same_in_a_child,
    wrong_options_are_refused,
)
from navcore.testing.checks.drop_ins import drop_in_answers_as_the_source, drop_ins_of
from navcore.testing.checks.extensions import (
    command_answers,
    commands_of,
    metric_gives_a_number,
    metrics_of,
    strategies_of,
    strategy_chooses,
)
from navcore.testing.checks.isolation import crash_is_contained, failure_names_the_plugin
from navcore.testing.checks.measuring import window_is_measured
from navcore.testing.checks.models import further_models_are_right
from navcore.testing.checks.products import (
    nothing_else_is_written,
    output_is_made,
    product_agrees_with_the_source,
    source_is_left_alone,
)
from navcore.testing.checks.runners import (
    batches_of_one_and_three,
    closes,
    declared_outputs_are_returned,
    opens_as_a_source,
    runner_agrees_with_the_source,
    used_twice,
)
from navcore.testing.ground import Ground

__all__ = [
    "batches_of_one_and_three",
    "closes",
    "command_answers",
    "crash_is_contained",
    "declared_outputs_are_returned",
    "drop_in_answers_as_the_source",
    "failure_names_the_plugin",
    "further_models_are_right",
    "imports_light",
    "imports_silently",
    "metric_gives_a_number",
    "names_are_its_own",
    "nothing_else_is_written",
    "opens_as_a_source",
    "options_are_frozen",
    "options_survive_the_trip",
    "output_is_made",
    "probe_answers",
    "product_agrees_with_the_source",
    "routes_are_the_same_in_a_child",
    "runner_agrees_with_the_source",
    "source_is_left_alone",
    "strategy_chooses",
    "used_twice",
    "window_is_measured",
    "wrong_options_are_refused",
]
"""What ``help(navcore.testing.checks)`` shows."""

PluginCheck = Callable[[Ground], None]
RouteCheck = Callable[[Ground, Route], None]
ModelCheck = Callable[[Ground, str, str], None]
NamedCheck = Callable[[Ground, str], None]

PLUGIN_CHECKS: tuple[PluginCheck, ...] = (
    imports_light,
    imports_silently,
    names_are_its_own,
    routes_are_the_same_in_a_child,
)

MODEL_CHECKS: tuple[ModelCheck, ...] = (further_models_are_right,)
"""Of further models, each with the name of the plugin that offers it and its own."""

EXTENSION_CHECKS: tuple[tuple[NamedCheck, Callable[[Plugin], tuple[str, ...]]], ...] = (
    (command_answers, commands_of),
    (strategy_chooses, strategies_of),
    (metric_gives_a_number, metrics_of),
    (drop_in_answers_as_the_source, drop_ins_of),
)
"""Of what a plugin brings beside routes, each with the function that finds the names of it."""

_DECLARED: tuple[RouteCheck, ...] = (probe_answers,)
_OPTIONS: tuple[RouteCheck, ...] = (options_are_frozen, options_survive_the_trip, wrong_options_are_refused)
_MADE: tuple[RouteCheck, ...] = (
    output_is_made,
    nothing_else_is_written,
    source_is_left_alone,
    product_agrees_with_the_source,
    failure_names_the_plugin,
    crash_is_contained,
)
_RUN: tuple[RouteCheck, ...] = (declared_outputs_are_returned, batches_of_one_and_three, used_twice, closes)
_RUN_STORED: tuple[RouteCheck, ...] = (
    runner_agrees_with_the_source,
    failure_names_the_plugin,
    crash_is_contained,
)
_RUN_ON_DISK: tuple[RouteCheck, ...] = (opens_as_a_source,)
_BY_HOOK: Mapping[Hook, tuple[RouteCheck, ...]] = {
    "export_model": _MADE,
    "convert": _MADE,
    "make_runner": _RUN,
    "profile": (window_is_measured,),
}
CHECK_NAMES = tuple(
    dict.fromkeys(
        check.__name__
        for checks in (
            *(PLUGIN_CHECKS, _DECLARED, _OPTIONS, _MADE, _RUN, _RUN_STORED, _RUN_ON_DISK),
            *(_BY_HOOK["profile"], MODEL_CHECKS, [check for check, _ in EXTENSION_CHECKS]),
        )
        for check in checks
    )
)


def checks_of(route: Route, *, live: bool, on_disk: bool) -> tuple[RouteCheck, ...]:
    """The checks that follow from a declared route.

    ``live`` says that it starts from a live model, ``on_disk`` that files of its source are recognised as such.
    """
    runs = route.hook == "make_runner"
    return (
        *(_DECLARED if route.available is not None else ()),
        *(_OPTIONS if route.options is not None else ()),
        *_BY_HOOK[route.hook],
        *(_RUN_STORED if runs and not live else ()),
        *(_RUN_ON_DISK if runs and on_disk else ()),
    )
