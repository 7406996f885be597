"""The workspace: navcore touches only what it made, one run at a time, and writes whole files."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from navcore.errors import OptionError, WorkspaceError, WorkspaceLocked, WorkspaceNotOurs
from navcore.workspace.file_trees import move_contents, remove
from navcore.workspace.folder import (
    DEFAULT_WORKDIR,
    Workspace,
    delete,
    is_ours,
    locked,
    opened,
    replace_whole,
    waiting_room,
    workspace_path,
)
from navcore.workspace.settings import valid_model_name


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "work" / "model.nav.workspace"


def content_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def test_a_new_workspace_is_marked_and_a_continued_one_keeps_what_it_holds(root: Path) -> None:
    with opened(root) as workspace:
        (workspace.root / "status.yaml").write_text("x")
    assert is_ours(root)
    with opened(root) as workspace:
        assert workspace.status_file.read_text() == "x"
    with opened(root, override=True) as workspace:
        assert not workspace.status_file.exists()
        assert is_ours(root)


@pytest.mark.parametrize("override", [False, True])
def test_a_folder_that_is_not_ours_is_never_touched(root: Path, override: bool) -> None:
    (root / "thesis").mkdir(parents=True)
    (root / "thesis" / "chapter.txt").write_text("years of work")
    (root / ".navcore").mkdir()
    before = content_of(root.parent)
    with pytest.raises(WorkspaceNotOurs, match="was not made by navcore"), opened(root, override=override):
        pass
    assert content_of(root.parent) == before


def test_a_file_in_the_place_of_the_workspace_is_refused(root: Path) -> None:
    root.parent.mkdir()
    root.write_text("mine")
    with pytest.raises(WorkspaceNotOurs), opened(root, override=True):
        pass
    assert root.read_text() == "mine"


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_is_refused_even_to_a_workspace_of_ours(root: Path, tmp_path: Path, dangling: bool) -> None:
    real = tmp_path / "real"
    if not dangling:
        with opened(real):
            pass
        (real / "file").write_text("x")
    root.parent.mkdir()
    root.symlink_to(real)
    with pytest.raises(WorkspaceNotOurs, match="symbolic link"), opened(root, override=True):
        pass
    assert dangling or (real / "file").read_text() == "x"


def test_a_folder_in_which_navcore_was_killed_before_it_set_its_marker_can_be_used(root: Path) -> None:
    (root / ".navcore").mkdir(parents=True)
    (root / ".navcore" / ".nav-0123456789ab-0123456789ab.part").write_text("{")
    with opened(root):
        assert is_ours(root)


def test_emptying_follows_no_links(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    with opened(root):
        (root / "link").symlink_to(outside)
        (root / ".navcore" / "link").symlink_to(outside)
    with opened(root, override=True):
        assert not (root / "link").exists()
    assert (outside / "file").read_text() == "x"


HOLD = """
import sys
from pathlib import Path
from navcore.workspace import opened
with opened(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_of_two_runs_is_told_who_has_the_workspace(root: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(WorkspaceLocked, match=f"in use by process {other.pid} on"), opened(root):
            pass
        other.kill()
        other.wait()
        with opened(root):  # the lock of a process that was killed is gone with it
            pass


def test_the_lock_holds_within_one_process_too(root: Path) -> None:
    with opened(root), pytest.raises(WorkspaceLocked, match=f"by process {os.getpid()}"), opened(root):
        pass
    with opened(root):
        pass


def test_a_workdir_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be used"), opened(tmp_path / "file" / "model.nav.workspace"):
        pass


def test_deleting_takes_only_what_is_ours(root: Path, tmp_path: Path) -> None:
    with opened(root) as workspace:
        (root / "onnx").mkdir()
        delete(workspace)
    assert not root.exists()
    (tmp_path / "foreign").mkdir()
    delete(Workspace(tmp_path / "foreign"))
    assert (tmp_path / "foreign").exists()


def test_replacing_is_undone_when_it_was_killed_between_its_renames(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(root):
        (root / "status.yaml").write_text("old")

    class Killed(BaseException):
        pass

    rename = Path.rename

    def killed_at_the_second(self: Path, target: Path) -> Path:
        if self.name == "content":
            raise Killed
        return rename(self, target)

    with locked(root):
        (waiting_room(root) / "content").mkdir()
        monkeypatch.setattr(Path, "rename", killed_at_the_second)
        with pytest.raises(Killed):
            _replace(root)
        monkeypatch.undo()
        assert not root.exists()
    with opened(root):
        assert (root / "status.yaml").read_text() == "old"


def _replace(root: Path) -> None:
    replace_whole(root, root.parent / f".{root.name}.incoming" / "content")


def test_replacing_leaves_the_new_workspace_and_nothing_else(root: Path) -> None:
    with opened(root):
        (root / "old").write_text("")
    with locked(root):
        room = waiting_room(root)
        (room / "content").mkdir()
        (room / "content" / "new").write_text("")
        _replace(root)
    assert {path.name for path in root.iterdir()} == {"new", ".navcore"}
    assert {path.name for path in root.parent.iterdir()} == {root.name, f".{root.name}.lock"}


def test_a_waiting_room_that_is_somebody_elses_is_refused(root: Path) -> None:
    room = root.parent / f".{root.name}.incoming"
    room.mkdir(parents=True)
    (room / "mine").write_text("x")
    with locked(root), pytest.raises(WorkspaceNotOurs):
        waiting_room(root)
    assert (room / "mine").read_text() == "x"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a..b", "-x", ".x", "a b", "ü", "x" * 129, "a\n"])
def test_names_that_cannot_name_a_folder_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match="cannot name a folder"):
        valid_model_name(name)


def test_the_path_of_a_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert workspace_path(None, "bert") == tmp_path / DEFAULT_WORKDIR / "bert.nav.workspace"
    assert workspace_path("here", "bert") == tmp_path / "here" / "bert.nav.workspace"


def test_moving_replaces_files_and_folders(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for place, text in ((source, "new"), (target, "old")):
        (place / "folder").mkdir(parents=True)
        (place / "folder" / text).write_text(text)
    (target / "other").write_text("stays")
    move_contents(source, target)
    assert content_of(target).keys() == {"folder", "folder/new", "other"}
    assert not source.exists()
    remove(target / "nothing there")
