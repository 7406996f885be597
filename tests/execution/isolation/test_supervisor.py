"""The limits of a child, and what an interrupt of the supervising program does."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from navcore.errors import OptionError
from navcore.execution.isolation.child_register import kill_children
from navcore.execution.isolation.fork import run_forked
from navcore.execution.isolation.procfs import identify
from navcore.execution.isolation.result_file import write_result
from navcore.execution.isolation.supervisor import ChildReport, Limits

pytestmark = pytest.mark.processes

RunChild = Callable[..., ChildReport]

MIB = 1 << 20


@pytest.mark.parametrize("name", ["seconds", "memory_bytes", "log_bytes"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_that_is_not_positive_is_refused(name: str, value: float) -> None:
    with pytest.raises(OptionError, match=f"{name}=.* greater than zero"):
        Limits(**{name: value})  # type: ignore[arg-type]


def test_a_child_that_hangs_is_out_of_time_and_says_where_it_hung(tmp_path: Path) -> None:
    def wait_for_godot() -> dict[str, int]:
        write_result(tmp_path, {"began": True})
        signal.pause()
        return {}

    report = run_forked(wait_for_godot, folder=tmp_path, log=tmp_path / "log", limits=Limits(seconds=0.5))

    assert (report.ended, report.cause) == ("timeout", "ran longer than 0.5 s")
    assert report.result == {"began": True}
    assert "in wait_for_godot" in report.log.read_text()


def test_a_child_that_ignores_the_request_to_end_is_killed(run_child: RunChild) -> None:
    report = run_child(
        """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(300)
        """,
        limits=Limits(seconds=0.5),
    )

    assert report.ended == "timeout"


def test_a_child_that_takes_too_much_memory_is_killed(run_child: RunChild) -> None:
    report = run_child(
        """
        import time
        hoard = b"x" * (300 << 20)
        time.sleep(300)
        """,
        limits=Limits(seconds=60, memory_bytes=150 * MIB),
    )

    assert (report.ended, report.cause) == ("memory", "used more than 150 MiB")
    assert report.peak_memory is not None
    assert report.peak_memory > 150 * MIB


def test_the_memory_of_grandchildren_counts(run_child: RunChild) -> None:
    report = run_child(
        """
        import subprocess
        subprocess.run([sys.executable, "-c", "import time; hoard = b'x' * (200 << 20); time.sleep(300)"])
        """,
        limits=Limits(seconds=60, memory_bytes=150 * MIB),
    )

    assert report.ended == "memory"


def test_the_memory_of_orphans_counts(run_child: RunChild) -> None:
    report = run_child(
        """
        import subprocess, time
        hoard = [sys.executable, "-c", "import time; hoard = b'x' * (200 << 20); time.sleep(300)"]
        subprocess.run(["sh", "-c", '"$@" &', "sh", *hoard])
        time.sleep(300)
        """,
        limits=Limits(seconds=60, memory_bytes=150 * MIB),
    )

    assert report.ended == "memory"


def test_a_short_peak_is_seen_although_nobody_looked(run_child: RunChild) -> None:
    report = run_child("hoard = b'x' * (200 << 20); del hoard; write_result(folder, {}, done=True)")

    assert report.peak_memory is not None
    assert report.peak_memory > 200 * MIB


def test_a_flood_neither_fills_the_disk_nor_blocks_the_child(run_child: RunChild) -> None:
    report = run_child(
        """
        import os
        print("the beginning", flush=True)
        for _ in range(50):
            os.write(1, b"x" * (1 << 20))
        print("the end", flush=True)
        write_result(folder, {}, done=True)
        """,
        limits=Limits(log_bytes=64 << 10),
    )

    log = report.log.read_text()
    assert report.ended == "ok"
    assert len(log) < (64 << 10) + 100
    assert log.startswith("the beginning")
    assert f"{50 * MIB + len('the beginning the end ') - (64 << 10)} bytes of output dropped" in log
    assert log.endswith("the end\n")


def test_output_of_python_and_c_is_in_the_log_in_order(run_child: RunChild) -> None:
    report = run_child(
        """
        import ctypes, os
        libc = ctypes.CDLL(None)
        print("python")
        os.write(1, b"descriptor\\n")
        libc.puts(b"c library")
        print("error stream", file=sys.stderr)
        os.system("echo shell")
        print("last words")
        os.abort()
        """
    )

    assert report.log.read_text().startswith("python\ndescriptor\nc library\nerror stream\nshell\nlast words\n")


def test_a_child_that_closes_its_output_is_watched_to_the_end(run_child: RunChild) -> None:
    report = run_child(
        """
        import os, time
        os.close(1)
        os.close(2)
        time.sleep(0.2)
        write_result(folder, {}, done=True)
        """
    )

    assert report.ended == "ok"


def test_several_children_at_once_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    def run(number: int) -> ChildReport:
        def work() -> dict[str, int]:
            print(f"I am {number}")  # noqa: T201 -- what is tested
            if number % 3 == 2:
                os.abort()
            return {"number": number}

        folder = tmp_path / str(number)
        return run_forked(work, folder=folder, log=folder / "log", limits=Limits(seconds=60))

    with ThreadPoolExecutor(6) as threads:
        reports = list(threads.map(run, range(24)))

    assert [report.ended for report in reports] == ["ok", "ok", "crash"] * 8
    assert [report.result for report in reports if report.ended == "ok"] == [
        {"number": number} for number in range(24) if number % 3 != 2
    ]
    assert all(f"I am {number}\n" in report.log.read_text() for number, report in enumerate(reports))


def test_fifty_runs_leave_nothing_open(tmp_path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(50):
        run_forked(dict, folder=tmp_path, log=tmp_path / "log", limits=Limits())

    assert sorted(os.listdir("/proc/self/fd")) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "result.json"]


_INTERRUPTED = """
from pathlib import Path
from navcore.execution.isolation import Limits, run_forked, run_module

Path("hangs.py").write_text('''
import os, time
from pathlib import Path
from navcore.execution.isolation import enter_child
def hang():
    Path("pid.part").write_text(str(os.getpid()))
    os.rename("pid.part", "pid")
    time.sleep(300)
if __name__ == "__main__":
    enter_child()
    hang()
''')
import hangs
where = {"folder": Path("step"), "log": Path("log"), "limits": Limits(seconds=300)}
"""
_HANGING = {"module": 'run_module("hangs", {}, **where)', "fork": "run_forked(hangs.hang, **where)"}


@pytest.mark.parametrize("ending", ["write_result(folder, {}, done=True)", "os.abort()", "time.sleep(300)"])
def test_a_grandchild_in_a_session_of_its_own_ends_with_the_step(
    run_child: RunChild, tmp_path: Path, ending: str
) -> None:
    """It writes elsewhere, its parent is gone, and only its environment tells whose it is."""
    report = run_child(
        f"""
        import os, subprocess, time
        script = "sleep 300 </dev/null >/dev/null 2>&1 & echo $! > {tmp_path}/pid"
        subprocess.run(["sh", "-c", script], start_new_session=True)
        {ending}
        """,
        limits=Limits(seconds=5),
    )

    assert report.ended in ("ok", "crash", "timeout")
    assert identify(int((tmp_path / "pid").read_text())) is None


@pytest.mark.parametrize("way", ["module", "fork"])
def test_an_interrupt_kills_the_child_and_is_passed_on(
    way: str,
    start_program: Callable[[str], subprocess.Popen[str]],
    eventually: Callable[[Callable[[], object]], None],
    tmp_path: Path,
) -> None:
    program = start_program(_INTERRUPTED + _HANGING[way])
    eventually((tmp_path / "pid").exists)
    program.send_signal(signal.SIGINT)

    assert "KeyboardInterrupt" in program.communicate(timeout=30)[0]
    assert identify(int((tmp_path / "pid").read_text())) is None
    assert not (tmp_path / "step" / ".running.json").exists()


@pytest.mark.parametrize("way", ["module", "fork"])
def test_a_killed_parent_takes_its_child_along(
    way: str,
    start_program: Callable[[str], subprocess.Popen[str]],
    eventually: Callable[[Callable[[], object]], None],
    tmp_path: Path,
) -> None:
    program = start_program(_INTERRUPTED + _HANGING[way])
    eventually((tmp_path / "pid").exists)
    program.kill()

    eventually(lambda: identify(int((tmp_path / "pid").read_text())) is None)


def test_children_of_threads_can_be_killed_from_outside(
    tmp_path: Path, eventually: Callable[[Callable[[], object]], None]
) -> None:
    def hang() -> dict[str, int]:
        signal.pause()
        return {}

    with ThreadPoolExecutor() as threads:
        runs = [
            threads.submit(run_forked, hang, folder=tmp_path / name, log=tmp_path / f"{name}.log", limits=Limits())
            for name in ("one", "two")
        ]
        try:
            eventually(lambda: len(list(tmp_path.glob("*/.running.json"))) == 2)
        finally:
            killed = kill_children(tmp_path)

        assert len(killed) == 2
        assert [run.result().ended for run in runs] == ["killed", "killed"]


def test_a_log_that_cannot_be_opened_leaves_no_child(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()

    def work() -> dict[str, int]:
        (tmp_path / "started").touch()
        return {}

    with pytest.raises(IsADirectoryError):
        run_forked(work, folder=tmp_path, log=tmp_path / "log", limits=Limits())
    assert not (tmp_path / "started").exists()
