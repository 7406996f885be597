"""The working folder: its layout, its marker and its lock.

::

    <workdir>/<model_name>.nav.workspace/
        status.yaml  navigator.log  model_input/  model_output/
        <format>/         the model, config.yaml, and the logs of the steps that made and checked it
        <format>/measurements/   the latencies of every window and block, the error of every comparison, the user's
                                 metrics item by item
        .navcore/         marker.json, journal, private folders of unfinished steps, what compilers can make again
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from navcore.contract import InnerPath, Name
from navcore.errors import WorkspaceError, WorkspaceLocked, WorkspaceNotOurs
from navcore.workspace.atomic_files import is_private, sweep, sync_folder, write_json
from navcore.workspace.disk_space import is_about_room, no_room
from navcore.workspace.file_trees import remove
from navcore.workspace.kinds import MEASUREMENTS
from navcore.workspace.settings import valid_model_name

DEFAULT_WORKDIR = "navigator_workdir"
SUFFIX = ".nav.workspace"
PRIVATE = ".navcore"
MARKER = "marker.json"
_OUTGOING = "outgoing"


@attrs.frozen
class Workspace:
    """A folder that navcore made. ``root`` is absolute."""

    root: Path

    @property
    def private(self) -> Path:
        return self.root / PRIVATE

    @property
    def status_file(self) -> Path:
        return self.root / "status.yaml"

    @property
    def log_file(self) -> Path:
        return self.root / "navigator.log"

    @property
    def journal_file(self) -> Path:
        return self.private / "journal.jsonl"

    def format_folder(self, format: Name) -> Path:
        """Where the model of a format is, with what belongs to it."""
        return self.root / format

    def log_of(self, format: Name, step: Name) -> Path:
        """The log of a route that made the format, or of a runtime that it was checked in."""
        return self.format_folder(format) / f"{step}.log"

    @property
    def cache(self) -> Path:
        """Where compilers keep what they can make again. It is loaded as code, and so no package brings any."""
        return self.private / "cache"

    @property
    def work(self) -> Path:
        """Where work that is under way has its private folders; it is there only as long as something is."""
        return self.private / "work"

    def unfinished(self, *names: Name) -> Path:
        """A private folder for one piece of work that is under way."""
        return self.work / "-".join(names)

    def file(self, path: InnerPath) -> Path:
        """A file at its place in the workspace."""
        return self.root / path

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def windows_file(folder: Path, runtime: Name) -> Path:
    """Where the latencies of all windows of a runtime are kept, in the folder of its format."""
    return folder / MEASUREMENTS / f"{runtime}.windows.npz"


def blocks_file(folder: Path, runtime: Name) -> Path:
    """The same for the blocks that were measured in turn with other models."""
    return folder / MEASUREMENTS / f"{runtime}.blocks.npz"


def metrics_file(folder: Path, runtime: Name) -> Path:
    """The same for the values of the user's metrics, item by item."""
    return folder / MEASUREMENTS / f"{runtime}.metrics.npz"


def errors_file(folder: Path, runtime: Name) -> Path:
    """The same for the error of every output in every comparison."""
    return folder / MEASUREMENTS / f"{runtime}.errors.npz"


def workspace_path(workdir: Path | str | None, model_name: str) -> Path:
    """Where the workspace of that model is: in ``workdir``, by default ``navigator_workdir`` in the current folder."""
    base = Path(DEFAULT_WORKDIR) if workdir is None else Path(workdir)
    return Path(os.path.abspath(base / (valid_model_name(model_name) + SUFFIX)))


def is_ours(root: Path) -> bool:
    """Whether navcore made the folder."""
    return (root / PRIVATE / MARKER).is_file()


@contextlib.contextmanager
def opened(root: Path, *, override: bool = False) -> Iterator[Workspace]:
    """The workspace at ``root``, made if it does not exist, locked until the block ends.

    What killed writers left in it is swept away; ``override`` empties it first. Raises :class:`WorkspaceNotOurs` for a
    folder that navcore did not make (nothing in it is touched) and :class:`WorkspaceLocked`, naming the holder, while
    another run has it.
    """
    with locked(root):
        if override and root.exists():
            _empty(root)
        workspace = _make(root)
        sweep(root)
        yield workspace


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keep everybody else out of the workspace at ``root``, which need not exist. Raises as :func:`opened` does."""
    import filelock

    refuse_foreign_place(root)
    holder_path = root.parent / f".{root.name}.holder"
    lock = filelock.FileLock(root.parent / f".{root.name}.lock", timeout=0)
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout:
        raise WorkspaceLocked(
            f"The workspace {root} is in use{_holder(holder_path)}.",
            hint="Wait for that run, stop it, or choose another workdir or model_name.",
        ) from None
    except OSError as error:
        raise _unusable(f"The workdir {root.parent} cannot be used", root.parent, error) from error
    try:
        _write_holder(holder_path)
        _put_back(root)
        yield
    finally:
        with contextlib.suppress(OSError):
            holder_path.unlink(missing_ok=True)
        lock.release()


def _write_holder(path: Path) -> None:
    held = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%H:%M:%S")}
    try:
        write_json(path, held)
    except OSError as error:
        raise _unusable(f"The workdir {path.parent} cannot be written", path.parent, error) from error


def _unusable(what: str, place: Path, error: OSError) -> WorkspaceError:
    if is_about_room(error):
        return no_room(place, error)
    return WorkspaceError(f"{what}: {error.strerror}.")


def refuse_foreign_place(root: Path) -> None:
    """Raise :class:`WorkspaceNotOurs` for a link, or a place that holds something that navcore did not make."""
    if root.is_symlink():
        raise WorkspaceNotOurs(f"{root} is a symbolic link.", hint="Choose another workdir or model_name.")
    if root.exists() and not is_ours(root) and not _holds_nothing(root):
        raise WorkspaceNotOurs(
            f"{root} exists and was not made by navcore, so nothing in it was touched.",
            hint="Choose another workdir or model_name, or move it away.",
        )


def _holds_nothing(root: Path) -> bool:
    """An empty folder, or one in which navcore was killed just before it set its marker, or just after it took it."""
    if not root.is_dir():
        return False
    private = root / PRIVATE
    entries = list(root.iterdir())
    if entries != [private] or private.is_symlink() or not private.is_dir():
        return not entries
    return all(is_private(entry) for entry in private.iterdir())


def _holder(path: Path) -> str:
    try:
        held = json.loads(path.read_text())
        return f" by process {held['pid']} on {held['host']} since {held['since']}"
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def _make(root: Path) -> Workspace:
    workspace = Workspace(root)
    try:
        workspace.private.mkdir(parents=True, exist_ok=True)
        if not is_ours(root):
            write_marker(root)
    except OSError as error:
        raise _unusable(f"The workspace {root} cannot be written", root, error) from error
    return workspace


def write_marker(root: Path) -> None:
    """Make the folder recognisably navcore's."""
    (root / PRIVATE).mkdir(exist_ok=True)
    write_json(root / PRIVATE / MARKER, {"made_by": "navcore", "layout": 1})


def waiting_room(root: Path) -> Path:
    """The folder beside the workspace in which a new one is prepared, and where the old one goes; ours, and emptied.

    Raises :class:`WorkspaceNotOurs` when somebody else's folder has that name.
    """
    place = _waiting_room(root)
    refuse_foreign_place(place)
    _make(place)
    _empty(place)
    return place


def replace_whole(root: Path, prepared: Path) -> Workspace:
    """Let ``prepared``, in the waiting room of ``root``, take the place of the workspace; call it under the lock.

    A kill leaves the old workspace (at the latest the next :func:`locked` puts it back) or the new one, whole.
    """
    place = prepared.parent
    write_marker(prepared)
    if root.exists():
        root.rename(place / _OUTGOING)
    prepared.rename(root)
    sync_folder(root.parent)
    delete(Workspace(place))
    return Workspace(root)


def _waiting_room(root: Path) -> Path:
    return root.parent / f".{root.name}.incoming"


def _put_back(root: Path) -> None:
    """Undo a replacement that was killed between its two renames."""
    outgoing = _waiting_room(root) / _OUTGOING
    if not root.exists() and is_ours(outgoing):
        outgoing.rename(root)


def _empty(root: Path) -> None:
    """Delete what the workspace holds; the marker goes last, so that a kill in between leaves a folder that is ours."""
    for entry in sorted(root.iterdir()):
        if entry.name != PRIVATE:
            remove(entry)
    for entry in sorted((root / PRIVATE).iterdir()):
        if entry.name != MARKER:
            remove(entry)


def delete(workspace: Workspace) -> None:
    """Delete the whole workspace, if it is ours; a kill in between leaves a folder that is ours, or holds nothing."""
    if is_ours(workspace.root):
        _empty(workspace.root)
        (workspace.private / MARKER).unlink()
        workspace.private.rmdir()
        workspace.root.rmdir()
