"""The code of a plugin that is being written stands behind its version, so that no result of other code is reused."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from navcore.contract import Route
from navcore.registry import load_registry
from navcore.registry.own_code import code_of

CONVERTER = """
import json
from navcore import Format, Runner, converter, runner
from {beside} import FACTOR

STORED = Format("fresh", filename="model.json")


@converter("toy-alpha", STORED)
def fresh_from_alpha(job):
    job.output.write_text(json.dumps(FACTOR))


@runner(STORED, runtime="fresh-cpu")
def run_fresh(job):
    factor = json.loads(job.artifact.file.read_text())
    return Runner(lambda feeds: {{"y": (feeds["x"] * factor).astype("float32")}})
"""
RUN = """
import sys, navcore
from navcore.testing import toy
model = toy.ToyModel(factor=2.0)
settings = dict(workdir=sys.argv[1], run_profiling=False, git_info=False)
events = []
package = navcore.run(model, toy.dataloader(), targets=["fresh"], progress=events.append, **settings)
made = [event.reused for event in events if event.stage == "making" and event.subject == "fresh" and event.status]
print(package.get_status("fresh"), *made)
"""

Write = Callable[[str], None]


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that is a plugin as soon as it is written, of its own in each test: Python imports it once."""
    found = f"fresh_of_{''.join(letter if letter.isalnum() else '_' for letter in tmp_path.name)}"
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", f"toy=navcore.testing.toy,fresh={found}")
    return found


def write(folder: Path, name: str, factor: float) -> None:
    (folder / f"{name}.py").write_text(CONVERTER.format(beside=f"{name}_beside"))
    (folder / f"{name}_beside.py").write_text(f"FACTOR = {factor!r}\n")


def run(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(folder / "work")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def route(name: str) -> Route:
    importlib.invalidate_caches()
    plugin = load_registry().plugin("fresh")
    assert plugin is not None
    assert plugin.problem == ""
    return next(one for one in plugin.routes if one.hook == "convert")


@pytest.mark.processes
def test_a_changed_function_is_run_again_and_an_unchanged_one_is_not(name: str, tmp_path: Path) -> None:
    write(tmp_path, name, 3.0)
    assert run(tmp_path) == "False False"
    assert run(tmp_path) == "False True"
    write(tmp_path, name, 2.0)  # in the module beside it: no version has changed
    assert run(tmp_path) == "True False"
    assert run(tmp_path) == "True True"


def test_the_code_of_a_module_is_it_and_what_it_imports_beside_it(name: str, tmp_path: Path) -> None:
    write(tmp_path, name, 2.0)
    first = code_of(route(name))
    assert len(first) == 64
    (tmp_path / "unrelated.py").write_text("x = 1\n")
    assert code_of(route(name)) == first
    write(tmp_path, name, 2.5)
    assert code_of(route(name)) not in ("", first)


def test_the_code_of_a_package_is_all_of_its_modules(name: str, tmp_path: Path) -> None:
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").write_text(CONVERTER.format(beside=f"{name}.inner"))
    (package / "inner.py").write_text("FACTOR = 2.0\n")
    first = code_of(route(name))
    (package / "notes.txt").write_text("nothing")
    assert code_of(route(name)) == first
    (package / "inner.py").write_text("FACTOR = 2.00\n")
    assert code_of(route(name)) != first


def test_an_installed_plugin_has_its_version_alone(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "lib" / "site-packages"
    place.mkdir(parents=True)
    monkeypatch.syspath_prepend(place)
    write(place, name, 2.0)
    assert code_of(route(name)) == ""


def test_an_export_has_the_code_that_this_process_has_imported(name: str, tmp_path: Path) -> None:
    text = (
        "from navcore import Format, exporter\nfrom navcore.testing.toy import TOY\n\n\n"
        "@exporter(TOY, Format('fresh'))\ndef fresh_from_toy(job):\n    job.output.write_text('{number}')\n"
    )

    def code() -> str:
        plugin = load_registry().plugin("fresh")
        assert plugin is not None
        return code_of(plugin.routes[0])

    (tmp_path / f"{name}.py").write_text(text.format(number=1))
    first = code()
    (tmp_path / f"{name}.py").write_text(text.format(number=12))
    assert code() == first, "the old function is what runs"
    importlib.reload(sys.modules[name])
    assert code() != first
