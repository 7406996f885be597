"""The command ``navcore``: one group whose commands are imported when they are called, so that ``--help`` is quick."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import click

COMMANDS = {
    "run": ("running", "Export a model to every format, verify each, measure each, keep it all."),
    "plan": ("running", "Show what run would do with the same arguments, without doing it."),
    "plugins": ("listings", "List the installed plugins, also those that cannot be used, and why."),
    "formats": ("listings", "List the known formats: who makes each, who runs each, what is missing here."),
    "inspect": ("packages", "Show what a package or workspace holds, without reading a byte of its models."),
    "report": ("packages", "Print the table of a package or workspace, or write it as JSON or as a page with charts."),
    "load": ("loading", "Go on with a package on this machine: make what it leads to, verify, measure, keep."),
    "verify": ("packages", "Test a package on this machine, against the samples it carries."),
    "sign": ("packages", "Sign a package with a key, so that others can tell whom it comes from."),
    "profile": ("packages", "Measure the models of a package or workspace again."),
    "doctor": ("listings", "Examine this machine: Python, plugins, and every runtime with the reason why not."),
    "self-check": ("selfcheck", "Take small models to every format that is installed, and report what works here."),
    "check-plugin": ("checkplugin", "Try an installed plugin with the conformance kit, and say what to do."),
    "new-plugin": ("newplugin", "Write the project of a new plugin, to start from."),
}
"""Name → the module of :mod:`navcore.cli` that has it, and its line in ``navcore --help``."""


@contextlib.contextmanager
def _answers_alone() -> Iterator[None]:
    """Keep standard output for answers while a command runs.

    Plugins, and what they import, may write to it below Python: from C, or in a subprocess. Somebody may be reading
    JSON there, so all but ``sys.stdout`` leads to standard error.
    """
    said = sys.stdout
    caught = said is not sys.__stdout__
    if said is None or caught:  # there is nobody, or somebody who reads what is said into it
        yield
        return
    said.flush()
    answers = os.dup(1)
    os.dup2(2, 1)
    with open(answers, "w", buffering=1, encoding=said.encoding, errors=said.errors) as sys.stdout:
        try:
            yield
        finally:
            sys.stdout.flush()
            os.dup2(answers, 1)
            sys.stdout = said


class LazyCommands(click.Group):
    """A group of navcore's own commands, from :data:`COMMANDS`, and those of plugins; it imports the one called."""

    def main(self, *args: Any, **settings: Any) -> Any:
        """Run the command that the words name; see :func:`_answers_alone`."""
        from navcore.registry import own_streams

        with own_streams(), _answers_alone():
            return super().main(*args, **settings)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Navcore's own names in the order in which a user meets them, then those that plugins bring."""
        from navcore.cli.plugin_commands import plugin_commands

        return [*COMMANDS, *(one.name for one in plugin_commands(COMMANDS) if not one.problem)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            from navcore.cli.plugin_commands import load_command, plugin_commands

            found = next((one for one in plugin_commands(COMMANDS) if one.name == cmd_name), None)
            return None if found is None else load_command(found)
        module = importlib.import_module(f"navcore.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])
        from navcore.cli.plugin_commands import plugin_commands, who_brings

        brought = [(one.name, f"from {who_brings(one)}") for one in plugin_commands(COMMANDS) if not one.problem]
        if brought:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(brought)


def model_from(text: str) -> Any:
    """The model that a word of a command means: a file's path as it is, or what ``module:callable`` returns.

    For commands of plugins. Raises :class:`navcore.OptionError` for what cannot be imported, and
    :class:`navcore.SourceError` for what the callable raises.
    """
    from navcore.cli.inputs import model_from as found

    return found(text)


def _print_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from navcore import __version__

        click.echo(f"navcore {__version__}")
        context.exit()


@click.group(
    cls=LazyCommands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Results go to standard output, progress and errors to standard error. Exit code: 0 when what was asked for "
    "is ok, 1 when it is not, 2 for wrong usage.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def main() -> None:
    """Export a trained model to every format the installed plugins reach; prove, measure and pack each."""
