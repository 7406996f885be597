"""Commands that plugins bring: listed without being imported, imported when called, named when broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

COMMAND = """
import click

@click.command("greet")
@click.argument("name")
def greet(name):
    click.echo("hello " + name)
"""


@attrs.frozen
class Place:
    """A folder on the path with distributions that announce commands."""

    path: Path

    def install(self, distribution: str, entry: str, source: str, group: str = "navcore.commands.v1") -> None:
        module = entry.partition("=")[2].strip().partition(":")[0]
        (self.path / f"{module}.py").write_text(source)
        info = self.path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")

    def navcore(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("NAVCORE_")}
        path = os.pathsep.join([str(self.path), *filter(None, [inherited.get("PYTHONPATH")])])
        return subprocess.run(
            [sys.executable, "-m", "navcore", *words],
            env={**inherited, "PYTHONPATH": path, **environment},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_command_is_called_by_its_name(place: Place) -> None:
    place.install("nav-greet", "greet = greet_commands:greet", COMMAND)
    assert place.navcore("greet", "you").stdout == "hello you\n"


def test_the_help_lists_it_and_does_not_import_it(place: Place) -> None:
    place.install("nav-greet", "greet = greet_commands:greet", "raise SystemExit('imported')")
    told = place.navcore("--help")
    assert told.returncode == 0, told.stderr
    assert "greet" in told.stdout
    assert "from nav-greet 1.0" in told.stdout


def test_a_command_is_imported_only_when_it_is_called(place: Place) -> None:
    place.install("nav-greet", "greet = greet_commands:greet", "raise SystemExit('imported')")
    assert place.navcore("formats").returncode == 0
    answer = place.navcore("greet", "you")
    assert answer.returncode == 1
    assert answer.stderr == "Error: The command 'greet' of nav-greet 1.0 cannot be used: SystemExit: imported.\n"


@pytest.mark.parametrize(
    ("entry", "source", "problem"),
    [
        ("greet = greet_commands:greet", "import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("greet = greet_commands:other", COMMAND, "module 'greet_commands' has no attribute 'other'"),
        ("greet = greet_commands:greet", "greet = 5", "greet_commands:greet is not a click command"),
        ("run = greet_commands:greet", COMMAND, "navcore has a command 'run' of its own"),
    ],
)
def test_a_broken_one_is_listed_with_its_reason_and_the_rest_works(
    place: Place, entry: str, source: str, problem: str
) -> None:
    place.install("nav-greet", entry, source)
    told = place.navcore("plugins")
    assert told.returncode == 0, told.stderr
    line = next(line for line in told.stdout.splitlines() if "nav-greet" in line)
    assert "broken" in line
    assert problem in " ".join(line.split())


def test_of_two_with_one_name_the_first_in_the_alphabet_answers(place: Place) -> None:
    place.install("nav-b", "greet = b_commands:greet", COMMAND.replace("hello", "b says"))
    place.install("nav-a", "greet = a_commands:greet", COMMAND.replace("hello", "a says"))
    assert place.navcore("greet", "x").stdout == "a says x\n"
    assert "nav-a 1.0 already brings a command 'greet'" in " ".join(place.navcore("plugins").stdout.split())


def test_a_distribution_that_is_left_out_brings_no_command(place: Place) -> None:
    place.install("nav-greet", "greet = greet_commands:greet", COMMAND)
    answer = place.navcore("greet", "x", NAVCORE_DISABLE_PLUGINS="nav-greet")
    assert answer.returncode != 0
    assert "left out by NAVCORE_DISABLE_PLUGINS" in answer.stderr


def test_another_generation_is_named_and_not_imported(place: Place) -> None:
    place.install("nav-greet", "greet = greet_commands:greet", "raise SystemExit", group="navcore.commands.v2")
    assert "it speaks navcore.commands.v2" in " ".join(place.navcore("plugins").stdout.split())


def test_the_json_of_plugins_has_the_commands_of_each(place: Place) -> None:
    place.install("nav-greet", "greet = greet_commands:greet", "greet = 5")
    listed = json.loads(place.navcore("plugins", "--json").stdout)
    found = next(one for one in listed if one["distribution"] == "nav-greet")
    assert found["commands"] == [
        {"name": "greet", "status": "broken", "problem": "greet_commands:greet is not a click command"}
    ]
    assert found["routes"] == []
