"""Load a ``.nav`` file: read what it says, extract what it holds, and test again here what can be tested here."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from navcore.execution import MetricsAsked, tidied
from navcore.package.archive import Refusal, extract_archive, refusal
from navcore.package.reading import Told, read_told
from navcore.package.retest import elsewhere, retest
from navcore.package.same_content import record_there
from navcore.package.signing import settle_trust
from navcore.package.trust import SignedBy
from navcore.planning import Asked, harmless_part, refuse_unknown, replaced_by, with_asked
from navcore.registry import Registry, load_registry
from navcore.workspace import (
    Observer,
    Record,
    Settings,
    Workspace,
    delete,
    is_ours,
    locked,
    log_reasons,
    logged,
    publish,
    refuse_foreign_place,
    remember_package,
    replace_whole,
    told_when_full,
    waiting_room,
    workspace_path,
)

if TYPE_CHECKING:
    from navcore.package.descriptor import PackageDescriptor

_UNTESTED = "nothing was tested on this machine."


def load_package(
    path: Path,
    *,
    workdir: Path | str | None,
    override: bool,
    retest_conversions: bool,
    run_profiling: bool,
    trust: bool | SignedBy,
    asked: Asked,
    executor: Executor | None,
    observer: Observer | None,
    metrics: MetricsAsked | None = None,
) -> PackageDescriptor:
    """See :func:`navcore.load`. Until the package is extracted nothing but its listing and its record has been read."""
    from navcore.package.descriptor import PackageDescriptor

    told = read_told(path)
    trusted = settle_trust(path, told.manifest, trust)
    root = workspace_path(workdir, told.record.settings.model_name)
    refuse_foreign_place(root)
    registry = load_registry()
    refuse_unknown(asked, registry)
    with told_when_full(root), locked(root):
        there = is_ours(root) and not override
        record = record_there(root, told) if there else told.record
        workspace = Workspace(root) if there else _extracted(path, told, root)
        remember_package(workspace, told.manifest.digest)
        try:
            with logged(workspace.log_file), tidied(workspace):
                if retest_conversions:
                    settings = attrs.evolve(record.settings, run_profiling=run_profiling)
                    record, asked = retest(
                        attrs.evolve(record, settings=settings), workspace, registry, told, trust=trusted,
                        asked=asked, executor=executor, observer=observer, metrics=metrics,
                    )  # fmt: skip
                elif not (trusted or there):
                    record = attrs.evolve(record, results=tuple(elsewhere(row, _UNTESTED) for row in record.results))
                log_reasons(record.results)
                harmless = None if trusted else harmless_part(record.settings, registry, asked)
                record = attrs.evolve(record, settings=_settings(record, asked, registry))
                publish(workspace, record, harmless)
        except Exception:
            if not there:
                delete(workspace)  # what cannot be loaded whole is not there; the package still is
            raise
    return PackageDescriptor(workspace, record, registry, None, trust=trusted, asked=asked)


def _settings(record: Record, asked: Asked, registry: Registry) -> Settings:
    """What was recorded, and what was asked for here in place of it or beside it."""
    settings = with_asked(replaced_by(asked, record.settings, registry.formats), asked)
    if not asked.targets:
        return settings
    before = record.settings.targets
    if before is None:
        before = tuple(row.format.name for row in record.results if row.requested and not row.live)
    return attrs.evolve(settings, targets=tuple(dict.fromkeys((*before, *asked.targets))))


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
