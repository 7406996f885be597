"""The verbs: run, plan, load, save, profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from navcore.contract import Format, ProfilerConfig, resolve_batch_sizes
from navcore.errors import OptionError, Unavailable, UnknownFormat
from navcore.planning import (
    Names,
    Plan,
    PlanSettings,
    Source,
    identify,
    make_plan,
    own_data,
    refuse_unusable_partners,
    settings_from,
)
from navcore.registry import Registry, load_registry, resolve_options
from navcore.workspace import Settings

if TYPE_CHECKING:
    from navcore.package import PackageDescriptor, SignedBy
    from navcore.workspace import Observer


def run(
    model: Any,
    dataloader: Any = None,
    *,
    targets: Names = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    model_name: str = "navigator_model",
    workdir: Path | str | None = None,
    override_workdir: bool = False,
    sample_count: int = 100,
    atol: float | None = None,
    rtol: float | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dynamic_axes: Mapping[str, Any] | None = None,
    axis_ranges: Mapping[str, Any] | None = None,
    batch_dim: int | None = 0,
    device: str | None = None,
    runtimes: Mapping[str, Any] | None = None,
    run_profiling: bool = True,
    profiler_config: ProfilerConfig | None = None,
    profiler: str | None = None,
    prefer: Mapping[str, str] | None = None,
    executor: Executor | None = None,
    timeout: float | None = None,
    memory_limit: int | None = None,
    git_info: bool = True,
    progress: Observer | None = None,
) -> PackageDescriptor:
    """Export ``model`` to every target, prove each result on ``dataloader``, measure each, and keep it all.

    Args:
        model: a live model of an installed framework plugin, or the path of a model file.
        dataloader: has ``len()`` and can be iterated several times, always in the same order. An item is a tensor, a
            sequence of tensors (positional arguments) or a mapping (keyword arguments), nested as the model wants it;
            arrays have the batch along ``batch_dim``. ``None`` asks the model for its own data, names and axes.
        targets: formats or families to reach, by value or name; by default all that the installed plugins reach.
        options: options of routes by target, or by ``target/runtime``: ``{"onnx": {"opset": 17}}``.
        model_name: names the workspace folder, ``<workdir>/<model_name>.nav.workspace``.
        workdir: where workspaces are kept, by default ``navigator_workdir`` in the current folder.
        override_workdir: start with an empty workspace; otherwise finished steps of an earlier run are not redone.
        sample_count: how many samples are kept for the correctness test.
        atol: the largest allowed |source − exported|; with ``rtol`` also absent, a bound on the relative L2 error of
            the format's precision applies instead.
        rtol: the largest allowed |source − exported| / |exported|.
        input_names: names of the inputs, in the order of the samples' tensors.
        output_names: names of the outputs, in the order of the result's tensors.
        dynamic_axes: per tensor ``{axis: symbol}`` or a list of axes; by default what varies in the data.
        axis_ranges: ``{symbol: (min, typical, max)}`` or ``{input: {axis: (min, typical, max)}}``; by default from the
            data.
        batch_dim: the batch axis of every batched tensor; ``None`` for a model that does not batch.
        device: the device for the source and for runtimes that have a choice, for example ``"cuda:0"``.
        runtimes: limits a format to the named runtimes: ``{"onnx": ["CPUExecutionProvider"]}``.
        run_profiling: measure every runtime that verified.
        profiler_config: windows, stability and batch sizes of the measurement.
        profiler: the plugin whose profiler measures, by name.
        prefer: ``{target: plugin}`` pins the plugin that makes a format.
        executor: where steps that need no live model run; it has to share this machine's workspace folder.
        timeout: seconds that one step may take.
        memory_limit: bytes of resident memory that one step may use.
        git_info: record repository and commit of the current folder (never author or e-mail).
        progress: receives an :class:`navcore.Event` whenever something begins or ends.

    Returns:
        The package: what was made, with every verdict and measurement.

    Raises:
        InputError: the model, the dataloader or an argument cannot be used; the sentence says which and why.
        WorkspaceError: the workspace is in use, not ours, or cannot be written.

    A format that cannot be made, or does not verify, raises nothing: its row says why.
    """
    from navcore.execution import run_model
    from navcore.package import PackageDescriptor

    refuse_unusable_partners(executor, progress)
    settings = settings_from(
        targets=targets, options=options, model_name=model_name, sample_count=sample_count, atol=atol, rtol=rtol,
        input_names=input_names, output_names=output_names, dynamic_axes=dynamic_axes, axis_ranges=axis_ranges,
        batch_dim=batch_dim, device=device, runtimes=runtimes, run_profiling=run_profiling,
        profiler_config=profiler_config, profiler=profiler, prefer=prefer, timeout=timeout, memory_limit=memory_limit,
        git_info=git_info,
    )  # fmt: skip
    registry = load_registry()
    source = identify(model, registry)
    _check(settings, source, registry)
    with own_data(source, dataloader, settings) as (source, dataloader, settings):
        record, workspace = run_model(
            source, dataloader, settings, registry,
            workdir=workdir, override=override_workdir, executor=executor, observer=progress,
        )  # fmt: skip
    return PackageDescriptor(workspace, record, registry, source)


def plan(
    model: Any,
    dataloader: Any = None,
    *,
    targets: Names = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    model_name: str = "navigator_model",
    workdir: Path | str | None = None,
    override_workdir: bool = False,
    sample_count: int = 100,
    atol: float | None = None,
    rtol: float | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dynamic_axes: Mapping[str, Any] | None = None,
    axis_ranges: Mapping[str, Any] | None = None,
    batch_dim: int | None = 0,
    device: str | None = None,
    runtimes: Mapping[str, Any] | None = None,
    run_profiling: bool = True,
    profiler_config: ProfilerConfig | None = None,
    profiler: str | None = None,
    prefer: Mapping[str, str] | None = None,
    executor: Executor | None = None,
    timeout: float | None = None,
    memory_limit: int | None = None,
    git_info: bool = True,
    progress: Observer | None = None,
) -> Plan:
    """What :func:`run` would do with the same arguments, without doing it: ``print`` the result.

    ``model`` may also be a :class:`Format` or the name of one, to plan without a model. The dataloader is not read.
    Raises what :func:`run` raises for its arguments.
    """
    refuse_unusable_partners(executor, progress)
    del dataloader, workdir, override_workdir  # the same call with another verb has to work
    settings = settings_from(
        targets=targets, options=options, model_name=model_name, sample_count=sample_count, atol=atol, rtol=rtol,
        input_names=input_names, output_names=output_names, dynamic_axes=dynamic_axes, axis_ranges=axis_ranges,
        batch_dim=batch_dim, device=device, runtimes=runtimes, run_profiling=run_profiling,
        profiler_config=profiler_config, profiler=profiler, prefer=prefer, timeout=timeout, memory_limit=memory_limit,
        git_info=git_info,
    )  # fmt: skip
    registry = load_registry()
    return _check(settings, _planned_source(model, registry), registry)


def _planned_source(model: Any, registry: Registry) -> Source:
    names: dict[str, Format] = {format.name: format for format in registry.formats}
    if isinstance(model, Format | str) and str(model) in names:
        return Source(names[str(model)])
    return identify(model, registry)


def _check(settings: Settings, source: Source, registry: Registry) -> Plan:
    """Refuse what can be refused before any work: options, targets, runtimes, preferences, the profiler."""
    resolve_options(settings.options, registry.routes, registry.formats)
    reasons = {route.id: reason for route in registry.routes if (reason := registry.unavailable(route))}
    resolve_batch_sizes(settings.profiler_config, batch_dim=settings.batch_dim, dataloader_batch=1)
    profilers = {route.owner: route for route in registry.routes if route.hook == "profile"}
    if settings.profiler not in profilers:
        raise OptionError(
            f"No installed plugin named {settings.profiler!r} measures.", hint=f"Profilers: {', '.join(profilers)}."
        )
    if why_not := reasons.get(profilers[settings.profiler].id):
        raise Unavailable(f"The profiler {settings.profiler!r} cannot be used here: {why_not}")
    request = PlanSettings(settings.targets, settings.prefer, settings.runtimes)
    try:
        return make_plan(registry.routes, registry.formats, source.format, request, reasons=reasons)
    except UnknownFormat as error:
        error.hint = " ".join((error.hint, *registry.broken_bringers(settings.targets or ())))
        raise


def save(
    package_descriptor: PackageDescriptor,
    path: Path | str,
    keep_workdir: bool = True,
    override: bool = False,
    save_data: bool = True,
) -> None:
    """Pack the results into one ``.nav`` file at ``path``, whole or not at all.

    Args:
        package_descriptor: what :func:`run` or :func:`load` returned.
        path: the file to write.
        keep_workdir: ``False`` deletes the workspace afterwards (only this one, and only because navcore made it).
        override: replace an existing file; it stays intact until the new one is complete.
        save_data: ``False`` leaves the samples out; the correctness test cannot be repeated from such a package.

    Raises:
        PackageExists: the file exists and ``override`` was not given.
        PackageIncomplete: no format is ok, or the workspace is gone.
    """
    package_descriptor.save(path, keep_workdir=keep_workdir, override=override, save_data=save_data)


def load(
    path: Path | str,
    workdir: Path | str | None = None,
    override_workdir: bool = False,
    retest_conversions: bool = True,
    run_profiling: bool | None = None,
    profiler_config: ProfilerConfig | None = None,
    *,
    trust: bool | SignedBy = False,
    timeout: float | None = None,
    memory_limit: int | None = None,
    executor: Executor | None = None,
    progress: Observer | None = None,
) -> PackageDescriptor:
    """Load a ``.nav`` file into a workspace, and by default test again on this machine what it holds.

    Args:
        path: the package.
        workdir: where its workspace goes, by default ``navigator_workdir`` in the current folder.
        override_workdir: replace a workspace of the same model.
        retest_conversions: rebuild converted formats from those that are kept, verify all again, and measure.
            ``False`` takes over what was recorded.
        run_profiling: ``None`` means: as ``retest_conversions``.
        profiler_config: another measurement than the recorded one.
        trust: obey the package: allow what can execute code (TorchScript, ``.pt2``, engines, SavedModel) and use
            what it recorded of options, device, limits and profiler. Without trust everything is extracted and checked,
            formats that are data work at once, the others say that they need it, and what was recorded is shown on its
            row; of options only numbers that a route declares harmless are used. :class:`SignedBy` trusts the holder
            of a key.
        timeout: seconds that one step may take; by default what was recorded, and without trust 300 and the time of the
            measurement.
        memory_limit: bytes of resident memory that one step may use; by default what was recorded, and without trust
            2 GiB and eight times the size of the models.
        executor: where the steps run.
        progress: receives an event whenever something begins or ends.

    Raises:
        PackageError: the file is damaged, tampered with or hostile; nothing is written then.
        OptionError: ``run_profiling=True`` with ``retest_conversions=False``, a limit that limits nothing, a key
            that is none.
        WorkspaceError: the target workspace exists and ``override_workdir`` was not given.
    """
    from navcore.package import limits_from, load_package, refuse_no_trust

    refuse_unusable_partners(executor, progress)
    refuse_no_trust(trust)
    limits = limits_from(timeout, memory_limit)
    if run_profiling and not retest_conversions:
        raise OptionError("run_profiling=True needs retest_conversions=True: only what was tested here is measured.")
    return load_package(
        Path(path), workdir=workdir, override=override_workdir, retest_conversions=retest_conversions,
        run_profiling=retest_conversions if run_profiling is None else run_profiling,
        profiler_config=profiler_config, trust=trust, limits=limits, executor=executor, observer=progress,
    )  # fmt: skip


def profile(package_descriptor: PackageDescriptor, profiler_config: ProfilerConfig | None = None) -> None:
    """Measure every ok runtime of the package again, at each batch size of ``profiler_config``, and keep the results.

    Without a config the one of the run is used. The stored profiling sample is repeated to the batch.
    """
    package_descriptor.profile(profiler_config)
