"""What exports import is imported once: it is noted in the fork, and brought in where the next fork comes from."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from navcore.testing.conformance import examine
from navcore.testing.importing import bring_in

Write = Callable[[str, str], str]

PLUGIN = '''
"""Two formats of the toy, whose exports import a framework of {folder}."""

from navcore import Format, Runner, exporter
from navcore.testing.toy import TOY


def made(job):
    import {framework}

    job.output.write_text("made")


@exporter(TOY, Format("pair-one", filename="model.one"), isolation="fork")
def one(job):
    made(job)


@exporter(TOY, Format("pair-two", filename="model.two"), isolation="fork")
def two(job):
    made(job)
'''


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a module that can be imported here, and so in children; its name is made of the folder's."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def module(name: str, code: str) -> str:
        full = f"{name}_of_{''.join(letter if letter.isalnum() else '_' for letter in tmp_path.name)}"
        (folder / f"{full}.py").write_text(code)
        return full

    return module


def noted(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "1.json").write_text(json.dumps(names))


def test_what_was_noted_is_imported(tmp_path: Path, write: Write) -> None:
    framework, missing = write("framework", ""), write("another", "import not_installed")
    noted(tmp_path / "notes", missing, framework)
    bring_in(tmp_path / "notes", without=())
    assert framework in sys.modules
    assert not list((tmp_path / "notes").iterdir())


def test_the_environment_is_as_it_was(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_PLACE", "chosen")
    noted(tmp_path / "notes", write("writer", "import os; os.environ.update(A_PLACE='other', A_CACHE='somewhere')"))
    bring_in(tmp_path / "notes", without=())
    assert os.environ["A_PLACE"] == "chosen"
    assert "A_CACHE" not in os.environ


def test_plugins_are_left_to_the_forks(tmp_path: Path, write: Write) -> None:
    plugin = write("plugin", "")
    noted(tmp_path / "notes", plugin)
    bring_in(tmp_path / "notes", without={plugin})
    assert plugin not in sys.modules


def test_nothing_is_imported_after_a_module_that_starts_a_thread(tmp_path: Path, write: Write) -> None:
    begins = "import threading\nended = threading.Event()\nthreading.Thread(target=ended.wait, daemon=True).start()\n"
    first, second = write("threads", begins), write("further", "")
    noted(tmp_path / "notes", first, second)
    bring_in(tmp_path / "notes", without=())
    assert second not in sys.modules
    sys.modules[first].ended.set()


@pytest.mark.processes
def test_the_second_export_finds_the_framework_of_the_first(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = tmp_path / "imports"
    framework = write("framework", f"open({str(count)!r}, 'a').write('.')")
    module = write("pair", PLUGIN.format(framework=framework, folder=tmp_path.name))
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", f"pair={module},toy=navcore.testing.toy")
    monkeypatch.setenv("NAVCORE_DISABLE_PLUGINS", "torch,onnx,tf,trt,openvino,huggingface,triton")
    findings = examine("pair", checks=["output_is_made", "source_is_left_alone", "failure_names_the_plugin"])
    assert {finding.id for finding in findings if finding.verdict == "ok"} >= {
        "output_is_made[one]", "output_is_made[two]", "source_is_left_alone[two]",
    }  # fmt: skip
    assert count.read_text() == ".."  # in the first fork, and where the others come from
