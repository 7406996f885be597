"""A package as it stands, in a file or in its workspace: for commands that ask something of it and make nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from navcore.errors import WorkspaceNotOurs
from navcore.package.load import load_package
from navcore.planning import Asked
from navcore.registry import load_registry
from navcore.workspace import Workspace, is_ours, read_status

if TYPE_CHECKING:
    from navcore.package.descriptor import PackageDescriptor


def package_at(where: Path, workdir: Path, *, trust: bool = False) -> PackageDescriptor:
    """What lies at ``where``: a workspace, used as it is, or a ``.nav`` file, which is extracted into ``workdir``.

    Nothing is made or tested, and a workspace is obeyed no further than a package: ``trust`` decides for both. Raises
    :class:`WorkspaceNotOurs` for a folder that is no workspace, and :class:`PackageError`.
    """
    from navcore.package.descriptor import PackageDescriptor

    if where.is_dir():
        workspace = Workspace(workspace_at(where))
        return PackageDescriptor(workspace, read_status(workspace.status_file), load_registry(), None, trust=trust)
    return load_package(
        where, workdir=workdir, override=False, retest_conversions=False, run_profiling=False, trust=trust,
        asked=Asked(), executor=None, observer=None,
    )  # fmt: skip


def workspace_at(where: Path) -> Path:
    """The folder of a workspace. Raises :class:`WorkspaceNotOurs`."""
    if not is_ours(where):
        raise WorkspaceNotOurs(f"{where} is not a workspace of navcore.", hint="Give the folder <name>.nav.workspace.")
    return where.absolute()
