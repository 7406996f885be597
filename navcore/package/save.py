"""Pack a workspace into one ``.nav`` file."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from navcore import __version__
from navcore.contract import Name
from navcore.errors import OptionError, PackageExists, PackageIncomplete, first_line
from navcore.execution import assets_of
from navcore.package.archive import Member, write_archive
from navcore.registry import Registry
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


def pack(
    workspace: Workspace,
    record: Record,
    path: Path,
    *,
    keep: bool,
    override: bool,
    samples: bool,
    compact_by: Registry | None = None,
) -> None:
    """See :func:`navcore.save`. Packed are the folders of the record's rows, whatever else lies in the workspace.

    ``compact_by`` knows the formats that say where their tensors lie; without it every file is packed as it is.
    """
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
        if compact_by is not None:
            regions = _regions(workspace, record, compact_by)
            members = [attrs.evolve(one, regions=regions.get(one.source, ())) for one in members]
        meta = {
            "model_name": record.settings.model_name,
            "uuid": record.uuid,
            "made_by": record.navcore_version,
            "written_by": __version__,
        }
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


def _regions(workspace: Workspace, record: Record, registry: Registry) -> Mapping[Path, tuple[tuple[int, int], ...]]:
    """Where the tensors of all stored models lie, as far as their formats say. One that fails is packed as it is."""
    formats = {format.name: format for format in registry.formats}
    found: dict[Path, tuple[tuple[int, int], ...]] = {}
    for row in record.results:
        known = formats.get(Name(row.format.name))
        if row.path is None or known is None or known.regions is None:
            continue
        try:
            told = known.regions(workspace.file(row.path))
            found.update({Path(path): tuple((int(at), int(size)) for at, size in each) for path, each in told.items()})
        except Exception as error:  # a plugin's code, on a file that may be a stranger's
            log.warning("%s is packed whole: its tensors cannot be found (%s).", row.format.name, first_line(error))
    return found


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
