"""The verbs: run, plan, load, save, profile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from navcore.contract import REFERENCE_FORMATS, Format, ProfilerConfig, matching, resolve_batch_sizes
from navcore.errors import InputError, OptionError, Unavailable
from navcore.planning import (
    Asked,
    Limits,
    Measuring,
    Plan,
    PlanSettings,
    Source,
    estimate,
    for_package,
    identify,
    is_package,
    make_plan,
    own_data,
    settled,
    settled_for_package,
    takes_run_arguments,
    unknown_here,
)
from navcore.registry import Registry, load_registry, resolve_options
from navcore.workspace import (
    Event,
    Settings,
    Stage,
    Surroundings,
    announce,
    forgiving,
    refuse_bounds_without_metric,
    seen,
    shown,
    workspace_path,
)

if TYPE_CHECKING:
    from navcore.execution import MetricsAsked
    from navcore.package import PackageDescriptor, SignedBy
    from navcore.workspace import Device, Metric, Names, Observer, RunArguments


@takes_run_arguments
def run(model: Any, dataloader: Any = None, **arguments: Unpack[RunArguments]) -> PackageDescriptor:
    """Export ``model`` to every target, prove each result on ``dataloader``, measure each, and keep it all.

    Args:
        model: a live model of an installed framework plugin, or the path of a model file. A ``.nav`` file is gone on
            with as :func:`load` does, on its own samples and without trust, with the arguments that ``load`` takes too.
        dataloader: has ``len()`` and can be iterated several times, always in the same order. An item is a tensor, a
            sequence of tensors (positional arguments) or a mapping (keyword arguments), nested as the model wants it;
            arrays have the batch along ``batch_dim``. ``None`` asks the model for its own data, names and axes.

    Returns:
        The package: what was made, with every verdict and measurement.

    Raises:
        InputError: the model, the dataloader or an argument cannot be used; the sentence says which and why.
        WorkspaceError: the workspace is in use, not ours, or cannot be written.

    A format that cannot be made, or does not verify, raises nothing: its row says why.
    """
    from navcore.execution import run_model
    from navcore.package import PackageDescriptor

    settings, around = settled("run", arguments)
    if is_package(model):
        if dataloader is not None:
            raise InputError(
                f"{model} is a package, which brings its own samples: a dataloader cannot be given with it.",
                hint="Load it without one; navcore.load(...).evaluate(metrics, dataset) runs metrics on other data.",
            )
        return load(model, **for_package(arguments))
    registry = load_registry()
    source = identify(model, registry)
    planned = _estimated(_validated_plan(settings, source, registry), settings, around)
    with own_data(source, dataloader, settings) as (source, dataloader, settings), _observed_by(around.progress):
        _announce_time(planned, forgiving(around.progress))
        record, workspace = run_model(
            source, dataloader, settings, registry,
            workdir=around.workdir, override=around.override_workdir, executor=around.executor,
            observer=forgiving(around.progress),
            metrics=_metrics_asked(around.metrics, around.metrics_data, around.verified_when, dataloader),
        )  # fmt: skip
    return PackageDescriptor(workspace, record, registry, source)


def _metrics_asked(
    metrics: Mapping[str, Metric] | None, data: Any, bounds: Mapping[str, float] | None, usual: Any = None
) -> MetricsAsked | None:
    """The user's metrics with the data for them, ``usual`` where none were given; ``None`` without any metric."""
    from navcore.execution import MetricsAsked

    refuse_bounds_without_metric(metrics or {}, bounds or {})
    if metrics is None:
        if data is not None:
            raise OptionError(
                "metrics_data is what metrics are computed on, and there are none.", hint="Give metrics={name: fn}."
            )
        return None
    return MetricsAsked(metrics, usual if data is None else data, bounds or {})


@takes_run_arguments
def plan(model: Any, dataloader: Any = None, **arguments: Unpack[RunArguments]) -> Plan:
    """What :func:`run` would do with the same arguments, without doing it: ``print`` the result.

    Args:
        model: what :func:`run` takes, or a :class:`Format` or the name of one, to plan without a model.
        dataloader: is not read.

    Raises what :func:`run` raises for its arguments.
    """
    del dataloader  # the same call with another verb has to work
    settings, around = settled("plan", arguments)
    if is_package(model):
        raise OptionError(
            f"{model} is a package, and what is made of it is planned from its content.",
            hint="navcore.load(path) goes on with it, and navcore.run(path) does the same.",
        )
    registry = load_registry()
    return _estimated(_validated_plan(settings, _planned_source(model, registry), registry), settings, around)


def _estimated(planned: Plan, settings: Settings, around: Surroundings) -> Plan:
    """The plan with how long it will take, by what is remembered in the workdir."""
    import attrs

    from navcore.execution import processors

    times = seen(workspace_path(around.workdir, settings.model_name))
    return attrs.evolve(planned, estimate=estimate(planned, settings, times, processors=processors()))


def _announce_time(planned: Plan, observer: Observer | None) -> None:
    found = planned.estimate
    assert found is not None, "a plan of a run has its time"
    announce(observer, Event(Stage.ESTIMATE, "run", f"{found} {planned.announced()}", seconds=found.seconds))


def _planned_source(model: Any, registry: Registry) -> Source:
    names: dict[str, Format] = {format.name: format for format in registry.formats}
    if isinstance(model, Format | str) and str(model) in names:
        return Source(names[str(model)])
    return identify(model, registry)


def _validated_plan(settings: Settings, source: Source, registry: Registry) -> Plan:
    """Refuse what can be refused before any work: options, targets, runtimes, preferences, the profiler."""
    resolve_options(settings.options, registry.routes, registry.formats)
    reasons = {route.id: reason for route in registry.routes if (reason := registry.unavailable(route))}
    resolve_batch_sizes(settings.measuring, batch_dim=settings.batch_dim, dataloader_batch=1)
    profilers = {route.owner: route for route in registry.routes if route.hook == "profile"}
    if settings.profiler not in profilers:
        raise OptionError(
            f"No installed plugin named {settings.profiler!r} measures.", hint=f"Profilers: {', '.join(profilers)}."
        )
    if why_not := reasons.get(profilers[settings.profiler].id):
        raise Unavailable(f"The profiler {settings.profiler!r} cannot be used here: {why_not}")
    request = PlanSettings(settings.targets, settings.prefer, settings.runtimes, settings.effort)
    for target in settings.targets or ():
        if not (matching(target, registry.formats) or matching(target, REFERENCE_FORMATS)):
            raise unknown_here(target, registry)
    return make_plan(registry.routes, registry.formats, source.format, request, reasons=reasons)


def save(
    package_descriptor: PackageDescriptor,
    path: Path | str,
    keep_workdir: bool = True,
    override: bool = False,
    save_data: bool = True,
    *,
    compact: bool = False,
) -> None:
    """Pack the results into one ``.nav`` file at ``path``, whole or not at all.

    Args:
        package_descriptor: what :func:`run` or :func:`load` returned.
        path: the file to write.
        keep_workdir: ``False`` deletes the workspace afterwards (only this one, and only because navcore made it).
        override: replace an existing file; it stays intact until the new one is complete.
        save_data: ``False`` leaves the samples out; the correctness test cannot be repeated from such a package.
        compact: hold weights once that several formats have byte for byte, where the formats say where their tensors
            lie. Such a package is smaller, and only navcore can unpack it; what comes out is the same to the byte.

    Raises:
        PackageExists: the file exists and ``override`` was not given.
        PackageIncomplete: no format is ok, or the workspace is gone.
    """
    _own(package_descriptor).save(
        path, keep_workdir=keep_workdir, override=override, save_data=save_data, compact=compact
    )


def load(
    path: Path | str,
    workdir: Path | str | None = None,
    override_workdir: bool = False,
    retest_conversions: bool = True,
    run_profiling: bool | None = None,
    profiler_config: ProfilerConfig | None = None,
    *,
    trust: bool | SignedBy = False,
    targets: Names = None,
    effort: str | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    runtimes: Mapping[str, Names] | None = None,
    device: str | Device | None = None,
    batch_sizes: Iterable[int] | str | None = None,
    ranking: bool = True,
    budget: float = 90.0,
    callers: int | None = None,
    timeout: float | None = None,
    memory_limit: int | None = None,
    executor: Executor | None = None,
    metrics: Mapping[str, Metric] | Metric | None = None,
    metrics_data: Any = None,
    verified_when: Mapping[str, float] | None = None,
    progress: Observer | None = None,
) -> PackageDescriptor:
    """Load a ``.nav`` file into a workspace, and by default go on with it on this machine.

    Every target is planned again from the formats that the package holds, with the plugins that are installed here:
    also what could not be made where the package comes from. What leads to a target only from the source model stays
    as it was recorded.

    Args:
        path: the package.
        workdir: where its workspace goes, by default ``navigator_workdir`` in the current folder.
        override_workdir: replace a workspace of the same model. Without it a package is loaded only where nothing
            is, into the workspace that it was loaded into before (what was learned there is not done again), or into
            one that holds exactly the same, such as the one it was just saved from.
        retest_conversions: make every target again that the formats kept lead to, verify all again, and measure.
            ``False`` takes over what was recorded.
        run_profiling: ``None`` means: as ``retest_conversions``.
        profiler_config: other windows than the recorded ones.
        trust: obey the package: allow what can execute code (TorchScript, ``.pt2``, engines, SavedModel) and use
            what it recorded of options, device, limits and profiler. Without trust everything is extracted and checked,
            formats that are data work at once, the others say that they need it, and what was recorded is shown on its
            row; of options only numbers that a route declares harmless are used. :class:`SignedBy` trusts the holder
            of a key.
        targets: formats or families to make here beyond those that were asked for where the package comes from.
        effort: how much time to take for what was not asked for by name, as for :func:`run`; by default as recorded,
            and without trust at most ``"normal"``.
        options: options of routes, as for :func:`run`; each stands in place of the recorded one. Those of a format
            whose file comes from the package and is not made again here are not used, and its row says so.
        runtimes: limits a format to the named runtimes, as for :func:`run`, in place of what was recorded of it.
        device: where runtimes that have a choice run; by default what was recorded, and without trust their own choice.
        batch_sizes: the batch sizes to measure, by default as recorded; ``"auto"`` as for :func:`run`.
        ranking: measure all that verified in turn, and say by how much each is faster.
        budget: seconds that the ranking may take.
        callers: measure so many callers at once as well, as for :func:`run`; by default as recorded and trusted.
        timeout: seconds that one step may take; by default what was recorded, and without trust 300 and the time of the
            measurement.
        memory_limit: bytes of resident memory that one step may use; by default what was recorded, and without trust
            2 GiB and eight times the size of the models.
        executor: where the steps run.
        metrics: the user's own, as for :func:`run`. What was recorded of the source is the measure where the package is
            trusted and the data are the same.
        metrics_data: what they are computed on, by default the package's correctness samples, each a mapping of the
            inputs by name; the source's own outputs for them are in the package.
        verified_when: how far each metric may fall (below 0) or rise (above 0), as for :func:`run`.
        progress: receives an event whenever something begins or ends. What it raises is logged once.

    Raises:
        PackageError: the file is damaged, tampered with or hostile; nothing is written then.
        OptionError: ``run_profiling=True``, ``targets`` or options of making with ``retest_conversions=False``, a
            limit that limits nothing, a key that is none, an option or runtime that nobody installed here knows.
        UnknownFormat: a target that no installed plugin knows.
        WorkspaceExists: the workspace exists and holds something else; nothing in it was touched.
    """
    from navcore.package import SignedBy, load_package

    given = settled_for_package(
        path=path, workdir=workdir, override_workdir=override_workdir, retest_conversions=retest_conversions,
        run_profiling=run_profiling, profiler_config=profiler_config, targets=targets, effort=effort, options=options,
        runtimes=runtimes, device=device, batch_sizes=batch_sizes, ranking=ranking, budget=budget, callers=callers,
        timeout=timeout, memory_limit=memory_limit, executor=executor, metrics=metrics, metrics_data=metrics_data,
        verified_when=verified_when, progress=progress,
    )  # fmt: skip
    trusted = trust if isinstance(trust, SignedBy) else settled_for_package(trust=trust)["trust"]
    retest, measure = given["retest_conversions"], given["run_profiling"]
    if measure and not retest:
        raise OptionError("run_profiling=True needs retest_conversions=True: only what was tested here is measured.")
    if given["targets"] and not retest:
        raise OptionError("targets needs retest_conversions=True: without it nothing is made.")
    making = [key for key in given["options"] if "/" not in key]
    if making and not retest:
        raise OptionError(f"options[{making[0]!r}] needs retest_conversions=True: without it nothing is made.")
    asked = Asked(
        given["targets"] or (), given["options"], given["runtimes"], given["device"], given["effort"],
        Measuring(profiler_config, given["batch_sizes"], given["ranking"], given["budget"], given["callers"]),
        Limits(given["timeout"], given["memory_limit"]),
    )  # fmt: skip
    scored = _metrics_asked(given["metrics"], given["metrics_data"], given["verified_when"])
    if scored is not None and not retest:
        raise OptionError("metrics needs retest_conversions=True: only what was tested here is run.")
    with _observed_by(progress):
        return load_package(
            given["path"], workdir=given["workdir"], override=given["override_workdir"], retest_conversions=retest,
            run_profiling=retest if measure is None else measure, trust=trusted, asked=asked, executor=executor,
            observer=forgiving(progress), metrics=scored,
        )  # fmt: skip


def profile(
    package_descriptor: PackageDescriptor,
    profiler_config: ProfilerConfig | None = None,
    *,
    batch_sizes: Iterable[int] | str | None = None,
    ranking: bool = True,
    budget: float = 90.0,
    callers: int | None = None,
) -> None:
    """Measure every ok runtime of the package again, at each batch size, and keep the results.

    Without a ``profiler_config`` the windows of the run are used, if it had any. ``batch_sizes``, ``ranking``,
    ``budget`` and ``callers`` are as for :func:`run`. The stored profiling sample is repeated to the batch.
    """
    _own(package_descriptor).profile(
        profiler_config, batch_sizes=batch_sizes, ranking=ranking, budget=budget, callers=callers
    )


@contextlib.contextmanager
def _observed_by(progress: Observer | None) -> Iterator[None]:
    """However it ends, leave nothing on the terminal that still moves."""
    from navcore.package import Console

    try:
        yield
    finally:
        if isinstance(progress, Console):
            progress.close()


def _own(package_descriptor: object) -> PackageDescriptor:
    from navcore.package import PackageDescriptor

    if not isinstance(package_descriptor, PackageDescriptor):
        raise OptionError(
            f"package_descriptor={shown(package_descriptor)} is not a package.",
            hint="Give what navcore.run or navcore.load returned.",
        )
    return package_descriptor
