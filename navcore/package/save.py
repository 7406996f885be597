"""Pack a workspace into one ``.nav`` file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from navcore.errors import OptionError, PackageExists, PackageIncomplete
from navcore.execution import assets_of
from navcore.package.archive import Member, write_archive
from navcore.workspace import (
    INPUTS,
    OUTPUTS,
    PROBES,
    FormatResult,
    Kind,
    Record,
    Status,
    Workspace,
    delete,
    is_ours,
    is_private,
    kind_of,
    opened,
)

log = logging.getLogger("navcore")


def pack(workspace: Workspace, record: Record, path: Path, *, keep: bool, override: bool, samples: bool) -> None:
    """See :func:`navcore.save`. Packed are the folders of the record's rows, whatever else lies in the workspace."""
    if not is_ours(workspace.root):
        raise PackageIncomplete(f"The workspace {workspace.root} is gone.", hint="Run again, or load the package.")
    if path.resolve().is_relative_to(workspace.root.resolve()):
        raise OptionError(f"{path} is inside the workspace that is to be packed.", hint="Choose another path.")
    if path.exists() and not override:
        raise PackageExists(f"{path} exists.", code="exists", hint="Give override=True to replace it.")
    if not any(row.status == Status.OK and not row.live for row in record.results):
        raise PackageIncomplete("No format is ok, so there is nothing to pack.", hint="print(package) says why.")
    _warn_of_unverified(record)
    with opened(workspace.root):
        members = sorted(_members(workspace, record, samples), key=lambda member: member.name)
        meta = {"model_name": record.settings.model_name, "uuid": record.uuid, "made_by": record.navcore_version}
        write_archive(path, members, meta=meta, override=override)
        if not keep:
            delete(workspace)


def _warn_of_unverified(record: Record) -> None:
    rows = [
        f"{row.format.name} in {one.runtime}"
        for row in record.results
        for one in row.runtimes
        if row.requested and not row.live and one.status == Status.OK and not one.is_verified
    ]
    if rows:
        log.warning("Packed without your own word (set_verified): %s.", ", ".join(rows))


def _members(workspace: Workspace, record: Record, samples: bool) -> Iterator[Member]:
    for name in ("status.yaml", "navigator.log"):
        if (workspace.root / name).exists():
            yield Member(name, workspace.root / name)
    for row in record.results:
        yield from _files(workspace, workspace.format_folder(row.format.name), row)
    if samples:
        for folder in (INPUTS, OUTPUTS, PROBES):
            yield from _tree(workspace, workspace.root / folder)


def _files(workspace: Workspace, folder: Path, row: FormatResult) -> Iterator[Member]:
    """A format's model with the files beside it, its assets, its config.yaml, its measurements and its logs.

    Of a model that a route made the declared assets are packed and no other file that lies with them. Raises
    :class:`PackageIncomplete` naming one that is gone.
    """
    if not folder.is_dir():
        return
    stored = row.path is not None
    assets = set(assets_of(row, workspace.root).values()) if stored else set()
    for entry in _tree(workspace, folder):
        is_log = entry.source.suffix == ".log" and entry.source.parent == folder
        kind = kind_of(entry.name)
        is_other = bool(row.route) and kind is Kind.ASSET and entry.source not in assets
        if is_log or kind is Kind.MEASUREMENT or (stored and not is_other):
            yield entry


def _tree(workspace: Workspace, folder: Path) -> Iterator[Member]:
    if folder.is_dir():
        for path in sorted(folder.rglob("*")):
            name = workspace.relative(path)
            if path.is_file() and not path.is_symlink() and not is_private(path) and kind_of(name) is not None:
                yield Member(name, path)
