"""The check of further models: what the plugin makes and runs of them, as a user's run has it."""

from __future__ import annotations

from navcore.contract import Effort, Name
from navcore.planning import cheapest_paths
from navcore.testing.ground import Ground
from navcore.testing.telling import agrees
from navcore.testing.verdicts import NotHere, NotMet
from navcore.workspace import FormatResult, Status

_ABRUPT = ("crash", "killed", "timeout", "memory", "no-result")


def further_models_are_right(ground: Ground, owner: str, model: str) -> None:
    """Every format that the plugin makes in a quick run, or runs, is right for this model too, or is refused in words.

    The models are those of ``conformance_models()``: the plugin's own, or else of the plugin from whose models its
    formats are nearest. Of its own it has to take each. A model of somebody else may be refused with an exception,
    which is then the reason why the case is skipped; a wrong answer, a crash and a step that does not end are not.

    If this fails: the reason names the output and the difference, as a user's table does. What the format cannot hold
    (a type, a structure, an axis that moves) is refused with ``navcore.Unavailable`` or an exception that says so.
    """
    plugin = ground.plugin
    offer = ground.offers.named(owner, model)
    edges = [route for route in ground.registry.routes if route.target and not ground.registry.unavailable(route)]
    reached = cheapest_paths(edges, [offer.source.format.name])
    own = {route.goal.name for route in plugin.routes if route.target is not None and route.is_within(Effort.QUICK)}
    by_request = {route.goal.name for route in plugin.routes if route.target is not None} - own
    own |= {Name(route.source) for route in plugin.routes if route.hook == "make_runner"} - by_request
    targets = sorted(own.intersection(reached))
    if not targets:
        raise NotHere(f"nothing that the plugin makes or runs is made of a {offer.source.format.name} here")
    makers = {route.id for route in plugin.routes}
    runtimes: dict[str, tuple[str, ...]] = {name: () for name in reached if name not in targets}
    for route in plugin.routes:
        if route.hook == "make_runner" and route.source in targets and route.is_within(Effort.QUICK):
            runtimes[route.source] = (*runtimes.get(route.source, ()), route.runtime)
    package = ground.run(offer, targets, runtimes=runtimes)
    rows = [row for row in package.results if row.format.name in targets and not row.live]
    wrong = [(row, told) for row in rows if (told := _what_is_wrong(row, owner == ground.name, makers))]
    if wrong:
        about = tuple(
            agrees(row.route, ground.registry.route(one.route))
            for row, _ in wrong
            for one in row.runtimes
            if one.status == Status.FAILED and one.route
        ) + tuple(f"made {one.route}" for row, _ in wrong if row.path is None for one in row.attempts)
        raise NotMet("; ".join(dict.fromkeys(told for _, told in wrong)), about=about)
    if not any(row.status == Status.OK for row in rows):
        raise NotHere("; ".join(dict.fromkeys(_reason(row) for row in rows)))


def _what_is_wrong(row: FormatResult, is_own: bool, makers: set[str]) -> str:
    """What a row says against the plugin, or "": to refuse a model of somebody else in words is nothing against it."""
    if row.status != Status.FAILED:
        return ""
    failure = row.failure or next((one.failure for one in row.runtimes if one.failure is not None), None)
    if row.path is None and not any(one.route in makers for one in row.attempts):
        return ""
    judged = any(one.verification is not None and one.verification.status == Status.FAILED for one in row.runtimes)
    if is_own or judged or failure is None or failure.category in _ABRUPT:
        return failure.cause if failure is not None else f"{row.format.name} failed, and gave no reason"
    return ""


def _reason(row: FormatResult) -> str:
    return f"{row.format.name}: {row.failure.cause if row.failure else row.status}"
