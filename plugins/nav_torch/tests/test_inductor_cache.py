"""Where inductor's cache lies, what it leaves in the environment, and what a killed compiler leaves in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nav_torch.inductor import why_no_compiler, why_no_torch_compile
from nav_torch.inductor_cache import inductor_cache

CHOSEN = "TORCHINDUCTOR_CACHE_DIR"


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CHOSEN, raising=False)


def test_it_lies_below_the_folder_and_the_environment_comes_back(tmp_path: Path) -> None:
    before = dict(os.environ)
    with inductor_cache(tmp_path / "cache"):
        place = Path(os.environ[CHOSEN])
        assert place.is_relative_to(tmp_path)
        assert place.is_dir()
        os.environ["_TORCHINDUCTOR_PYOBJECT_TENSOR_DATA_PTR"] = "1"
        os.environ["TRITON_CACHE_DIR"] = "x"
    assert dict(os.environ) == before
    (place / "kernel.so").touch()
    with inductor_cache(tmp_path / "cache"):
        assert (Path(os.environ[CHOSEN]) / "kernel.so").exists(), "what was made is kept"


def test_the_users_own_place_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CHOSEN, str(tmp_path / "own"))
    with inductor_cache(tmp_path / "cache"):
        assert os.environ[CHOSEN] == str(tmp_path / "own")
    assert os.environ[CHOSEN] == str(tmp_path / "own")
    assert not (tmp_path / "cache").exists()
    monkeypatch.delenv(CHOSEN)
    with inductor_cache(None):
        assert CHOSEN not in os.environ


def test_an_error_leaves_the_cache_as_it_is(tmp_path: Path) -> None:
    def fails() -> None:
        with inductor_cache(tmp_path):
            (Path(os.environ[CHOSEN]) / "kernel.so").touch()
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    assert CHOSEN not in os.environ
    with inductor_cache(tmp_path):
        assert (Path(os.environ[CHOSEN]) / "kernel.so").exists()


_COMPILING = """
import os, sys
from pathlib import Path
from nav_torch.inductor_cache import inductor_cache
with inductor_cache(Path(sys.argv[1])):
    Path(os.environ["TORCHINDUCTOR_CACHE_DIR"], sys.argv[2]).write_bytes(b"half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def compiling(folder: Path, name: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _COMPILING, str(folder), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def end(process: subprocess.Popen[str], number: signal.Signals | None) -> None:
    if number is not None:
        process.send_signal(number)
    process.communicate()


def test_what_a_killed_compiler_left_half_written_is_never_loaded(tmp_path: Path) -> None:
    end(compiling(tmp_path, "half.so"), signal.SIGKILL)
    with inductor_cache(tmp_path):
        assert not Path(os.environ[CHOSEN], "half.so").exists()
        Path(os.environ[CHOSEN], "whole.so").touch()
    with inductor_cache(tmp_path):
        assert Path(os.environ[CHOSEN], "whole.so").exists()


def test_those_that_compile_beside_each_other_keep_their_files(tmp_path: Path) -> None:
    other = compiling(tmp_path, "others.so")
    try:
        with inductor_cache(tmp_path):
            assert Path(os.environ[CHOSEN], "others.so").exists()
            dead = compiling(tmp_path, "dead.so")
            end(dead, signal.SIGKILL)
        with inductor_cache(tmp_path):
            assert Path(os.environ[CHOSEN], "others.so").exists(), "one is at work: nothing is taken away from it"
    finally:
        end(other, None)
    with inductor_cache(tmp_path):
        assert list(Path(os.environ[CHOSEN]).iterdir()) == [], "the last one has gone, and one was killed"


@pytest.mark.compiler
def test_without_a_compiler_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    assert shutil.which("g++"), "the tests need a compiler"
    assert why_no_compiler() is None
    assert why_no_torch_compile() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why_no_compiler() == (
        "inductor needs a C++ compiler, and there is no g++: install it (apt-get install g++), or name another in the "
        "variable CXX"
    )
    assert why_no_torch_compile() == why_no_compiler()
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "CXX names 'no-such-compiler'" in (why_no_compiler() or "")
    monkeypatch.setenv("CXX", sys.executable)
    assert why_no_compiler() is None
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    assert "python3-dev" in (why_no_torch_compile() or "")
