"""The examination of a machine: whatever a plugin does, the doctor names it and goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from navcore.cli import main
from navcore.cli.doctor_child import Diagnosis, PluginHealth, examine

pytestmark = pytest.mark.processes

PLUGINS = {
    "hanging": "import time\ntime.sleep(600)\n",
    "dying": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
    "leaving": "import os\nos._exit(0)\n",
    "raising": "raise RuntimeError('half installed')\n",
    "slow_probe": (
        "import time\nfrom navcore import Format, runner\n"
        "def probe():\n    time.sleep(600)\n"
        "@runner(Format('sleepy'), runtime='never', available=probe)\n"
        "def run_sleepy(job):\n    raise NotImplementedError\n"
    ),
    "warning": (
        "import logging, warnings\nfrom navcore import Format, runner\n"
        "def probe():\n    warnings.warn('installed twice')\n    logging.getLogger('x').warning('odd driver')\n"
        "@runner(Format('loud'), runtime='loud', available=probe)\n"
        "def run_loud(job):\n    raise NotImplementedError\n"
    ),
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugins above beside the toy, and no other."""
    for name, text in PLUGINS.items():
        (tmp_path / f"nav_{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("NAVCORE_DISABLE_PLUGINS", "torch,onnx,tensorflow,trt")
    use(monkeypatch, "toy=navcore.testing.toy", *(f"{name}=nav_{name}" for name in PLUGINS))


def use(monkeypatch: pytest.MonkeyPatch, *plugins: str) -> None:
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", ",".join(plugins))


def health(found: Diagnosis, name: str) -> PluginHealth:
    return next(plugin for plugin in found.plugins if plugin.name == name)


@pytest.mark.usefixtures("installed")
def test_each_plugin_that_misbehaves_is_named_and_the_others_are_examined() -> None:
    found = examine(timeout=3)
    assert not found.healthy
    told = {name: (health(found, name).status, health(found, name).problem) for name in PLUGINS}
    assert told["hanging"] == ("hangs", "ran longer than 3 s while being imported")
    assert told["dying"] == ("dies", "killed by SIGSEGV (segmentation fault) while being imported")
    assert told["leaving"][0] == "exits"
    assert told["raising"] == ("broken", "RuntimeError: half installed")
    assert told["slow_probe"] == ("hangs", "ran longer than 3 s while asking whether run_sleepy is available")
    assert told["warning"] == ("ok", "")
    assert health(found, "toy").status == "ok"


@pytest.mark.usefixtures("installed")
def test_what_a_probe_warns_of_is_a_remark(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "warning=nav_warning")
    assert set(health(examine(), "warning").remarks) == {"installed twice", "odd driver"}


@pytest.mark.usefixtures("installed")
def test_every_runtime_is_available_or_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "toy=navcore.testing.toy")
    found = examine()
    assert found.healthy
    runtimes = {(route.format, route.name): route.reason for route in found.routes}
    assert runtimes["toy-alpha", "toy-runtime"] == ""
    assert runtimes["toy-alpha", "toy-accelerator"] == "there is no toy accelerator in this machine"


@pytest.mark.usefixtures("installed")
def test_two_plugins_that_are_fine_alone_can_still_be_in_conflict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = (
        "from navcore import Format, runner\n"
        "@runner(Format('toy-alpha', filename='x'), runtime='r')\n"
        "def run_other(job):\n    raise NotImplementedError\n"
    )
    (tmp_path / "nav_other.py").write_text(other)
    use(monkeypatch, "toy=navcore.testing.toy", "zother=nav_other")
    found = health(examine(), "zother")
    assert found.status == "broken"
    assert "declares the format 'toy-alpha' differently" in found.problem


@pytest.mark.usefixtures("installed")
def test_the_command_exits_1_for_a_broken_plugin_and_0_for_a_missing_device(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "toy=navcore.testing.toy", "raising=nav_raising")
    bad = CliRunner().invoke(main, ["doctor"])
    assert bad.exit_code == 1
    assert "RuntimeError: half installed" in bad.output
    use(monkeypatch, "toy=navcore.testing.toy")
    good = CliRunner().invoke(main, ["doctor", "--json"])
    assert good.exit_code == 0
    answer = json.loads(good.output)
    assert set(answer) == {"machine", "plugins", "routes"}
    assert {"python", "cpus", "memory", "gpu", "threads"} <= set(answer["machine"])


@pytest.mark.usefixtures("installed")
def test_a_plugin_that_was_left_out_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "toy=navcore.testing.toy")
    monkeypatch.setenv("NAVCORE_DISABLE_PLUGINS", "toy,torch,onnx,tensorflow,trt,openvino")
    found = examine()
    assert {plugin.status for plugin in found.plugins} == {"left out"}
    assert found.healthy
