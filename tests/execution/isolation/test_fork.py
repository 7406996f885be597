"""A function in a fork of the caller: it has the caller's objects, and none of the caller's duties."""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from navcore.execution.isolation.fork import import_before_forks, run_forked
from navcore.execution.isolation.procfs import identify
from navcore.execution.isolation.result_file import write_result
from navcore.execution.isolation.supervisor import Limits

pytestmark = pytest.mark.processes

MIB = 1 << 20


def _describe(error: BaseException) -> dict[str, Any]:
    return {"error": type(error).__name__, "says": str(error)}


def test_the_fork_has_the_live_objects_of_the_caller(tmp_path: Path) -> None:
    unpicklable = (number * number for number in range(4))

    report = run_forked(lambda: {"squares": list(unpicklable)}, folder=tmp_path, log=tmp_path / "log", limits=Limits())

    assert (report.ended, report.result) == ("ok", {"squares": [0, 1, 4, 9]})
    assert next(unpicklable) == 0


@pytest.mark.parametrize("error", [ValueError("odd"), SystemExit("odd"), KeyboardInterrupt("odd")], ids=repr)
def test_an_exception_is_a_result_when_it_can_be_described(tmp_path: Path, error: BaseException) -> None:
    def work() -> dict[str, Any]:
        raise error

    report = run_forked(work, folder=tmp_path, log=tmp_path / "log", limits=Limits(), describe=_describe)

    assert (report.ended, report.result) == ("ok", {"error": type(error).__name__, "says": "odd"})
    assert "Traceback" in report.log.read_text()


def test_an_exception_that_nobody_describes_is_in_the_log(tmp_path: Path) -> None:
    report = run_forked(lambda: {"x": 1 / 0}, folder=tmp_path, log=tmp_path / "log", limits=Limits())

    assert (report.ended, report.cause) == ("no-result", "exited with status 1 and left no result")
    assert "ZeroDivisionError" in report.log.read_text()


def test_a_result_that_is_not_plain_data_is_an_exception_of_the_work(tmp_path: Path) -> None:
    report = run_forked(
        lambda: {"set": {1, 2}}, folder=tmp_path, log=tmp_path / "log", limits=Limits(), describe=_describe
    )

    assert report.result is not None
    assert report.result["error"] == "TypeError"


def test_a_crash_is_contained_and_the_progress_kept(tmp_path: Path) -> None:
    def work() -> dict[str, Any]:
        write_result(tmp_path, {"half": True})
        ctypes.string_at(0)
        return {}

    report = run_forked(work, folder=tmp_path, log=tmp_path / "log", limits=Limits(), describe=_describe)

    assert (report.ended, report.result) == ("crash", {"half": True})
    assert "in work" in report.log.read_text()


def test_inherited_memory_does_not_count_as_the_forks_own(tmp_path: Path) -> None:
    model = b"x" * (200 * MIB)
    report = run_forked(
        lambda: {"bytes": len(model)}, folder=tmp_path, log=tmp_path / "log", limits=Limits(memory_bytes=100 * MIB)
    )

    assert report.ended == "ok"
    assert report.peak_memory is None or report.peak_memory < 100 * MIB


def test_memory_that_the_fork_takes_is_limited(tmp_path: Path) -> None:
    def work() -> dict[str, Any]:
        hoard = b"x" * (200 * MIB)
        signal.pause()
        return {"bytes": len(hoard)}

    report = run_forked(work, folder=tmp_path, log=tmp_path / "log", limits=Limits(memory_bytes=100 * MIB))

    assert report.ended == "memory"


def test_all_output_is_in_the_log_and_none_is_the_callers(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> dict[str, Any]:
        print("python")  # noqa: T201 -- what is tested
        os.write(1, b"descriptor\n")
        ctypes.CDLL(None).puts(b"c library")
        print("error stream", file=sys.stderr)  # noqa: T201
        subprocess.run(["echo", "grandchild"], check=True)
        return {"stdin": sys.stdin.read() + os.read(0, 10).decode()}

    report = run_forked(work, folder=tmp_path, log=tmp_path / "log", limits=Limits())

    assert report.result == {"stdin": ""}
    assert report.log.read_text().splitlines() == ["python", "descriptor", "c library", "error stream", "grandchild"]
    assert capfd.readouterr() == ("", "")


def test_what_the_caller_has_in_its_buffers_is_printed_once(
    start_program: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    program = start_program(
        """
        import ctypes, sys
        from pathlib import Path
        from navcore.execution.isolation import Limits, run_forked

        libc = ctypes.CDLL(None)
        print("from python", end=";")
        libc.printf(b"from c;")

        def work():
            print("in the fork")
            sys.stdout.flush()
            libc.fflush(None)
            return {}

        run_forked(work, folder=Path("step"), log=Path("log"), limits=Limits())
        """
    )

    assert sorted(program.communicate()[0].split(";")) == ["", "from c", "from python"]
    assert (tmp_path / "log").read_text() == "in the fork\n"


def test_the_callers_last_wishes_are_carried_out_by_the_caller_alone(
    start_program: Callable[[str], subprocess.Popen[str]],
) -> None:
    program = start_program(
        """
        import atexit, os, signal
        from pathlib import Path
        from navcore.execution.isolation import Limits, run_forked

        atexit.register(print, "atexit")
        signal.signal(signal.SIGTERM, lambda *_: print("handler"))

        def work():
            os.kill(os.getpid(), signal.SIGTERM)
            raise SystemExit

        try:
            for work in (work, lambda: {}, lambda: exit(3)):
                print(run_forked(work, folder=Path("step"), log=Path("log"), limits=Limits()).ended)
        finally:
            print("finally")
        """
    )

    assert program.communicate()[0].split() == ["killed", "ok", "no-result", "finally", "atexit"]


def test_a_fork_beside_other_threads_works_and_warns_nobody(tmp_path: Path) -> None:
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            report = run_forked(
                lambda: {"threads": threading.active_count()}, folder=tmp_path, log=tmp_path / "log", limits=Limits()
            )
    finally:
        stop.set()
        other.join()

    assert report.result == {"threads": 1}


def test_what_forks_need_is_imported_before_them_and_leaves_no_mark_on_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = framework(tmp_path, monkeypatch)
    write("slow", "import os\nos.environ['A_MARK'] = os.environ['HOME'] = 'x'\nos.chdir('/')\n")
    before, folder = dict(os.environ), os.getcwd()

    import_before_forks(["a_framework.slow", "a_framework.not_there"])

    there = run_forked(
        lambda: {"there": "a_framework.slow" in sys.modules}, folder=tmp_path, log=tmp_path / "log", limits=Limits()
    )
    assert there.result == {"there": True}
    assert (dict(os.environ), os.getcwd()) == (before, folder)


@pytest.mark.parametrize("line", ["raise ValueError('no')", "import sys; sys.exit(0)", "1 +"])
def test_what_cannot_be_imported_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    write = framework(tmp_path, monkeypatch)
    write("broken", line)
    write("sound", "")
    import_before_forks(["a_framework.broken", "a_framework.sound"])
    assert "a_framework.broken" not in sys.modules
    assert "a_framework.sound" in sys.modules


def test_nothing_is_imported_of_a_framework_that_is_not_in_use_or_once_there_is_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = framework(tmp_path, monkeypatch)
    write("busy", "import threading\nover = threading.Event()\nthreading.Thread(target=over.wait, daemon=True).start()")
    write("later", "")
    import_before_forks(["another_framework.part", "a_framework.busy", "a_framework.later"])
    assert "a_framework.later" not in sys.modules
    sys.modules["a_framework.busy"].over.set()


def framework(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """A package ``a_framework`` that is imported, into which modules can be written."""
    package = folder / "a_framework"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "a_framework"]:
        monkeypatch.delitem(sys.modules, name)
    importlib.import_module("a_framework")

    def write(name: str, code: str) -> None:
        (package / f"{name}.py").write_text(code)

    return write


def test_grandchildren_end_with_the_fork(tmp_path: Path) -> None:
    report = run_forked(
        lambda: {"pid": subprocess.Popen(["sleep", "300"]).pid},
        folder=tmp_path,
        log=tmp_path / "log",
        limits=Limits(),
    )

    assert report.result is not None
    assert identify(report.result["pid"]) is None


def test_the_callers_signal_mask_is_as_before(tmp_path: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        report = run_forked(
            lambda: {"blocked": list(signal.pthread_sigmask(signal.SIG_BLOCK, []))},
            folder=tmp_path,
            log=tmp_path / "log",
            limits=Limits(),
        )
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == {*before, signal.SIGUSR2}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    assert report.result == {"blocked": []}
