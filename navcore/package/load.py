"""Load a ``.nav`` file: validate, extract, and test again here what can be tested here."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from navcore.contract import ProfilerConfig
from navcore.errors import NavcoreError, OptionError, PackageError, WorkspaceExists
from navcore.execution import RunContext, StartingPoint, artifact_of, execute, new_context
from navcore.package.archive import Manifest, extract_archive, read_manifest
from navcore.planning import Source, settings_here
from navcore.registry import Registry, load_registry
from navcore.workspace import (
    FormatResult,
    Journal,
    Observer,
    Record,
    Status,
    Workspace,
    delete,
    describe_environment,
    digest,
    digest_of_bytes,
    digest_of_file,
    is_ours,
    keep_verified,
    locked,
    logged,
    publish,
    read_status,
    refuse_foreign_place,
    replace_whole,
    valid_model_name,
    waiting_room,
    workspace_path,
)

if TYPE_CHECKING:
    from navcore.package.descriptor import PackageDescriptor

_ELSEWHERE = "recorded elsewhere:"


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
    from navcore.package.descriptor import PackageDescriptor

    name = _model_name(path)
    root = workspace_path(workdir, name)
    refuse_foreign_place(root)
    if is_ours(root) and not override and not _holds(root, read_manifest(path)):
        raise WorkspaceExists(
            f"The workspace {root} exists and holds something else.",
            hint="Give override_workdir=True to replace it, or another workdir.",
        )
    registry = load_registry()
    with locked(root):
        said = _read_before(root) if not override else None
        room = waiting_room(root)
        try:
            record = _extracted(path, room / "content", name)
        except BaseException:
            delete(Workspace(room))
            raise
        workspace = replace_whole(root, room / "content")
        if said is not None:
            record = attrs.evolve(record, results=keep_verified(said, record.results, Journal(workspace.journal_file)))
        with logged(workspace.log_file):
            if retest:
                config = profiler_config or record.settings.profiler_config
                settings = attrs.evolve(record.settings, run_profiling=run_profiling, profiler_config=config)
                record = attrs.evolve(record, settings=settings)
                record = _retest(record, workspace, registry, trust=trust, executor=executor, observer=observer)
            publish(workspace, record)
    return PackageDescriptor(workspace, record, registry, None, trust=trust)


def _holds(root: Path, manifest: Manifest) -> bool:
    """Whether the workspace has every model and sample of the package, byte for byte: then loading it loses nothing.

    That is the case right after saving, which is what the reference page's example does.
    """
    return all(
        (root / entry.name).is_file()
        and (root / entry.name).stat().st_size == entry.size
        and digest_of_bytes(root / entry.name) == entry.sha256
        for entry in manifest.files
        if not entry.name.endswith((".log", ".yaml"))
    )


def _read_before(root: Path) -> Record | None:
    """What the workspace says of itself before it is replaced by its own package; the user's word must survive."""
    try:
        return read_status(root / "status.yaml")
    except NavcoreError:
        return None


def _model_name(path: Path) -> str:
    name = read_manifest(path).meta.get("model_name")
    if not isinstance(name, str):
        raise PackageError("it does not say which model it holds.", code="meta", who=str(path))
    try:
        return valid_model_name(name)
    except OptionError as error:
        raise PackageError(error.what, code="meta", who=str(path)) from error


def _extracted(path: Path, place: Path, name: str) -> Record:
    extract_archive(path, place)
    record = read_status(place / "status.yaml")
    told = record.settings.model_name
    if told != name:
        raise PackageError(
            f"its manifest calls the model {name!r}, its status.yaml {told!r}.", code="meta", who=str(path)
        )
    return record


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
    settings = settings_here(record.settings, registry)
    reasons, wanted = _sorted_out(record, registry, trust)
    again = [row for row in record.results if not reasons[row.format.name]]
    context = new_context(
        registry,
        workspace,
        attrs.evolve(settings, targets=wanted),
        Source(record.source),
        record.source_key,
        record.samples,
        observer=observer,
        executor=executor,
    )
    kept = [_kept(context, row) for row in again if row.format.name not in wanted]
    fresh = {row.format.name: row for row in execute(context, kept, lambda _rows: None)}
    results = [merged(row, fresh.get(row.format.name), reasons[row.format.name]) for row in record.results]
    known = {row.format.name for row in record.results}
    results += [row for name, row in fresh.items() if name not in known]
    return attrs.evolve(
        record,
        results=keep_verified(record, tuple(results), context.journal),
        environment=describe_environment(),
        settings=settings,
    )


def _is_converted(row: FormatResult, record: Record) -> bool:
    """Made from another file, so that it can be made again without the live source."""
    return bool(row.made_from) and not (record.live and row.made_from == record.source.name)


def _sorted_out(record: Record, registry: Registry, trust: bool) -> tuple[dict[str, str], tuple[str, ...]]:
    """Why each row cannot be redone here (``""``: it can), and the formats to be made again from another file.

    A converted file whose own source is out of reach is tested as it is, where loading it needs no trust.
    """
    reasons: dict[str, str] = {}
    wanted = []
    for row in record.results:  # a row stands behind the one that it was made from
        reason = _why_not(row, record, registry, trust)
        blocked = reasons.get(row.made_from, "")
        if not reason and _is_converted(row, record):
            if not blocked:
                wanted.append(row.format.name)
            elif row.path is None or not (trust or registry.is_data(row.format)):
                reason = f"its source, {row.made_from}, cannot be used here: {blocked}"
        reasons[row.format.name] = reason
    return reasons, tuple(wanted)


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
    if not registry.is_data(row.format) and not trust:
        return "loading it can execute code: needs trust=True"
    return ""


def _kept(context: RunContext, row: FormatResult) -> StartingPoint:
    row = attrs.evolve(row, elsewhere=False, notes=_told_here(row.notes))
    artifact = artifact_of(row, context.samples.signature, context.workspace.root, context.registry)
    key = digest("kept", context.source_key, row.format.name, digest_of_file(artifact.file))
    return StartingPoint(artifact, key, row)


def elsewhere(row: FormatResult, reason: str) -> FormatResult:
    """The row as it was recorded, saying so and why it was not redone."""
    runtimes = tuple(attrs.evolve(runtime, elsewhere=True) for runtime in row.runtimes)
    return attrs.evolve(
        row, runtimes=runtimes, elsewhere=True, notes=(*_told_here(row.notes), f"{_ELSEWHERE} {reason}")
    )


def _told_here(notes: tuple[str, ...]) -> tuple[str, ...]:
    """The notes without what an earlier load added."""
    return tuple(note for note in notes if not note.startswith(_ELSEWHERE))


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
            note = f"{_ELSEWHERE} here {why}"
            rows.append(attrs.evolve(old, elsewhere=True, notes=(*_told_here(old.notes), note)))
        else:
            rows.append(new)
    runtimes = (*rows, *here.values())
    status = fresh.status
    if status == Status.UNVERIFIED and any(row.status == Status.OK for row in runtimes):
        status = Status.OK
    return attrs.evolve(fresh, runtimes=runtimes, status=status, requested=recorded.requested)
