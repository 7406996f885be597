"""How the command line answers: errors as one sentence with an exit code, data on standard output, tables that fit."""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import sys
from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from navcore.errors import NavcoreError, OptionError, UnknownFormat

if TYPE_CHECKING:
    from rich.console import Console

    from navcore.registry import Registry
    from navcore.workspace import Record

NOT_OK = 1
_DISK_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)
WRONG_USAGE = 2
_ENDLESS = 1 << 20
_BROKEN_PIPE = 128 + signal.SIGPIPE
_DEBUG = "navcore.debug"
WORDS = "navcore.words"
"""Where a command keeps the words it was called with, in the context's ``meta``."""
_SPELLED = MappingProxyType(
    {
        "override_workdir=True": "--override-workdir",
        "override=True": "--override",
        "trust=True": "--trust",
        "timeout=": "--timeout",
        "memory_limit=": "--memory-limit",
        "model_name=": "--model-name ",
        "sample_count=": "--sample-count ",
    }
)
"""What an error tells a caller of the Python functions to write, and what that is on the command line."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output.")


class Refused(click.ClickException):
    """One sentence on standard error, and exit code 1."""

    exit_code = NOT_OK


class Misused(Refused):
    """The same for arguments that cannot be meant, with exit code 2."""

    exit_code = WRONG_USAGE


class Command(click.Command):
    """A command that tells errors in one sentence; ``--debug`` shows where they come from instead."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params.append(
            click.Option(
                ["--debug"],
                is_flag=True,
                expose_value=False,
                callback=lambda context, _parameter, wanted: context.meta.__setitem__(_DEBUG, wanted),
                help="Show the traceback of an error.",
            )
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and keep the words as they were given."""
        ctx.meta[WORDS] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it. Arguments that cannot be meant exit 2, every other error 1."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.meta.get(_DEBUG):
                raise
            if isinstance(error, BrokenPipeError):
                _leave_the_pipe()
            raise _told(error) from error


def _leave_the_pipe() -> NoReturn:
    """End in silence when the reader of the output has gone (``navcore formats | head``), as other commands do."""
    # What is still buffered would raise once more when Python flushes it at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise click.exceptions.Exit(_BROKEN_PIPE)


def _told(error: Exception) -> Refused:
    if isinstance(error, NavcoreError):
        sentence = str(error)
        for argument, option in _SPELLED.items():
            sentence = sentence.replace(argument, option)
        return (Misused if isinstance(error, OptionError | UnknownFormat) else Refused)(shown(sentence))
    if isinstance(error, OSError) and error.errno in _DISK_TROUBLE:
        place = f" at {error.filename}" if error.filename else ""
        return Refused(f"The disk cannot be written{place}: {error.strerror}. Free space, or give another --workdir.")
    return Refused(f"{type(error).__name__}: {error} (--debug shows where; this is a fault of navcore or of a plugin)")


def tell(sentence: str) -> None:
    """A line for people, on standard error."""
    click.echo(shown(sentence), err=True)


def shown(text: str) -> str:
    """``text`` with a visible escape in place of what a terminal would obey or hide: it may be a stranger's."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\n" else character.encode("unicode_escape").decode()
        for character in text
    )


def print_json(value: Any) -> None:
    """``value`` as indented JSON. A number that JSON has no word for (NaN, infinity) is ``null``.

    What cannot be seen is escaped: JSON has an escape for every character, and means the same with it.
    """
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    lines = (line if line.isprintable() else "".join(map(_json_escape, line)) for line in text.split("\n"))
    click.echo("\n".join(lines))


def _json_escape(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def knows_the_clock_of(record: Record) -> Registry | None:
    """The plugins, for what the record's profiler measures; of navcore's own that is known, and none is imported."""
    from navcore.registry import load_registry
    from navcore.workspace import Settings

    return None if record.settings.profiler == Settings().profiler else load_registry()


def print_results(record: Record) -> None:
    """The table of a record: as wide as the terminal, and whole where there is none."""
    from navcore.package import clock_of, print_table, render_table, terminal_width

    clock, width = clock_of(record.settings.profiler, knows_the_clock_of(record)), terminal_width()
    if width is None:
        click.echo(render_table(record.results, record.ranking, clock=clock))
    else:
        print_table(record.results, _terminal(width), record.ranking, width=width, clock=clock)


def print_columns(rows: Sequence[Sequence[str]], *, heads: Sequence[str] = (), numbers: Sequence[str] = ()) -> None:
    """Rows as columns; cells are folded where the terminal is too narrow.

    ``heads`` stand above them, if there are any; ``numbers`` are the heads of columns that are aligned on the right.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from navcore.package import terminal_width

    gap = 1 if heads else 2  # beside the head's line a column has a space of its own
    table = Table(box=box.SIMPLE_HEAD if heads else None, show_header=bool(heads), show_edge=False, pad_edge=False)
    table.padding = (0, gap, 0, 0)
    for head in heads or ("",) * len(rows[0]):
        table.add_column(Text(head), overflow="fold", justify="right" if head in numbers else "left")
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    console = _terminal(terminal_width())
    with console.capture() as captured:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _terminal(width: int | None) -> Console:
    """Standard output as rich prints on it: coloured on a terminal (not with ``NO_COLOR``), plain without a width."""
    from rich.console import Console

    terminal = width is not None
    return Console(file=sys.stdout, width=width or _ENDLESS, force_terminal=terminal, highlight=False)
