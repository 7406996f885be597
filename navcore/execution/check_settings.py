"""What a check is asked for, by the settings of its run, and the keys under which its two parts are remembered."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from navcore.contract import Artifact, Route, resolve_batch_sizes
from navcore.evaluation import MEAN_RUNS, Doubling, MeasureSettings, VerifySettings
from navcore.execution.memory_watch import room_for_one
from navcore.execution.run_context import RunContext
from navcore.execution.step import StepLimits
from navcore.execution.step_children import executor_failed
from navcore.execution.threads import most_threads, thread_counts
from navcore.planning import Check
from navcore.workspace import digest, hardware_key, to_data, versions_behind


def verify_settings(context: RunContext, artifact: Artifact, route: Route) -> VerifySettings:
    """How the artifact's outputs, of the route's runtime, are held against the source's."""
    settings, spot = context.settings, route.spot_check
    return VerifySettings(
        artifact.format.precision,
        dict(context.samples.noise),
        settings.atol,
        settings.rtol,
        runs=max(1, min(context.samples.runs, MEAN_RUNS)),
        stateful=context.samples.stateful,
        at_most=None if spot is None else spot.comparisons,
    )


def measure_settings(context: RunContext, artifact: Artifact, planned: Check) -> MeasureSettings | None:
    """What is measured of the artifact by windows; ``None`` where nothing is, and for a spot check."""
    windows = context.settings.windows
    if windows is None or planned.route.spot_check is not None:
        return None
    doubling = doubling_of(context, artifact) if context.settings.doubles else None
    comparing = None
    if doubling is not None and artifact.path is not None and not doubling.unlike:
        comparing = verify_settings(context, artifact, planned.route)
    return MeasureSettings(windows, measured_sizes(context), profiler_route(context).id, doubling, comparing)


def measured_sizes(context: RunContext) -> tuple[int, ...]:
    """The batch sizes that are measured, ``(-1,)`` for a model that does not batch; where it is doubled, the first."""
    settings = context.settings
    if settings.doubles:
        return (doubling_of(context).smallest,)
    return resolve_batch_sizes(
        settings.measuring, batch_dim=settings.batch_dim, dataloader_batch=context.samples.batch_size
    )


def doubling_of(context: RunContext, artifact: Artifact | None = None) -> Doubling:
    """From where the artifact's batch is doubled and, where the user gave it a range, how far."""
    signature = context.samples.signature
    axis = next((one for one in signature.axes if one.symbol == signature.batch_symbol), None)
    if axis is None:
        return Doubling()
    given = context.settings.axis_ranges or {}
    batched = {spec.name: signature.batch_axis(spec) for spec in signature.inputs}
    declared = signature.batch_symbol in given or any(
        isinstance(ranges, Mapping) and name in batched and batched[name] in ranges for name, ranges in given.items()
    )
    smallest = max(1, axis.minimum)
    unlike = "" if artifact is None or artifact.path is None else incomparable(context)
    if not declared:
        return Doubling(smallest, unlike=unlike)
    return Doubling(smallest, max(smallest, axis.maximum), True, unlike)


def incomparable(context: RunContext, *, stacked: bool = True) -> str:
    """Why a call cannot be held against another of the same sample, where ``stacked`` of it many times; or nothing."""
    samples = context.samples
    if samples.stateful:
        return "the source remembers from call to call"
    if samples.runs > 1:
        return "the source draws random numbers"
    if not stacked:
        return ""
    if not samples.rows_independent:
        return "the samples of a batch are not known to be independent of each other"
    if not all(samples.signature.has_batch(spec) for spec in samples.signature.outputs):
        return "an output has no batch axis"
    return ""


def check_limits(context: RunContext, planned: Check) -> StepLimits:
    """The limits of the run, or the shorter time of a spot check; a batch that is doubled may not take all memory."""
    limits, spot = context.limits, planned.route.spot_check
    if spot is None:
        doubled = context.settings.doubles and context.settings.windows is not None and context.executor is None
        room = room_for_one() if doubled else None
        return limits if room is None else attrs.evolve(limits, memory_limit=min(room, limits.memory_limit or room))
    return attrs.evolve(limits, timeout=min(spot.seconds, limits.timeout or spot.seconds))


def verified_key(context: RunContext, artifact_key: str, planned: Check, verifying: VerifySettings) -> str:
    """Under which a verdict is remembered: what was run, on what, and against what it was held."""
    return digest("verified", run_key(context, artifact_key, planned.route), to_data(verifying))


def measured_key(
    context: RunContext, artifact_key: str, planned: Check, measuring: MeasureSettings, hardware: str
) -> str:
    """Under which a measurement is remembered: what was run, what was measured, by what, and on which machine."""
    versions = dict(versions_behind(context.registry.route(measuring.profiler)))
    run = run_key(context, artifact_key, planned.route)
    return digest("measured", run, thread_counts(context.settings.threads), to_data(measuring), versions, hardware)


def hardware_of(context: RunContext) -> str:
    """What a measurement would be made on: this machine, or whichever the user's executor gives a step to."""
    if context.executor is None:
        return hardware_key()
    try:
        return str(context.executor.submit(hardware_key).result())
    except Exception as error:
        raise executor_failed(error) from error


def profiler_route(context: RunContext) -> Route:
    """The profiler route that the settings name."""
    return next(
        route
        for route in context.registry.routes
        if route.hook == "profile" and context.settings.profiler in (route.owner, route.distribution)
    )


def run_key(context: RunContext, artifact_key: str, route: Route) -> str:
    """What was run: an artifact, by its recipe, in the runtime of a route."""
    versions = dict(versions_behind(route))
    return digest(
        artifact_key,
        route.id,
        versions,
        context.options_key(route),
        most_threads(context.settings.threads),
        context.device,
    )
