"""A module in a child process: whatever it does, the caller gets a report and nothing else happens to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from navcore.errors import StepError
from navcore.execution.isolation.procfs import identify
from navcore.execution.isolation.spawn import run_module
from navcore.execution.isolation.supervisor import ChildReport, Limits

pytestmark = pytest.mark.processes

RunChild = Callable[..., ChildReport]

MIB = 1 << 20


def test_a_child_answers_its_request(run_child: RunChild) -> None:
    report = run_child(
        'write_result(folder, {"sum": request["a"] + request["b"]}, done=True)', request={"a": 1, "b": 2.5}
    )

    assert (report.ended, report.cause) == ("ok", "")
    assert report.result == {"sum": 3.5}
    assert report.seconds > 0
    assert report.peak_memory is not None
    assert report.peak_memory > MIB


def test_a_python_error_leaves_its_traceback_in_the_log(run_child: RunChild) -> None:
    report = run_child("raise ValueError('seven is not even')")

    assert (report.ended, report.result) == ("no-result", None)
    assert report.cause == "exited with status 1 and left no result"
    assert "ValueError: seven is not even" in report.log.read_text()


@pytest.mark.parametrize(
    ("lines", "ended", "cause"),
    [
        ("import ctypes; ctypes.string_at(0)", "crash", "killed by SIGSEGV (segmentation fault)"),
        ("import os; os.abort()", "crash", "killed by SIGABRT (aborted)"),
        (
            "import os; os.kill(os.getpid(), 9)",
            "killed",
            "killed by SIGKILL (by the kernel, out of memory, or by somebody's kill -9)",
        ),
        ("import os; os.kill(os.getpid(), 15)", "killed", "killed by SIGTERM (terminated)"),
        ("import os; os.kill(os.getpid(), 40)", "killed", "killed by signal 40"),
    ],
)
def test_a_signal_is_named_and_told_from_a_fault_of_the_childs_own(
    run_child: RunChild, lines: str, ended: str, cause: str
) -> None:
    report = run_child(lines)

    assert (report.ended, report.cause, report.result) == (ended, cause, None)


def test_a_crash_leaves_its_python_frame_in_the_log(run_child: RunChild) -> None:
    report = run_child(
        """
        import ctypes

        def touch_nothing():
            ctypes.string_at(0)

        touch_nothing()
        """
    )

    assert "Fatal Python error: Segmentation fault" in report.log.read_text()
    assert "in touch_nothing" in report.log.read_text()


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ("import os; os._exit(0)", "exited with status 0 and left no result"),
        ("sys.exit(3)", "exited with status 3 and left no result"),
        ("write_result(folder, {'at': 1})", "exited with status 0 before it was done"),
    ],
)
def test_an_exit_status_is_not_an_answer(run_child: RunChild, lines: str, cause: str) -> None:
    report = run_child(lines)

    assert (report.ended, report.cause) == ("no-result", cause)


def test_progress_survives_a_later_crash(run_child: RunChild) -> None:
    report = run_child(
        """
        import ctypes
        write_result(folder, {"windows": 1})
        write_result(folder, {"windows": 2})
        ctypes.string_at(0)
        """
    )

    assert report.ended == "crash"
    assert report.result == {"windows": 2}


def test_a_crash_after_the_final_result_does_not_count(run_child: RunChild) -> None:
    report = run_child("import os; write_result(folder, {'answer': 42}, done=True); os.abort()")

    assert (report.ended, report.cause, report.result) == ("ok", "", {"answer": 42})


def test_a_slow_exit_is_not_waited_for(run_child: RunChild, tmp_path: Path) -> None:
    report = run_child(
        """
        import atexit, time
        atexit.register((folder / "waited.txt").touch)
        atexit.register(time.sleep, 50)
        write_result(folder, {}, done=True)
        """
    )

    assert report.ended == "ok"
    assert not (tmp_path / "step" / "waited.txt").exists()


def test_an_earlier_result_in_the_folder_is_not_taken_for_this_one(run_child: RunChild) -> None:
    assert run_child("write_result(folder, {}, done=True)").ended == "ok"

    assert run_child("pass").cause == "exited with status 0 and left no result"


@pytest.mark.parametrize(
    "lines",
    [
        "(folder / 'result.json').write_bytes((folder / 'result.json').read_bytes()[:-5])",
        "(folder / 'result.json').write_text((folder / 'result.json').read_text().replace('42', '43'))",
        "(folder / 'result.json').write_text('{\"done\": true, \"result\": {}}')",
    ],
    ids=["torn", "changed", "without a digest"],
)
def test_a_damaged_result_is_no_result(run_child: RunChild, lines: str) -> None:
    report = run_child(f"import os; write_result(folder, {{'answer': 42}}, done=True)\n{lines}\nos._exit(0)")

    assert (report.ended, report.result) == ("no-result", None)


def test_a_module_that_does_not_exist_is_a_report_too(tmp_path: Path) -> None:
    report = run_module("there_is_no_such_module", {}, folder=tmp_path, log=tmp_path / "log", limits=Limits())

    assert report.cause == "exited with status 1 and left no result"
    assert "there_is_no_such_module" in report.log.read_text()


def test_the_environment_is_set_on_top_of_the_callers(run_child: RunChild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_CALLER", "1")
    report = run_child(
        "from os import environ; write_result(folder, {k: environ[k] for k in request['names']}, done=True)",
        request={"names": ["OF_THE_CALLER", "OMP_NUM_THREADS"]},
        environment={"OMP_NUM_THREADS": "3"},
    )

    assert report.result == {"OF_THE_CALLER": "1", "OMP_NUM_THREADS": "3"}


def test_a_child_imports_from_where_the_caller_can_but_not_from_any_current_folder(
    run_child: RunChild, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend("")
    monkeypatch.syspath_prepend("relative")
    report = run_child("write_result(folder, {'path': sys.path}, done=True)")

    assert report.result is not None
    assert [entry for entry in sys.path if Path(entry).is_absolute() and entry not in report.result["path"]] == []
    assert str(Path("relative").absolute()) in report.result["path"]
    assert str(Path.cwd()) not in report.result["path"] or str(Path.cwd()) in sys.path
    assert "" not in report.result["path"]


def test_standard_input_is_empty(run_child: RunChild) -> None:
    assert run_child("write_result(folder, {'read': sys.stdin.read()}, done=True)").result == {"read": ""}


def test_an_interpreter_that_cannot_be_started_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/there/is/no/python")

    with pytest.raises(StepError, match="no Python process can be started"):
        run_module("any", {}, folder=tmp_path, log=tmp_path / "log", limits=Limits())


def test_a_grandchild_does_not_outlive_the_child(run_child: RunChild) -> None:
    report = run_child(
        """
        import subprocess, time
        started = [subprocess.Popen(["sleep", "300"], start_new_session=own).pid for own in (False, True)]
        time.sleep(0.3)  # a process that leaves the session is known once it has been seen below the child
        write_result(folder, {"pids": started}, done=True)
        """
    )

    assert report.result is not None
    assert [identify(pid) for pid in report.result["pids"]] == [None, None]


def test_the_log_gets_what_a_grandchild_prints(run_child: RunChild) -> None:
    report = run_child("import subprocess; subprocess.run(['sh', '-c', 'echo out; echo err >&2'])")

    assert report.log.read_text().split() == ["out", "err"]


def test_a_script_needs_no_main_guard(start_program: Callable[[str], subprocess.Popen[str]]) -> None:
    program = start_program(
        """
        from pathlib import Path
        from navcore.execution.isolation import Limits, run_forked, run_module

        print("the script runs")
        Path("beside.py").write_text('''
        from navcore.execution.isolation import enter_child, write_result
        enter_child()
        write_result("spawned", {"from": "module"}, done=True)
        '''.replace("        ", ""))
        print(run_module("beside", {}, folder=Path("spawned"), log=Path("a.log"), limits=Limits()).result)
        print(run_forked(lambda: {"from": "fork"}, folder=Path("forked"), log=Path("b.log"), limits=Limits()).result)
        """
    )

    assert program.communicate()[0].splitlines() == ["the script runs", "{'from': 'module'}", "{'from': 'fork'}"]


def test_a_caller_that_ignores_its_children_still_gets_the_result(
    start_program: Callable[[str], subprocess.Popen[str]],
) -> None:
    program = start_program(
        """
        import signal
        from pathlib import Path
        from navcore.execution.isolation import Limits, run_forked

        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        report = run_forked(lambda: {"x": 1}, folder=Path("f"), log=Path("a.log"), limits=Limits())
        print(report.ended, report.result)
        print(run_forked(lambda: 1 / 0, folder=Path("f"), log=Path("a.log"), limits=Limits()).cause)
        """
    )

    assert program.communicate()[0].splitlines() == [
        "ok {'x': 1}",
        "exited with a status that somebody else took and left no result",
    ]
