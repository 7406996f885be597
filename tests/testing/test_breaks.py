"""Each deliberate break of a plugin is one failure whose first sentence is the true cause: in the kit, and in a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from navcore.testing.conformance import examine

from .broken_plugin import BREAKS, SOUND, UNCONTAINED, Break

pytestmark = [pytest.mark.processes, pytest.mark.slow]

_RUN = """
import json, sys
import navcore
from {module} import conformance_model
model, data = conformance_model()
settings = {"timeout": 3, "run_profiling": False, "git_info": False, "workdir": sys.argv[1]}
package = navcore.run(model, data, targets=["pair"], **settings)
(row,) = [row for row in package.results if row.format == "pair"]
failures = [row.failure, *(one.failure for one in row.runtimes)]
causes = list(dict.fromkeys(failure.cause for failure in failures if failure is not None))
print()
print(json.dumps([str(row.status), causes]))
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that is a plugin as soon as it is written."""
    name = f"pair_of_{''.join(letter if letter.isalnum() else '_' for letter in tmp_path.name)}"
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", f"pair={name},toy=navcore.testing.toy")
    monkeypatch.setenv("NAVCORE_DISABLE_PLUGINS", "torch,onnx,tf,trt,openvino")
    return name


def broken(one: Break, module: str, tmp_path: Path) -> None:
    assert one.sound in SOUND
    (tmp_path / f"{module}.py").write_text(SOUND.replace(one.sound, one.faulty, 1))


def python(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def run(module: str, tmp_path: Path) -> tuple[str, list[str]]:
    """The status of the row, and every cause that it tells."""
    done = python("-c", _RUN.replace("{module}", module), str(tmp_path / "work"))
    assert done.returncode == 0, done.stderr
    status, causes = json.loads(done.stdout.splitlines()[-1])
    return status, causes


def test_the_sound_one_passes(module: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}.py").write_text(SOUND)
    assert {finding.verdict for finding in examine("pair", timeout=60)} == {"ok"}
    assert run(module, tmp_path) == ("ok", [])


@pytest.mark.parametrize("one", [*BREAKS, *UNCONTAINED], ids=lambda one: one.name)
def test_a_break_is_one_failure_of_the_kit(one: Break, module: str, tmp_path: Path) -> None:
    broken(one, module, tmp_path)
    findings = examine("pair", timeout=3)
    (failed,) = [finding for finding in findings if finding.verdict == "failed"]
    assert failed.id == one.case
    assert failed.reason.startswith(one.cause.replace("MODULE", module))
    for finding in findings:
        if finding.verdict == "skipped" and "isolation='caller'" not in finding.reason:
            assert failed.reason.rstrip(".") in finding.reason
            assert failed.id in finding.reason


@pytest.mark.parametrize("one", [one for one in BREAKS if one.row], ids=lambda one: one.name)
def test_a_break_is_one_failure_of_a_run(one: Break, module: str, tmp_path: Path) -> None:
    broken(one, module, tmp_path)
    status, (cause,) = run(module, tmp_path)
    assert status == "failed"
    assert cause.startswith(one.cause)


def test_what_is_printed_at_import_does_not_reach_the_answer(module: str, tmp_path: Path) -> None:
    broken(next(one for one in BREAKS if one.name == "prints at import"), module, tmp_path)
    done = python("-m", "navcore", "plugins", "--json")
    assert "pair" in json.dumps(json.loads(done.stdout))
    assert "Pair 3.0" in done.stderr


def test_a_run_says_why_a_plugin_that_cannot_be_imported_brings_nothing(module: str, tmp_path: Path) -> None:
    broken(next(one for one in BREAKS if one.name == "missing import"), module, tmp_path)
    told = python("-c", "import navcore; navcore.plan('toy-live', targets=['pair'])").stderr
    assert "pair is installed and cannot be used: ModuleNotFoundError: No module named 'not_installed'" in told


@pytest.mark.parametrize("name", ["SIGSEGV in the caller", "hang in the source", "hang at import"])
def test_pytest_goes_on_whatever_the_plugin_does(name: str, module: str, tmp_path: Path) -> None:
    broken(next(one for one in UNCONTAINED if one.name == name), module, tmp_path)
    (tmp_path / "test_pair.py").write_text(
        "from navcore.testing.conformance import conformance\n"
        "test_conformance = conformance('pair', timeout=3)\n"
        "def test_another(): pass\n"
    )
    done = python("-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "test_pair.py", cwd=tmp_path)
    assert "PASSED test_pair.py::test_another" in done.stdout
    assert done.stdout.count("\nFAILED ") == 1
    assert "1 failed" in done.stdout.splitlines()[-1]
