"""Load a ``.nav`` file: read what it says, extract what it holds, and test again here what can be tested here."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from navcore.contract import ProfilerConfig
from navcore.errors import NavcoreError, WorkspaceExists
from navcore.execution import tidied
from navcore.package.archive import Manifest, Refusal, extract_archive, refusal
from navcore.package.reading import Told, read_told
from navcore.package.retest import retest
from navcore.package.signing import settle_trust
from navcore.package.trust import SignedBy
from navcore.planning import Limits, harmless_part
from navcore.registry import load_registry
from navcore.workspace import (
    Journal,
    Kind,
    Observer,
    Record,
    Workspace,
    delete,
    digest_of_bytes,
    is_ours,
    keep_verified,
    locked,
    logged,
    publish,
    read_status,
    refuse_foreign_place,
    replace_whole,
    told_when_full,
    waiting_room,
    workspace_path,
)

if TYPE_CHECKING:
    from navcore.package.descriptor import PackageDescriptor


def load_package(
    path: Path,
    *,
    workdir: Path | str | None,
    override: bool,
    retest_conversions: bool,
    run_profiling: bool,
    profiler_config: ProfilerConfig | None,
    trust: bool | SignedBy,
    limits: Limits,
    executor: Executor | None,
    observer: Observer | None,
) -> PackageDescriptor:
    """See :func:`navcore.load`. Until the package is extracted nothing but its listing and its record has been read."""
    from navcore.package.descriptor import PackageDescriptor

    told = read_told(path)
    trusted = settle_trust(path, told.manifest, trust)
    root = workspace_path(workdir, told.record.settings.model_name)
    refuse_foreign_place(root)
    if is_ours(root) and not override and not _holds(root, told.manifest):
        raise WorkspaceExists(
            f"The workspace {root} exists and holds something else.",
            hint="Give override_workdir=True to replace it, or another workdir.",
        )
    registry = load_registry()
    with told_when_full(root), locked(root):
        said = _read_before(root) if not override else None
        workspace = _extracted(path, told, root)
        record = told.record
        if said is not None:
            record = attrs.evolve(record, results=keep_verified(said, record.results, Journal(workspace.journal_file)))
        try:
            with logged(workspace.log_file), tidied(workspace):
                if retest_conversions:
                    settings = attrs.evolve(record.settings, run_profiling=run_profiling)
                    record = retest(
                        attrs.evolve(record, settings=settings), workspace, registry, told, trust=trusted,
                        measurement=profiler_config, limits=limits, executor=executor, observer=observer,
                    )  # fmt: skip
                publish(workspace, record, None if trusted else harmless_part(record.settings, registry))
        except Exception:
            delete(workspace)  # what cannot be loaded whole is not there; the package still is
            raise
    return PackageDescriptor(workspace, record, registry, None, trust=trusted)


def _extracted(path: Path, told: Told, root: Path) -> Workspace:
    """The workspace with what the package holds, in place of what was there."""
    room = waiting_room(root)
    try:
        if extract_archive(path, room / "content").digest != told.manifest.digest:
            raise refusal(Refusal.CHANGED, "there is another package at this path meanwhile.")
    except BaseException:
        delete(Workspace(room))
        raise
    return replace_whole(root, room / "content")


def _holds(root: Path, manifest: Manifest) -> bool:
    """Whether the workspace has every model and sample of the package, byte for byte: then loading it loses nothing.

    That is the case right after saving, which is what the reference page's example does.
    """
    return all(
        (root / entry.place).is_file()
        and (root / entry.place).stat().st_size == entry.size
        and digest_of_bytes(root / entry.place) == entry.sha256
        for entry in manifest.files
        if entry.kind is not Kind.RECORD
    )


def _read_before(root: Path) -> Record | None:
    """What the workspace says of itself before it is replaced by its own package; the user's word must survive."""
    try:
        return read_status(root / "status.yaml")
    except NavcoreError:
        return None
