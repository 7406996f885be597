"""Warm processes: a child is forked from one as long as a run is under way, and is started anew where none will do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from navcore.execution.isolation import nursery
from navcore.execution.isolation.nursery import warm_children
from navcore.execution.isolation.procfs import descendants
from navcore.execution.isolation.spawn import run_module
from navcore.execution.isolation.supervisor import ChildReport, Limits
from navcore.execution.step_children import IMPORTED_BY_STEPS

pytestmark = pytest.mark.processes

Ask = Callable[..., dict[str, Any]]

CHILD = """
import os, sys
from pathlib import Path

loaded = sorted(sys.modules)

from navcore.execution.isolation import enter_child, write_result

def main(request_file):
    enter_child()
    import numpy
    said = {
        "parent": os.getppid(), "loaded": loaded, "home": os.environ.get("A_HOME"), "drawn": numpy.random.random(),
        "folder": os.getcwd(), "arguments": sys.argv,
    }
    write_result(Path(request_file).parent, said, done=True)

if __name__ == "__main__":
    main(sys.argv[1])
"""

BUSY = "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Write a module that can be imported here, and so in children."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def module(name: str, code: str) -> None:
        (folder / f"{name}.py").write_text(code)

    return module


@pytest.fixture
def report(tmp_path: Path, write: Callable[[str, str], None]) -> Callable[..., ChildReport]:
    write("a_warm_child", CHILD)

    def run(
        framework: str = "", module: str = "a_warm_child", seconds: float = 60, imports: Sequence[str] = ()
    ) -> ChildReport:
        return run_module(
            module,
            {},
            folder=tmp_path / "step",
            log=tmp_path / "step.log",
            limits=Limits(seconds=seconds),
            framework=framework,
            imports=imports,
        )

    return run


@pytest.fixture
def ask(report: Callable[..., ChildReport]) -> Ask:
    def answer(framework: str = "", imports: Sequence[str] = ()) -> dict[str, Any]:
        found = report(framework, imports=imports)
        assert found.ended == "ok", found.log.read_text()
        assert found.result is not None
        return found.result

    return answer


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[None]:
    with warm_children(tmp_path, IMPORTED_BY_STEPS):
        yield


@pytest.mark.usefixtures("warm")
class TestWhileARunIsUnderWay:
    def test_a_child_is_a_fork_of_a_process_that_has_imported_the_framework(self, ask: Ask) -> None:
        first, second = ask("wave"), ask("wave")
        assert first["parent"] == second["parent"] != os.getpid()
        assert {"wave", "numpy", "navcore.execution.worker"} <= set(first["loaded"])

    def test_what_a_child_imports_of_it_is_imported_once_for_all_that_follow(self, ask: Ask) -> None:
        before, asking, after = ask("wave"), ask("wave", ("colorsys", "is_not_there")), ask("wave")
        assert before["parent"] == asking["parent"] == after["parent"]
        assert "colorsys" not in before["loaded"]
        assert "colorsys" in asking["loaded"]
        assert "colorsys" in after["loaded"]

    def test_once_an_import_has_started_a_thread_children_are_started_anew(
        self, ask: Ask, write: Callable[[str, str], None]
    ) -> None:
        write("a_busy_part", BUSY)
        assert ask("wave")["parent"] != os.getpid()
        assert ask("wave", ("a_busy_part",))["parent"] == os.getpid()
        assert ask("wave")["parent"] == os.getpid()

    def test_each_framework_has_a_process_of_its_own(self, ask: Ask) -> None:
        one, other = ask("wave"), ask("colorsys")
        assert one["parent"] != other["parent"]
        assert "colorsys" not in one["loaded"]
        assert "wave" not in other["loaded"]

    def test_children_do_not_draw_the_same_numbers(self, ask: Ask) -> None:
        assert ask()["drawn"] != ask()["drawn"]

    def test_a_child_finds_the_environment_and_the_folder_of_its_caller(
        self, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = ask()
        monkeypatch.setenv("A_HOME", "here")
        monkeypatch.chdir(tmp_path)
        after = ask()
        assert (before["home"], after["home"], after["folder"]) == (None, "here", str(tmp_path))
        assert before["parent"] != after["parent"]  # what a framework reads when it is imported may depend on it

    @pytest.mark.parametrize("variable", ["NAVCORE_EXTRA_PLUGINS", "NAVCORE_DISABLE_PLUGINS"])
    def test_other_plugins_do_not_make_another_process(
        self, ask: Ask, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        before = ask()["parent"]
        monkeypatch.setenv(variable, "toy=navcore.testing.toy")
        assert ask()["parent"] == before  # each request names the plugins, and a warm process has looked for none

    def test_its_arguments_are_those_of_a_module_that_is_run(self, ask: Ask, tmp_path: Path) -> None:
        assert ask()["arguments"] == ["a_warm_child", str(tmp_path / "step" / "request.json")]

    def test_a_framework_that_is_not_there_is_the_childs_business(self, ask: Ask) -> None:
        assert ask("no_such_framework")["parent"] != os.getpid()

    @pytest.mark.parametrize(
        "code",
        [
            "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            "import os; os.abort()",
            "raise SystemExit",
        ],
        ids=["starts a thread", "crashes", "exits"],
    )
    def test_where_a_framework_cannot_be_imported_beforehand_children_are_started_anew(
        self, ask: Ask, write: Callable[[str, str], None], code: str
    ) -> None:
        write("strange_framework", code)
        assert ask("strange_framework")["parent"] == os.getpid()
        assert ask()["parent"] != os.getpid()  # others are not concerned

    def test_a_framework_that_hangs_costs_its_patience_once(
        self, ask: Ask, write: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(nursery, "_PATIENCE", 1.0)
        write("hanging_framework", "import time; time.sleep(600)")
        assert ask("hanging_framework")["parent"] == os.getpid()
        assert ask("hanging_framework")["parent"] == os.getpid()

    def test_there_are_only_so_many_at_a_time(self, ask: Ask) -> None:
        for name in ("wave", "colorsys", "quopri", ""):
            assert ask(name)["parent"] != os.getpid()
        assert ask("chunk")["parent"] == os.getpid()

    def test_a_child_whose_warm_process_is_killed_was_killed(
        self, report: Callable[..., ChildReport], ask: Ask, write: Callable[[str, str], None], tmp_path: Path
    ) -> None:
        parent = ask()["parent"]
        write(
            "a_waiting_child",
            "import time\nfrom pathlib import Path\nfrom navcore.execution.isolation import enter_child\n"
            f"def main(_):\n    enter_child()\n    Path({str(tmp_path / 'begun')!r}).touch()\n    time.sleep(60)\n",
        )

        def kill() -> None:
            while not (tmp_path / "begun").exists():
                pass
            os.kill(parent, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        found = report(module="a_waiting_child")
        killer.join()
        assert (found.ended, found.cause) == ("killed", "killed together with the warm process that it was forked from")
        assert ask()["parent"] == os.getpid()


def test_without_a_run_children_are_started_anew(ask: Ask) -> None:
    assert ask("wave")["parent"] == os.getpid()


def test_runs_beside_each_other_share_them_and_the_last_one_ends_them(ask: Ask, tmp_path: Path) -> None:
    with warm_children(tmp_path, IMPORTED_BY_STEPS):
        with warm_children(tmp_path, IMPORTED_BY_STEPS):
            inner = ask()["parent"]
        assert ask()["parent"] == inner
    assert not descendants(os.getpid())


def test_who_was_there_first_goes_on_having_what_it_asked_for(ask: Ask, tmp_path: Path) -> None:
    with warm_children(tmp_path, ["colorsys"]), warm_children(tmp_path, ["wave"]):
        assert {"colorsys", "wave"} <= set(ask()["loaded"])
    with warm_children(tmp_path, ["wave"]):
        assert "colorsys" not in ask()["loaded"]


def test_plugins_are_imported_beforehand_where_that_is_asked_for(ask: Ask, tmp_path: Path) -> None:
    with warm_children(tmp_path, IMPORTED_BY_STEPS, plugins=["colorsys"]):
        assert {"colorsys", "wave"} <= set(ask("wave")["loaded"])


def test_a_plugin_that_starts_a_thread_has_children_started_anew(
    ask: Ask, tmp_path: Path, write: Callable[[str, str], None]
) -> None:
    write("a_busy_plugin", BUSY)
    with warm_children(tmp_path, IMPORTED_BY_STEPS, plugins=["a_busy_plugin"]):
        assert ask()["parent"] == os.getpid()


PROGRAM = """
import sys
from pathlib import Path
from navcore.execution.isolation.nursery import warm_children
from navcore.execution.isolation.spawn import run_module
from navcore.execution.isolation.supervisor import Limits

here = Path(sys.argv[1])
with warm_children(here, ["numpy"]):
    run_module("sleeper", {}, folder=here / "step", log=here / "log", limits=Limits(), framework="")
"""


def test_nothing_survives_a_program_that_is_killed(
    tmp_path: Path, write: Callable[[str, str], None], eventually: Callable[[Callable[[], object]], None]
) -> None:
    write(
        "sleeper",
        "import os, time\nfrom pathlib import Path\nfrom navcore.execution.isolation import enter_child\n"
        f"def main(_):\n    enter_child()\n    Path({str(tmp_path / 'begun')!r}).write_text(str(os.getppid()))\n"
        "    time.sleep(600)\n",
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], env=environment)
    eventually(lambda: (tmp_path / "begun").exists() and (tmp_path / "begun").read_text())
    family = {process.pid for process in descendants(program.pid)}
    assert len(family) == 2
    program.kill()
    program.wait()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))
