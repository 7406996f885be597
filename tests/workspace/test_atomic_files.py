"""A file or folder appears complete or not at all, and leftovers of the dead are cleared away."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from navcore.workspace import opened
from navcore.workspace.atomic_files import sweep, whole_file, whole_folder, write_text


class Interrupted(BaseException):
    """What a Ctrl-C looks like."""


def test_a_file_lands_with_the_permissions_of_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "x.nav"
    with whole_file(path, replace=False) as descriptor:
        assert not path.exists()
        os.write(descriptor, b"new")
    (tmp_path / "plain").touch()
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert path.stat().st_nlink == 1


@pytest.mark.parametrize("error", [ValueError, Interrupted, MemoryError])
def test_whatever_goes_wrong_the_old_file_stays_and_nothing_else(error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "x.nav"
    path.write_bytes(b"old")

    def write_and_fail() -> None:
        with whole_file(path, replace=True) as descriptor:
            os.write(descriptor, b"new")
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x.nav"]


def test_a_file_that_comes_into_being_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.nav"
    with pytest.raises(FileExistsError), whole_file(path, replace=False):
        path.write_bytes(b"somebody else's")
    assert path.read_bytes() == b"somebody else's"
    assert os.listdir(tmp_path) == ["x.nav"]


def test_where_hard_links_are_unknown_renaming_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    with whole_file(tmp_path / "x.nav", replace=False) as descriptor:
        os.write(descriptor, b"new")
    assert os.listdir(tmp_path) == ["x.nav"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "x.nav").symlink_to("precious")
    with whole_file(tmp_path / "x.nav", replace=True):
        pass
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "x.nav").is_symlink()


def test_a_dangling_link_is_something_too(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("nowhere")
    with pytest.raises(FileExistsError), whole_folder(tmp_path / "out"):
        pytest.fail("the block must not run")
    with pytest.raises(FileExistsError), whole_file(tmp_path / "out", replace=False):
        pytest.fail("the block must not run")


def test_a_folder_cannot_be_replaced_by_a_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), whole_file(tmp_path, replace=True):
        pytest.fail("the block must not run")


def test_a_folder_is_private_until_it_lands(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "out") as folder:
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        (folder / "inner").mkdir()
        (folder / "inner" / "a").write_bytes(b"a")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "inner" / "a").read_bytes() == b"a"
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert sorted(os.listdir(tmp_path)) == ["out", "plain"]


def test_the_slower_of_two_is_refused_and_leaves_the_faster_alone(tmp_path: Path) -> None:
    def land_twice() -> None:
        with whole_folder(tmp_path / "out") as slow:
            (slow / "slow").touch()
            with whole_folder(tmp_path / "out") as fast:
                (fast / "fast").touch()

    with pytest.raises(FileExistsError):
        land_twice()
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out") == ["fast"]


def test_leftovers_of_a_killed_process_are_cleared_and_work_in_progress_is_not(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from navcore.workspace.atomic_files import whole_file, whole_folder
with whole_file(Path(sys.argv[1], "x.nav"), replace=False), whole_folder(Path(sys.argv[1], "out")) as folder:
    (folder / "half").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=_environment(), check=False)
    assert len(os.listdir(tmp_path)) == 2

    with whole_folder(tmp_path / "out"), whole_file(tmp_path / "x.nav", replace=False):
        assert len(os.listdir(tmp_path)) == 2
        with whole_file(tmp_path / "x.nav", replace=False) as descriptor:
            os.write(descriptor, b"nested")
        assert len(os.listdir(tmp_path)) == 3
        (tmp_path / "x.nav").unlink()
    assert sorted(os.listdir(tmp_path)) == ["out", "x.nav"]


KILLED = """
import os, signal, sys
from pathlib import Path
from navcore.workspace import whole_file
with whole_file(Path(sys.argv[1])) as descriptor:
    os.write(descriptor, b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    "place", ["status.yaml", "onnx/config.yaml", "model_input/0.npz", ".navcore/marker.json", ".navcore/a/b/result"]
)
def test_opening_a_workspace_sweeps_what_a_killed_writer_left(tmp_path: Path, place: str) -> None:
    root = tmp_path / "model.nav.workspace"
    with opened(root):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
    before = sorted(root.rglob("*"))
    subprocess.run([sys.executable, "-c", KILLED, str(root / place)], env=_environment(), check=False)
    assert len(sorted(root.rglob("*"))) == len(before) + 1
    with opened(root):
        assert sorted(root.rglob("*")) == before


def test_sweeping_leaves_the_work_of_the_living_alone(tmp_path: Path) -> None:
    with whole_file(tmp_path / "x") as descriptor:
        os.write(descriptor, b"new")
        sweep(tmp_path)
    assert (tmp_path / "x").read_bytes() == b"new"


def test_text_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "first")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "file", "\ud800")
    assert (tmp_path / "file").read_text() == "first"
    assert os.listdir(tmp_path) == ["file"]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
