"""The command line from outside: what a user types, what comes out where, and the exit code.

The models are those of the toy framework, which an environment variable makes a plugin.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from click.testing import CliRunner

from navcore.cli import COMMANDS, main
from navcore.cli.inputs import ArrayFolder, ArrayRows, data_from, model_from
from navcore.cli.running import is_ok
from navcore.contract.formats import Format
from navcore.errors import DataloaderError, OptionError
from navcore.workspace.results import FormatResult, Status

pytestmark = pytest.mark.processes

USER_MODULE = """
from navcore.testing.toy import ToyModel, dataloader

live = ToyModel()
items = dataloader()


def model():
    print("a user's module may print")
    return ToyModel()


def half_good():
    return ToyModel(mischief={"beta": "numbers", "detour": "raise"})


def all_bad():
    return ToyModel(mischief={"alpha": "raise"})


def broken():
    raise RuntimeError("no weights here")


def data():
    return dataloader()
"""
QUICK = ("--measurement-interval", "10", "--budget", "1")
PLUGINS = {"NAVCORE_EXTRA_PLUGINS": "toy=navcore.testing.toy", "NAVCORE_DISABLE_PLUGINS": "torch,onnx"}


@attrs.frozen
class Shell:
    """A folder with the user's module in it, and the command line."""

    folder: Path

    def navcore(self, *words: str | Path, expect: int = 0, apart: bool = False) -> subprocess.CompletedProcess[str]:
        """Call the command line: ``run`` in a process of its own, the others here unless they have to be ``apart``."""
        call = self._in_a_process if apart or words[0] == "run" else self._here
        done = call(*map(str, words))
        assert done.returncode == expect, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def _in_a_process(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "navcore.cli", *words],
            cwd=self.folder,
            env={**os.environ, **PLUGINS},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def _here(self, *words: str) -> subprocess.CompletedProcess[str]:
        known, path = set(sys.modules), sys.path[:]
        try:
            with contextlib.chdir(self.folder):
                sys.path.insert(0, str(self.folder))
                done = CliRunner(env=PLUGINS).invoke(main, words, prog_name="navcore")
        finally:
            sys.path[:] = path
            for name in {"mymodel"} - known:
                sys.modules.pop(name, None)
        error = done.exception
        if error is not None and not isinstance(error, SystemExit):
            traceback.print_exception(error)
            raise AssertionError("the command let an exception through") from error
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    def data(self, *words: str | Path, expect: int = 0) -> Any:
        return json.loads(self.navcore(*words, "--json", expect=expect).stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "mymodel.py").write_text(USER_MODULE)
    return Shell(tmp_path)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder in which one run has left a workspace and ``model.nav``."""
    folder = tmp_path_factory.mktemp("packed")
    (folder / "mymodel.py").write_text(USER_MODULE)
    shell = Shell(folder)
    shell.navcore("run", "mymodel:model", "--data", "mymodel:data", *QUICK, "--save", "model.nav")
    return shell


WORKSPACE = Path("navigator_workdir", "navigator_model.nav.workspace")


# The group


def test_help_lists_every_command_and_imports_none_of_them() -> None:
    script = """
import sys
from click.testing import CliRunner
from navcore.cli import main
told = CliRunner().invoke(main, ["--help"]).output
assert "doctor" in told and "inspect" in told, told
heavy = {"numpy", "cattrs", "pluggy", "yaml", "rich", "navcore.registry.registry", "navcore.api", "navcore.cli.running"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["plugins", "formats", "plan"])
def test_listing_imports_no_framework(command: str) -> None:
    script = f"""
import sys
from click.testing import CliRunner
from navcore.cli import main
words = {command!r}.split() + (["toy-live"] if {command!r} == "plan" else [])
done = CliRunner().invoke(main, words, env={{"NAVCORE_EXTRA_PLUGINS": "toy=navcore.testing.toy"}})
assert done.exit_code == 0, done.output
print(sorted({{"torch", "tensorflow", "onnx", "onnxruntime", "tensorrt"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_summary_that_the_group_shows(name: str) -> None:
    context = main.make_context("navcore", ["plan"], resilient_parsing=True)
    command = main.get_command(context, name)
    assert command is not None
    assert command.name == name
    assert command.short_help == COMMANDS[name][1]


def test_the_version_is_the_distributions() -> None:
    from navcore import __version__

    assert CliRunner().invoke(main, ["--version"]).output == f"navcore {__version__}\n"


def test_the_page_mentions_every_command_and_every_option() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    sections = dict(re.findall(r"^## navcore ([\w-]+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert list(sections) == list(COMMANDS)
    everywhere = page.partition("## navcore")[0]
    context = main.make_context("navcore", ["plan"], resilient_parsing=True)
    for name, section in sections.items():
        command = main.get_command(context, name)
        assert command is not None
        assert f"$ navcore {name}" in section, f"navcore {name} has no example"
        shared = sections["run"] if name == "plan" else ""
        options = {text for parameter in command.params for text in parameter.opts if text.startswith("--")}
        silent = [text for text in options if f"`{text}" not in section + shared + everywhere]
        assert not silent, f"docs/cli.md says nothing of {silent} of navcore {name}"


# run


def test_a_run_prints_the_table_and_keeps_progress_out_of_it(packed: Shell) -> None:
    done = packed.navcore("run", "mymodel:model", "--data", "mymodel:data", *QUICK, "--save", "model.nav", "--override")
    assert done.stdout.startswith("format "), "what the user's module prints is not part of the answer"
    assert "toy-live (source)" in done.stdout
    assert "a user's module may print" in done.stderr
    assert "reused" in done.stderr, "the second run continues the first one's workspace"
    assert "Package: model.nav" in done.stderr
    assert (packed.folder / "model.nav").exists()


def test_the_profiling_estimate_is_told_before_the_first_check(shell: Shell) -> None:
    told = shell.navcore("run", "mymodel:model", "--data", "mymodel:data", *QUICK, "--target", "toy-alpha").stderr
    assert 0 < told.index("estimate") < told.index("check ")


def test_run_as_json(shell: Shell) -> None:
    words = ("run", "mymodel:live", "--data", "mymodel:items", "--no-profiling", "--target", "toy-beta")
    answer = shell.data(*words, "--model-name", "mine", "--workdir", "here")
    assert answer["workspace"] == str(shell.folder / "here" / "mine.nav.workspace")
    assert answer["package"] is None
    rows = {row["format"]: row for row in answer["results"]}
    assert rows["toy-live"]["source"]
    assert rows["toy-beta"]["status"] == "ok"
    assert not rows["toy-alpha"]["requested"]
    assert "toy-gamma" not in rows


def test_one_target_of_two_failed_is_exit_code_1(shell: Shell) -> None:
    words = ("run", "mymodel:half_good", "--data", "mymodel:data", "--no-profiling")
    told = shell.navcore(*words, "--target", "toy-alpha", "--target", "toy-beta", expect=1).stdout
    assert "failed  toy-beta in toy-runtime: " in told  # the route that came furthest made a file that is not right
    shell.navcore(*words, "--target", "toy-alpha", expect=0)
    shell.navcore(*words, expect=0)


def test_nothing_ok_is_exit_code_1_and_no_package(shell: Shell) -> None:
    words = ("run", "mymodel:all_bad", "--data", "mymodel:data", "--no-profiling", "--save", "model.nav")
    done = shell.navcore(*words, expect=1)
    assert "mischief was asked for" in done.stdout
    assert "model.nav was not written" in done.stderr
    assert not (shell.folder / "model.nav").exists()


def test_a_model_file_and_an_npz_file(packed: Shell) -> None:
    np.savez(packed.folder / "rows.npz", x=np.arange(20, dtype=np.float32).reshape(5, 4))
    (packed.folder / "model.toy").write_bytes((packed.folder / WORKSPACE / "toy-alpha" / "model.toy").read_bytes())
    words = ("run", "model.toy", "--data", "rows.npz", "--no-profiling", "--model-name", "file", "--target", "toy-beta")
    rows = packed.data(*words)["results"]
    assert [(row["format"], row["source"], row["status"]) for row in rows] == [
        ("toy-alpha", True, "ok"),
        ("toy-beta", False, "ok"),
    ]


def test_options_of_routes_are_yaml(shell: Shell) -> None:
    words = ("run", "mymodel:model", "--data", "mymodel:data", "--no-profiling", "--target", "toy-alpha")
    told = shell.navcore(*words, "--option", "toy-alpha.scale=3.0", expect=1)
    assert "failed" in told.stdout


def test_a_plan_is_of_an_effort_and_says_how_long_it_takes(shell: Shell) -> None:
    quick, thorough = (shell.data("plan", "toy-live", "--effort", word) for word in ("quick", "thorough"))
    made = [{step["target"] for step in plan["steps"]} for plan in (quick, thorough)]
    assert made[1] - made[0] == {"toy-levels"}
    assert 0 < quick["seconds"] <= thorough["seconds"]  # steps side by side may cost no time
    last = shell.navcore("plan", "toy-live").stdout.splitlines()[-1]
    assert re.fullmatch(r"time +about \d+ (s|min) +for 3 formats to make and .*", last), last


def test_a_runtime_can_be_chosen(shell: Shell) -> None:
    rows = shell.data("plan", "toy-live", "--target", "toy-alpha", "--runtime", "toy-alpha=toy-runtime")["checks"]
    assert [row["runtime"] for row in rows if row["format"] == "toy-alpha"] == ["toy-runtime"]


def test_a_config_makes_its_variant_again(packed: Shell) -> None:
    config = WORKSPACE / "toy-beta" / "config.yaml"
    told = packed.navcore("plan", "mymodel:live", "--config", config).stdout
    assert "make    toy-beta" in told
    assert "toy-gamma" not in told
    assert "toy-gamma" in packed.navcore("plan", "mymodel:live", "--config", config, "--target", "toy-gamma").stdout


def test_a_config_alone_starts_at_its_own_file(packed: Shell) -> None:
    plan = packed.data("plan", "--config", WORKSPACE / "toy-alpha" / "config.yaml")
    assert plan["source"] == "toy-alpha"
    assert [step["target"] for step in plan["steps"]] == ["toy-beta", "toy-gamma"]


MISTAKES = {
    "MODEL is missing": (("run",), 2),
    "--data is missing": (("run", "mymodel:model"), 2),
    "mymodel has nothing called 'nix'": (("run", "mymodel:nix", "--data", "mymodel:data"), 2),
    "nomodule cannot be imported: there is no such module": (("run", "nomodule:x", "--data", "mymodel:data"), 2),
    "raised RuntimeError: no weights here": (("run", "mymodel:broken", "--data", "mymodel:data"), 1),
    "The model file nix.toy does not exist": (("run", "nix.toy", "--data", "mymodel:data"), 1),
    "Did you mean 'toy-alpha'?": (("plan", "toy-live", "--target", "toy-alpa"), 2),
    "Did you mean 'scale'?": (("plan", "toy-live", "--option", "toy-alpha.scal=1"), 2),
    "effort='fast' has to be one of": (("plan", "toy-live", "--effort", "fast"), 2),
    "is not KEY.NAME=VALUE": (("plan", "toy-live", "--option", "scale=1"), 2),
    "is not FORMAT=RUNTIME": (("plan", "toy-live", "--runtime", "toy-runtime"), 2),
    "is not a size such as": (("plan", "toy-live", "--memory-limit", "much"), 2),
    "the file exists. Add --override": (("run", "mymodel:model", "--data", "mymodel:data", "--save", "mymodel.py"), 2),
    "nothing is to be saved. Add --save FILE": (("run", "mymodel:model", "--data", "mymodel:data", "--compact"), 2),
    "No such command 'nix'": (("nix",), 2),
    "is not a workspace of navcore": (("report", "."), 1),
    "mymodel.py": (("inspect", "mymodel.py"), 1),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_gets_one_sentence_on_standard_error_and_no_traceback(shell: Shell, sentence: str) -> None:
    words, code = MISTAKES[sentence]
    done = shell.navcore(*words, expect=code)
    assert sentence in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_debug_shows_where_an_error_comes_from(shell: Shell) -> None:
    told = shell.navcore("run", "mymodel:broken", "--data", "mymodel:data", "--debug", expect=1).stderr
    assert 'raise RuntimeError("no weights here")' in told


# Listings


def test_a_reader_that_leaves_early_is_no_error(packed: Shell) -> None:
    command = [sys.executable, "-m", "navcore.cli", "inspect", str(packed.folder / "model.nav")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as navcore:
        assert navcore.stdout is not None
        assert navcore.stderr is not None
        navcore.stdout.close()
        assert navcore.stderr.read() == ""
    assert navcore.returncode == 128 + signal.SIGPIPE


def test_plugins_are_listed_also_the_broken(tmp_path: Path) -> None:
    (tmp_path / "nav_broken.py").write_text("import nowhere_to_be_found\n")
    extra = {"NAVCORE_EXTRA_PLUGINS": "toy=navcore.testing.toy,broken=nav_broken"}
    environment = {**os.environ, **extra, "PYTHONPATH": os.pathsep.join((str(tmp_path), *sys.path))}
    command = [sys.executable, "-m", "navcore.cli", "plugins"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[0].split() == ["name", "distribution", "version", "status", "summary"]
    broken = next(line for line in told.splitlines() if line.startswith("broken"))
    assert "ModuleNotFoundError" in broken
    done = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, check=True)
    status = {row["name"]: row["status"] for row in json.loads(done.stdout)}
    assert (status["toy"], status["broken"], status["navcore"]) == ("ok", "broken", "ok")


def test_a_plugin_that_writes_below_python_does_not_spoil_the_answer(tmp_path: Path) -> None:
    (tmp_path / "nav_loud.py").write_text(
        "import os, subprocess\nos.write(1, b'loud')\nsubprocess.run(['echo', 'loud'])\n"
    )
    extra = {"NAVCORE_EXTRA_PLUGINS": "loud=nav_loud", "PYTHONPATH": os.pathsep.join((str(tmp_path), *sys.path))}
    command = [sys.executable, "-m", "navcore.cli", "plugins", "--json"]
    done = subprocess.run(command, env={**os.environ, **extra}, capture_output=True, text=True, check=True)
    assert "loud" in [row["name"] for row in json.loads(done.stdout)]
    assert done.stderr.count("loud") == 2


def test_a_plugin_whose_framework_is_missing_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "nav_frameless.py").write_text(
        "from navcore import Format, runner\n"
        "@runner(Format('frameless'), runtime='r', available=lambda: \"pip install 'nav-frameless[cpu]'\")\n"
        "def run_it(job): ...\n"
    )
    extra = {"NAVCORE_EXTRA_PLUGINS": "frameless=nav_frameless"}
    environment = {**os.environ, **extra, "PYTHONPATH": os.pathsep.join((str(tmp_path), *sys.path))}
    command = [sys.executable, "-m", "navcore.cli", "plugins", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    row = next(row for row in json.loads(done.stdout) if row["name"] == "frameless")
    assert (row["status"], row["problem"]) == ("unavailable", "pip install 'nav-frameless[cpu]'")


def test_formats_say_who_makes_and_runs_them_and_what_is_missing(shell: Shell) -> None:
    told = shell.navcore("formats").stdout
    assert "toy-alpha  (family toy)  toy file" in told
    assert "alpha_from_toy from toy-live" in told
    assert "unavailable, there is no toy accelerator in this machine" in told
    alpha = next(row for row in shell.data("formats") if row["name"] == "toy-alpha")
    runtimes = {way["runtime"]: way["unavailable"] for way in alpha["run_by"]}
    assert runtimes == {
        "toy-runtime": None,
        "toy-accelerator": "there is no toy accelerator in this machine",
        "toy-oracle": None,
    }


def test_a_route_that_is_declared_as_data_is_listed_like_any_other(shell: Shell) -> None:
    (toy,) = (row for row in shell.data("plugins") if row["name"] == "toy")
    assert {"toy:beta_from_alpha", "toy:gamma_from_beta"} <= set(toy["routes"])
    made_by = {row["name"]: row["made_by"][0] for row in shell.data("formats") if row["made_by"]}
    decorated, data = made_by["toy-beta"], made_by["toy-gamma"]
    assert data == {**decorated, "route": "gamma_from_beta", "from": "toy-beta"}
    assert "made by  gamma_from_beta from toy-beta (toy)" in shell.navcore("formats").stdout


def test_plan_reads_no_data_and_needs_no_model(shell: Shell) -> None:
    assert shell.navcore("plan", "toy-live", "--data", "nowhere.npz").stdout.startswith("source  toy-live (live)")


# Packages


@pytest.mark.parametrize("where", ["model.nav", WORKSPACE])
def test_inspect_shows_the_model_and_the_table(packed: Shell, where: str | Path) -> None:
    told = packed.navcore("inspect", where).stdout
    assert "navigator_model" in told
    assert "x  float32" in told
    assert "toy-gamma" in told
    answer = packed.data("inspect", where)
    assert answer["kind"] == ("package" if where == "model.nav" else "workspace")
    assert bool(answer["files"]) == (where == "model.nav")


def test_inspect_counts_the_files_of_each_kind_and_lists_them_when_asked(packed: Shell) -> None:
    files = packed.data("inspect", "model.nav")["files"]
    counted = [line.split() for line in packed.navcore("inspect", "model.nav").stdout.splitlines()]
    for kind in {one["kind"] for one in files}:
        found = [one for one in files if one["kind"] == kind]
        assert [kind, str(len(found))] in [words[:2] for words in counted]
    listed = packed.navcore("inspect", "model.nav", "--files").stdout
    assert all(re.search(rf"{one['kind']} .* {one['sha256'][:12]}  {re.escape(one['name'])}", listed) for one in files)
    assert packed.data("inspect", "model.nav", "--files") == packed.data("inspect", "model.nav")


def test_inspect_and_report_read_no_byte_of_a_model(
    packed: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package whose model was exchanged is refused by verify, which leaves nothing, and is still inspected."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    content = (packed.folder / WORKSPACE / "toy-alpha" / "model.toy").read_bytes()
    package = (packed.folder / "model.nav").read_bytes()
    tampered = tmp_path / "tampered.nav"
    tampered.write_bytes(package.replace(content, content.replace(b"2.0", b"3.0")))
    assert tampered.read_bytes() != package
    assert packed.data("inspect", tampered)["model_name"] == "navigator_model"
    assert packed.data("report", tampered) == packed.data("report", "model.nav")
    assert "damaged or was exchanged" in packed.navcore("verify", tampered, expect=1).stderr
    assert list(tmp_path.iterdir()) == [tampered]


@pytest.mark.parametrize("where", ["model.nav", WORKSPACE])
def test_report_is_the_recorded_table(packed: Shell, where: str | Path) -> None:
    assert packed.navcore("report", where).stdout.startswith("format ")
    assert packed.data("report", where)[0]["format"] == "toy-live"


@pytest.mark.parametrize("where", ["model.nav", WORKSPACE])
def test_report_writes_a_page_and_leaves_a_file_that_is_there_alone(
    packed: Shell, tmp_path: Path, where: str | Path
) -> None:
    pytest.importorskip("altair", reason="the extra navcore[report] is not installed")
    page = tmp_path / "report.html"
    done = packed.navcore("report", where, "--html", page)
    assert (done.stdout, done.stderr) == ("", f"Report: {page}\n")
    assert "toy-alpha" in page.read_text("utf-8")
    page.write_text("somebody's")
    assert "exists. Give --override to replace it" in packed.navcore("report", where, "--html", page, expect=1).stderr
    assert page.read_text() == "somebody's"
    assert packed.data("report", where, "--html", page, "--override")[0]["format"] == "toy-live", "both can be had"
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_verify_tests_again_here_and_leaves_nothing(packed: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = packed.folder / "scratch"
    scratch.mkdir(exist_ok=True)
    monkeypatch.setenv("TMPDIR", str(scratch))
    done = packed.navcore("verify", "model.nav")
    assert "Ok here as recorded: toy-alpha in toy-runtime" in done.stderr
    assert list(scratch.iterdir()) == []
    answer = packed.data("verify", "model.nav", "--trust")
    assert answer["ok"]
    assert "toy-gamma in toy-runtime" in answer["tested"]
    assert answer["lost"] == []


def test_verify_fails_where_the_runtime_computes_something_else(
    packed: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The other machine is one whose toy runtime is another, wrong one."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "sitecustomize.py").write_text(
        "import json\n_loads = json.loads\n"
        "def loads(text, **more):\n"
        "    value = _loads(text, **more)\n"
        "    if isinstance(value, dict) and {'factor', 'offset', 'fixed'} <= set(value):\n"
        "        value['factor'] += 1\n"
        "    return value\n"
        "json.loads = loads\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), *sys.path)))
    done = packed.navcore("verify", "model.nav", expect=1, apart=True)
    assert "Was ok and is not ok here: toy-alpha in toy-runtime" in done.stderr
    assert "The logs are in" in done.stderr


def test_load_goes_on_with_a_package_and_packs_what_came_of_it(packed: Shell) -> None:
    words = ("load", "model.nav", "--workdir", "served", "--no-profiling", "--target", "toy-beta")
    done = packed.navcore(*words, "--option", "toy-beta.scale=1.0", "--save", "optimised.nav", "--compact")
    assert done.stdout.startswith("format ")
    assert "Package: optimised.nav" in done.stderr
    assert packed.data("report", "optimised.nav")[0]["format"] == "toy-live"
    assert "the file exists" in packed.navcore(*words, "--save", "optimised.nav", expect=2).stderr
    missing = packed.navcore(*words[:2], "--workdir", "other", "--target", "toy-zeta", expect=2)
    assert "No installed plugin knows the target 'toy-zeta'" in missing.stderr
    answer = packed.data(*words, "--override-workdir", "--target", "toy-gamma", "--trust")
    assert {row["format"]: row["status"] for row in answer["results"]}["toy-gamma"] == "ok"


def test_run_goes_on_with_a_package_without_data_of_its_own(packed: Shell) -> None:
    words = ("run", "model.nav", "--workdir", "run_again", "--no-profiling")
    answer = packed.data(*words, "--target", "toy-beta")
    assert {row["format"]: row["status"] for row in answer["results"]}["toy-beta"] == "ok"
    refused = packed.navcore(*words, "--sample-count", "3", expect=2)
    assert "sample_count cannot be changed for a package" in refused.stderr


def test_profile_measures_at_the_sizes_asked_for(packed: Shell) -> None:
    words = ("profile", "model.nav", "--workdir", "measured", "--override-workdir", *QUICK, "--batch-size", "3")
    alpha = next(row for row in packed.data(*words, "--trust") if row["format"] == "toy-alpha")
    runtime = next(one for one in alpha["runtimes"] if one["runtime"] == "toy-runtime")
    assert [one["batch_size"] for one in runtime["performance"]] == [3]
    workspace = Path("measured", WORKSPACE.name)
    told = packed.navcore("profile", workspace, *QUICK, "--batch-size", "2", "--trust")
    assert "Workspace: " in told.stderr
    assert "toy-alpha" in told.stdout


# What MODEL and --data mean


def test_an_npz_file_is_one_sample_per_row(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=np.arange(6).reshape(3, 2), length=np.array([7, 8, 9]))
    rows = data_from(str(tmp_path / "rows.npz"))
    assert isinstance(rows, ArrayRows)
    assert len(rows) == 3
    for _ in range(2):
        items = list(rows)
        assert items[1]["x"].tolist() == [[2, 3]]
        assert items[1]["length"].tolist() == [8]


@pytest.mark.parametrize(
    "arrays",
    [{}, {"x": np.zeros((3, 2)), "z": np.zeros((2, 2))}, {"x": np.zeros(())}],
    ids=["none", "uneven", "scalar"],
)
def test_an_npz_file_that_has_no_rows_is_refused(tmp_path: Path, arrays: dict[str, Any]) -> None:
    np.savez(tmp_path / "rows.npz", **arrays)
    with pytest.raises(DataloaderError, match="need one common length"):
        data_from(str(tmp_path / "rows.npz"))


def test_a_folder_of_npz_files_is_one_sample_per_file_in_the_order_of_numbers(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        np.savez(tmp_path / f"{number}.npz", x=np.full((2, 3), number))
    items = data_from(str(tmp_path))
    assert isinstance(items, ArrayFolder)
    assert len(items) == 3
    assert [int(item["x"][0, 0]) for item in items] == [1, 9, 10]


def test_nothing_in_an_npz_file_is_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataloaderError, match="cannot be read as an npz file"):
        data_from(str(tmp_path / "evil.npz"))


def test_data_that_is_nothing_of_the_kind_is_refused() -> None:
    with pytest.raises(OptionError, match="neither module:callable, nor an npz file"):
        data_from("nowhere")


def test_a_path_or_a_format_name_is_left_as_it_is() -> None:
    assert model_from("torch") == "torch"
    assert model_from("some/model.onnx") == "some/model.onnx"


# The exit code's rule


def row(name: str, status: Status, family: str | None = None) -> FormatResult:
    return FormatResult(Format(name, family=family or name), status, f"{name}/model", "plugin:route")


SOURCE = FormatResult(Format("live"), Status.OK, live=True)
ROWS = [SOURCE, row("a-1", Status.OK, "a"), row("a-2", Status.FAILED, "a"), row("b", Status.UNAVAILABLE)]


@pytest.mark.parametrize(
    ("targets", "ok"),
    [(None, True), (["a-1"], True), (["a"], False), (["a-1", "b"], False), (["live"], True), (["nobody"], False)],
)
def test_all_that_was_named_has_to_be_ok(targets: list[str] | None, ok: bool) -> None:
    assert is_ok(ROWS, targets) is ok


def test_the_source_alone_does_not_make_a_run_ok() -> None:
    assert not is_ok([SOURCE, row("a", Status.FAILED)], None)
