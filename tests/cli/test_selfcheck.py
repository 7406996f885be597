"""``navcore self-check``: the models that plugins offer, taken through everything that is installed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from navcore.cli import main
from navcore.cli.selfcheck_child import report_of, try_plugins
from navcore.errors import InputError

pytestmark = pytest.mark.processes

OFFERS = '''
"""Offers a toy on which one route fails."""

from navcore.testing.toy import ToyModel, dataloader


def conformance_model():
    return ToyModel(mischief={"gamma": "raise"}), dataloader()
'''
DEADLY = '''
"""Offers nothing but its own death."""

import os, signal


def conformance_model():
    os.kill(os.getpid(), signal.SIGSEGV)
'''


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy, a plugin whose model is partly broken, and one that dies when it is asked for its model."""
    (tmp_path / "nav_shaky.py").write_text(OFFERS)
    (tmp_path / "nav_deadly.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy,shaky=nav_shaky,deadly=nav_deadly")
    monkeypatch.setenv("NAVCORE_DISABLE_PLUGINS", "torch,onnx,tensorflow,openvino,trt")


@pytest.mark.usefixtures("plugins")
def test_every_offered_model_is_taken_to_every_format_and_a_crash_is_one_plugins_problem() -> None:
    deadly, shaky, toy = try_plugins()
    assert [deadly.plugin, shaky.plugin, toy.plugin] == ["deadly", "shaky", "toy"]
    assert "SIGSEGV" in deadly.problem
    assert deadly.results == ()
    assert shaky.failed == ("toy-gamma",)
    assert not toy.failed
    assert {row["format"]: row["status"] for row in toy.results} == {
        "toy-live": "ok",
        "toy-alpha": "ok",
        "toy-beta": "ok",
        "toy-gamma": "ok",
        "toy-levels": "ok",
    }
    measured = next(row for row in toy.results if row["format"] == "toy-alpha")["runtimes"]
    assert {one["runtime"] for one in measured} == {"toy-runtime", "toy-accelerator"}
    assert "toy-gamma" in toy.table


@pytest.mark.usefixtures("plugins")
def test_the_report_is_for_somebody_who_was_not_there(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["self-check", "--plugin", "toy", "--output", str(tmp_path / "report.json")])
    assert told.exit_code == 0, told.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report) == {"machine", "environment", "plugins", "trials"}
    assert report["machine"]["gpu"]
    assert "python_packages" in report["environment"]
    versions = {plugin["name"]: plugin["versions"] for plugin in report["plugins"]}
    assert versions["toy"]["python"]
    (trial,) = report["trials"]
    assert (trial["plugin"], trial["problem"]) == ("toy", None)
    assert "The model of the plugin toy:" in told.stdout


@pytest.mark.usefixtures("plugins")
def test_a_format_that_failed_is_exit_code_1() -> None:
    told = CliRunner().invoke(main, ["self-check", "--plugin", "shaky", "--json"])
    assert told.exit_code == 1
    assert json.loads(told.stdout)["trials"][0]["plugin"] == "shaky"


@pytest.mark.usefixtures("toy")
def test_a_plugin_that_offers_no_model_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"No installed plugin called 'tyo' offers a model\. Those that do: toy\."):
        try_plugins(["tyo"])
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "")
    with pytest.raises(InputError, match="No plugin offers a model"):
        try_plugins()


def test_the_report_of_nothing_is_a_report() -> None:
    assert report_of(())["trials"] == []
