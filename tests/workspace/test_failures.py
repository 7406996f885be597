"""A failure tells a user the cause in one line, the frame of their own code, and what to do next."""

from __future__ import annotations

import errno
import importlib.util
import inspect
import itertools
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from navcore import errors
from navcore.errors import (
    ConversionError,
    ExportError,
    NavcoreError,
    OptionError,
    PluginError,
    StepCrashed,
    Unavailable,
    first_line,
)
from navcore.workspace.failures import describe, died, is_chance, user_frame
from navcore.workspace.results import Failure


def caught(*chain: BaseException) -> BaseException:
    """The first error as it arrives, each raised from the next."""
    for error, cause in itertools.pairwise(chain):
        error.__cause__ = cause
    return chain[0]


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (
            ConversionError("ValueError: no kernel", who="nav-p 1 (f)"),
            Failure("nav-p 1 (f): ValueError: no kernel", "conversion"),
        ),
        (Unavailable("no CUDA device", hint="Get one."), Failure("no CUDA device", "unavailable", hint="Get one.")),
        (OptionError("no such opset\nand more", who="p"), Failure("p: no such opset", "input")),
        (PluginError("", who="p"), Failure("p: PluginError", "plugin")),
        (
            StepCrashed("it was killed by SIGSEGV", who="p", category="crash"),
            Failure(
                "p: it was killed by SIGSEGV",
                "crash",
                hint="Native code ended the step's process; its log has the last words. It is not tried again before a "
                "version, an option or a limit of the step changes, or override_workdir=True forgets all.",
            ),
        ),
        (
            StepCrashed("out of time", category="timeout", hint="Wait."),
            Failure("out of time", "timeout", hint="Wait."),
        ),
        (
            ZeroDivisionError("division by zero"),
            Failure(
                "ZeroDivisionError: division by zero",
                "internal",
                hint="This is a fault of navcore or of a plugin: please report it with the log.",
            ),
        ),
    ],
)
def test_an_error_becomes_one_line(error: BaseException, failure: Failure) -> None:
    assert describe(error) == failure


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        caught(ExportError("MemoryError: (no message)", who="p"), MemoryError()),
        caught(ExportError("RuntimeError: it failed", who="p"), RuntimeError("it failed"), MemoryError()),
    ],
)
def test_too_little_memory_is_recognised_behind_any_error(error: BaseException) -> None:
    told = describe(error)
    assert told.category == "out-of-memory"
    assert told.hint == "The machine had no more: the next run tries it again."


@pytest.mark.parametrize(
    ("error", "category"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (caught(ExportError("OSError: No space left", who="p"), OSError(errno.EDQUOT, "quota")), "disk"),
        (OSError(errno.EFBIG, "File too large"), "disk"),
        (KeyboardInterrupt(), "interrupted"),
        (caught(ExportError("it failed"), subprocess.CalledProcessError(-9, ["tool"])), "killed"),
    ],
)
def test_chance_is_told_from_what_a_step_did(error: BaseException, category: str) -> None:
    assert describe(error).category == category
    assert is_chance(describe(error))
    assert "next run tries it again" in describe(error).hint


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOENT, "No such file"),
        subprocess.CalledProcessError(-11, ["tool"]),
        subprocess.CalledProcessError(1, ["tool"]),
        StepCrashed("it was killed by SIGSEGV", category="crash"),
        StepCrashed("out of time", category="timeout"),
        StepCrashed("used too much", category="memory"),
    ],
)
def test_what_a_step_did_itself_is_no_chance(error: BaseException) -> None:
    assert not is_chance(describe(error))


def test_a_child_that_died_is_told_by_how_it_ended() -> None:
    assert died("timeout", "it ran for 3 s", "nav-p 1 (f)") == Failure(
        "nav-p 1 (f): it ran for 3 s",
        "timeout",
        hint="Give it more time with timeout=, or look in its log for where it hangs.",
    )
    assert died("an ending of tomorrow", "x", "") == Failure("x", "an ending of tomorrow")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one"), "one"),
        (ValueError("\n\n  one  \ntwo"), "one"),
        (
            RuntimeError(
                "Exception from src/inference/src/cpp/core.cpp:84:\nCheck 'x' failed at src/a.cpp:3:\nno axis"
            ),
            "no axis",
        ),
        (RuntimeError("Exception from src/core.cpp:84:"), "Exception from src/core.cpp:84:"),
        (ValueError(), "(no message)"),
        (ValueError("  \n "), "(no message)"),
        (Mute(), "(no message)"),
    ],
)
def test_the_first_line_that_says_something(error: BaseException, line: str) -> None:
    assert first_line(error) == line


def their_model(depth: int) -> float:
    return their_model(depth - 1) if depth else json.loads("nonsense")


def raised() -> ValueError:
    try:
        their_model(2)
    except ValueError as error:
        return error
    raise AssertionError


def test_the_frame_is_the_users_innermost_one_and_not_the_librarys() -> None:
    frame = user_frame(raised())
    line = inspect.getsourcelines(their_model)[1] + 1
    assert frame == f"{__file__}:{line} in their_model"
    assert user_frame(ValueError("never raised")) == ""


def test_what_is_installed_elsewhere_is_a_library_too(tmp_path: Path) -> None:
    """Pluggy's frames, say, in an environment that finds it in another one's packages."""
    place = tmp_path / "other" / "site-packages"
    place.mkdir(parents=True)
    (place / "pluggy_of_others.py").write_text("def call(function):\n    function()\n")
    spec = importlib.util.spec_from_file_location("pluggy_of_others", place / "pluggy_of_others.py")
    assert spec is not None
    assert spec.loader is not None
    library = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(library)
    with pytest.raises(TypeError) as caught:
        library.call(3)
    assert user_frame(caught.value).endswith("in test_what_is_installed_elsewhere_is_a_library_too")


def test_the_frame_is_found_behind_the_plugins_error() -> None:
    assert describe(caught(ExportError("x"), RuntimeError("in between"), raised())).frame.endswith("in their_model")


def test_a_ring_of_causes_has_an_end() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert describe(one).cause == "ValueError: one"


@pytest.mark.parametrize("packaged", [True, False])
def test_a_plugin_beside_the_users_script_is_not_the_users_code(tmp_path: Path, packaged: bool) -> None:
    source = "from navcore import Format, converter\n@converter('onnx', Format('mine'))\ndef f(model): model()\n"
    if packaged:
        (tmp_path / "nav_mine").mkdir()
        (tmp_path / "nav_mine" / "__init__.py").write_text("from nav_mine.inner import f")
        (tmp_path / "nav_mine" / "inner.py").write_text(source)
    else:
        (tmp_path / "nav_mine.py").write_text(source)
    script = tmp_path / "script.py"
    script.write_text(
        "import nav_mine\nfrom navcore.workspace.failures import user_frame\n"
        "def model():\n    1 / 0\n"
        "def other():\n    nav_mine.f(None)\n"
        "for call in (lambda: nav_mine.f(model), other):\n"
        "    try:\n        call()\n"
        "    except Exception as error:\n        print(user_frame(error))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        env={"NAVCORE_EXTRA_PLUGINS": "mine=nav_mine", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:2] == [f"{script}:4 in model", f"{script}:6 in other"]


@pytest.mark.parametrize(
    "kind",
    [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, NavcoreError)],
)
def test_every_error_travels_between_processes_and_stands_in_the_tree(kind: type[NavcoreError]) -> None:
    extra = {"code": "zip"} if issubclass(kind, errors.PackageError) else {}
    error = kind("It broke.", who="nav-p 1", hint="Mend it.", **extra)
    assert str(error) == "nav-p 1: It broke. Mend it."
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert vars(again) == vars(error)
    assert kind.__name__ in str(errors.__doc__)
