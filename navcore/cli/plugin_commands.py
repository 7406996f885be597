"""The commands that plugins bring to the command line: announced as entry points, imported when they are called."""

from __future__ import annotations

import importlib
from collections.abc import Container

import click

from navcore.errors import first_line
from navcore.registry import Candidate, command_candidates


def plugin_commands(taken: Container[str]) -> tuple[Candidate, ...]:
    """The commands that plugins announce in the entry-point group ``navcore.commands.v1``; none is imported.

    ``taken`` are the names of navcore's own.
    """
    return command_candidates(taken)


def who_brings(command: Candidate) -> str:
    """The distribution and version that a command is from."""
    return f"{command.distribution} {command.version}".rstrip()


def load_command(command: Candidate) -> click.Command:
    """Import a plugin's command. Raises :class:`click.ClickException`, in one sentence, when that cannot be done."""
    problem = command.problem
    if not problem:
        module, _, name = command.target.partition(":")
        try:
            found = getattr(importlib.import_module(module.strip()), name.strip() or command.name)
            if isinstance(found, click.Command):
                return found
            problem = f"{command.target} is not a click command"
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an import runs foreign code; even SystemExit must not end the caller
            problem = f"{type(error).__name__}: {first_line(error)}"
    raise click.ClickException(f"The command {command.name!r} of {who_brings(command)} cannot be used: {problem}.")
