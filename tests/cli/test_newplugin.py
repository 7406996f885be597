"""`navcore new-plugin` writes a project that can be installed and passes its own conformance test as it stands."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import navcore
from navcore.cli.newplugin import new_plugin
from navcore.cli.plugin_template import write_plugin
from navcore.errors import InputError


def python(*arguments: str, cwd: Path) -> str:
    """What a fresh Python prints, with this navcore on its path and no plugin of this environment switched on."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "NAVCORE_DISABLE_PLUGINS": "torch,onnx,tf,trt,openvino", "NAVCORE_EXTRA_PLUGINS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(importlib.util.find_spec("setuptools") is None, reason="setuptools is not installed to build with")
@pytest.mark.slow  # pip builds and installs it
def test_the_project_installs_and_passes_its_own_conformance_test(tmp_path: Path) -> None:
    project, environment = tmp_path / "project", tmp_path / "environment"
    write_plugin("my_format", project)
    # An environment of its own that sees this one's packages: installing must not change where the tests run.
    python("-m", "venv", "--without-pip", "--system-site-packages", str(environment), cwd=tmp_path)
    own = environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (own / "around.pth").write_text("\n".join(f"import site; site.addsitedir({path!r})" for path in _packages()))
    inside = str(environment / "bin" / "python")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [inside, *arguments],
            cwd=project,
            env={**os.environ, "NAVCORE_DISABLE_PLUGINS": "torch,onnx,tf,trt,openvino", "NAVCORE_EXTRA_PLUGINS": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-e", ".")
    assert "nav-my-format: my-format models for navcore." in run("-m", "navcore.cli", "plugins")
    told = run("-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider")
    assert " passed" in told
    assert "skipped" not in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "source"),
    [("live", None), ("converter", "toy-alpha"), ("source", None), ("runner", "toy-alpha"), ("profiler", None)],
)
def test_each_kind_passes_its_own_test_as_it_stands(kind: str, source: str | None, tmp_path: Path) -> None:
    write_plugin("my_format", tmp_path / "project", kind=kind, source=source)
    path = os.pathsep.join([str(tmp_path / "project"), *(entry for entry in sys.path if entry)])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"],
        cwd=tmp_path / "project",
        env={
            **os.environ,
            "PYTHONPATH": path,
            "NAVCORE_DISABLE_PLUGINS": "torch,onnx,tf,trt,openvino",
            "NAVCORE_EXTRA_PLUGINS": "my_format=nav_my_format,toy=navcore.testing.toy",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


@pytest.mark.parametrize("kind", ["live", "source", "profiler"])
def test_a_kind_that_starts_from_no_other_format_refuses_one(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="starts from no other format"):
        write_plugin("my_format", tmp_path / "project", kind=kind, source="onnx")
    assert not (tmp_path / "project").exists()


def test_a_source_that_cannot_be_a_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot name a format"):
        write_plugin("my_format", tmp_path / "project", kind="converter", source="../x")


def _packages() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages")] + [str(Path(navcore.__file__).parents[1])]


def test_the_project_is_named_after_the_plugin_everywhere(tmp_path: Path) -> None:
    written = write_plugin("my_format", tmp_path / "somewhere")
    text = "\n".join(path.read_text() for path in written)
    assert (tmp_path / "somewhere" / "nav_my_format" / "__init__.py") in written
    assert 'my_format = "nav_my_format"' in text
    assert 'Format("my-format"' in text
    assert "def my_format_from_live" in text
    assert not re.search(r"\$[a-z{]", text)


@pytest.mark.parametrize("name", ["", "My", "my-format", "2d", "class", "a__b", "run", "planning", "../x"])
def test_a_name_that_cannot_be_a_plugins_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        write_plugin(name, tmp_path / "project")
    assert not (tmp_path / "project").exists()


def test_the_name_of_an_installed_plugin_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy")
    with pytest.raises(InputError, match="already brings a plugin named 'toy'"):
        write_plugin("toy", tmp_path / "project")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("finished")
    with pytest.raises(InputError, match="exists already"):
        write_plugin("my_format", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_command_says_what_it_wrote_and_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(new_plugin, ["my_format"]).output
    assert "nav_my_format/__init__.py" in told
    assert "cd nav-my-format" in told
    assert (tmp_path / "nav-my-format" / "tests" / "test_conformance.py").is_file()
    assert '"nav_my_format/__init__.py"' in CliRunner().invoke(new_plugin, ["other_one", "--json"]).output.replace(
        "nav_other_one", "nav_my_format"
    )


def test_the_command_refuses_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(new_plugin, ["My-Format"])
    assert answer.exit_code == 2
    assert answer.output.startswith("Error: 'My-Format' cannot name a plugin.")
