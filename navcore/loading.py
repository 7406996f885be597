"""Load a ``.nav`` file: validate, extract, and test again here what can be tested here."""

from __future__ import annotations

import contextlib
import shutil
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from navcore.archive import extract_archive, read_manifest
from navcore.environment import describe_environment
from navcore.errors import OptionError, PackageError, WorkspaceExists
from navcore.execution import Kept, execute
from navcore.isolation import reap_orphans
from navcore.jobs import Artifact
from navcore.keys import digest, digest_of_file
from navcore.logfile import logged
from navcore.options import settle_options
from navcore.pipeline import keep_verified, publish
from navcore.profiling import ProfilerConfig
from navcore.progress import Observer
from navcore.registry import Registry, load_registry
from navcore.results import FormatResult, Status
from navcore.session import Session
from navcore.settings import Settings
from navcore.sources import Source
from navcore.status import Record, read_status
from navcore.workspace import Workspace, opened, remove, workspace_path

if TYPE_CHECKING:
    from navcore.package import PackageDescriptor


def load_package(
    path: Path,
    *,
    workdir: Path | str | None,
    override: bool,
    retest: bool,
    run_profiling: bool,
    profiler_config: ProfilerConfig | None,
    trust: bool,
    executor: Executor | None,
    observer: Observer | None,
) -> PackageDescriptor:
    """See :func:`navcore.load`."""
    from navcore.package import PackageDescriptor

    name = _model_name(path)
    root = workspace_path(workdir, name)
    if root.exists() and not override:
        raise WorkspaceExists(
            f"The workspace {root} exists.", hint="Give override_workdir=True to replace it, or another workdir."
        )
    registry = load_registry()
    incoming = root.parent / f".{root.name}.incoming"
    with opened(root, override=False) as workspace:
        remove(incoming)
        extract_archive(path, incoming)
        try:
            record = read_status(incoming / "status.yaml")
            _replace(workspace, incoming)
        finally:
            remove(incoming)
        with logged(workspace.log_file):
            reap_orphans(workspace.private)
            if retest:
                config = profiler_config or record.settings.profiler_config
                settings = attrs.evolve(record.settings, run_profiling=run_profiling, profiler_config=config)
                record = attrs.evolve(record, settings=settings)
                record = _retest(record, workspace, registry, trust=trust, executor=executor, observer=observer)
            publish(workspace, record)
    return PackageDescriptor(workspace, record, registry, None, trust=trust)


def _model_name(path: Path) -> str:
    name = read_manifest(path).meta.get("model_name")
    if not isinstance(name, str):
        raise PackageError(f"{path} does not say which model it holds.", code="meta")
    return name


def _replace(workspace: Workspace, incoming: Path) -> None:
    """Put the extracted package where the old workspace was, once it is known to be whole."""
    for entry in sorted(workspace.root.iterdir()):
        if entry != workspace.private:
            remove(entry)
    for entry in sorted(workspace.private.iterdir()):
        if entry.name != "marker.json":
            remove(entry)
    for entry in sorted(incoming.iterdir()):
        if entry.name == workspace.private.name:
            shutil.copytree(entry, workspace.private, dirs_exist_ok=True)
        else:
            entry.rename(workspace.root / entry.name)


def _retest(
    record: Record,
    workspace: Workspace,
    registry: Registry,
    *,
    trust: bool,
    executor: Executor | None,
    observer: Observer | None,
) -> Record:
    """Check every format that is kept, rebuild those that were converted, keep as recorded what cannot be redone."""
    if record.samples is None or not (workspace.root / "model_input").is_dir():
        reason = "the package holds no samples, so nothing was tested again here"
        return attrs.evolve(record, results=tuple(elsewhere(row, reason) for row in record.results))
    settings = _settings_here(record.settings, registry)
    reasons = {row.format.name: _why_not(row, record, registry, trust) for row in record.results}
    again = [row for row in record.results if not reasons[row.format.name]]
    wanted = tuple(row.format.name for row in again if _is_converted(row, record))
    session = Session(
        registry=registry,
        workspace=workspace,
        settings=attrs.evolve(settings, targets=wanted),
        source=Source(record.source),
        source_key=record.source_key,
        samples=record.samples,
        options=settle_options(settings.options, registry.routes, registry.formats),
        observer=observer,
        executor=executor,
    )
    kept = [_kept(session, row) for row in again if not _is_converted(row, record)]
    fresh = {row.format.name: row for row in execute(session, kept, lambda _rows: None)}
    results = [merged(row, fresh.get(row.format.name), reasons[row.format.name]) for row in record.results]
    known = {row.format.name for row in record.results}
    results += [row for name, row in fresh.items() if name not in known]
    return attrs.evolve(
        record, results=keep_verified(record, tuple(results)), environment=describe_environment(), settings=settings
    )


def _is_converted(row: FormatResult, record: Record) -> bool:
    """Made from another file, so that it can be made again without the live source."""
    return bool(row.made_from) and not (record.live and row.made_from == record.source.name)


def _why_not(row: FormatResult, record: Record, registry: Registry, trust: bool) -> str:
    """Why a row cannot be redone here, or ``""``."""
    if row.live:
        return "the source model is not in the package"
    if row.format not in registry.formats:
        return "no installed plugin knows this format"
    if _is_converted(row, record):
        return ""
    if row.path is None:
        return "it can only be made from the source model, which is not in the package"
    if not row.format.data_only and not trust:
        return "loading it can execute code: needs trust=True"
    return ""


def _kept(session: Session, row: FormatResult) -> Kept:
    assert row.path is not None
    path = session.workspace.root / row.path
    known = session.registry.format(row.format.name)
    artifact = Artifact(known, row.signature or session.samples.signature, path, None, row.calling)
    return Kept(artifact, digest("kept", session.source_key, row.format.name, digest_of_file(path)), row)


def _settings_here(settings: Settings, registry: Registry) -> Settings:
    """The recorded settings, less what names a plugin, an option or a runtime that is not installed here."""
    owners = {route.owner for route in registry.routes} | {route.distribution for route in registry.routes}
    offered = {(route.source, route.runtime) for route in registry.routes if route.hook == "make_runner"}
    runtimes = {
        name: tuple(runtime for runtime in limited if any(runtime == other for _, other in offered))
        for name, limited in settings.runtimes.items()
    }
    options = {}
    for key, values in settings.options.items():
        with contextlib.suppress(OptionError):
            settle_options({key: values}, registry.routes, registry.formats)
            options[key] = values
    profiler = settings.profiler if settings.profiler in owners else "navcore"
    return attrs.evolve(
        settings,
        prefer={target: owner for target, owner in settings.prefer.items() if owner in owners},
        runtimes={name: limited for name, limited in runtimes.items() if limited},
        options=options,
        profiler=profiler,
    )


def elsewhere(row: FormatResult, reason: str) -> FormatResult:
    """The row as it was recorded, saying so and why it was not redone."""
    runtimes = tuple(attrs.evolve(runtime, elsewhere=True) for runtime in row.runtimes)
    note = f"recorded elsewhere: {reason}"
    notes = row.notes if note in row.notes else (*row.notes, note)
    return attrs.evolve(row, runtimes=runtimes, elsewhere=True, notes=notes)


def merged(recorded: FormatResult, fresh: FormatResult | None, reason: str) -> FormatResult:
    """What was found here, completed by what only the other machine could find out."""
    if fresh is None:
        return elsewhere(recorded, reason or "it could not be redone here")
    if fresh.path is None and recorded.path is not None and fresh.status in (Status.UNAVAILABLE, Status.SKIPPED):
        return elsewhere(recorded, fresh.failure.cause if fresh.failure else "it cannot be made here")
    here = {runtime.runtime: runtime for runtime in fresh.runtimes}
    rows = []
    for old in recorded.runtimes:
        new = here.pop(old.runtime, None)
        if new is None or (new.status == Status.UNAVAILABLE and old.status == Status.OK):
            why = new.failure.cause if new is not None and new.failure is not None else "its runtime is not installed"
            note = f"recorded elsewhere: here {why}"
            rows.append(attrs.evolve(old, elsewhere=True, notes=(*old.notes, note)))
        else:
            rows.append(new)
    runtimes = (*rows, *here.values())
    status = Status.OK if any(row.status == Status.OK for row in runtimes) else fresh.status
    return attrs.evolve(fresh, runtimes=runtimes, status=status)
