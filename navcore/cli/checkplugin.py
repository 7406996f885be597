"""``navcore check-plugin``: the conformance kit for people without pytest."""

from __future__ import annotations

import textwrap

import attrs
import click

from navcore.cli import COMMANDS
from navcore.cli.answers import NOT_OK, Command, json_option, print_json
from navcore.testing.verdicts import Finding

_WIDTH = 100


@click.command("check-plugin", cls=Command, short_help=COMMANDS["check-plugin"][1])
@click.argument("name")
@click.option(
    "--check",
    "checks",
    multiple=True,
    metavar="CHECK",
    help="Only this check, on every route that it is about; may be repeated.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How long one step may take.",
)
@click.option(
    "--allow-import",
    "allowed",
    multiple=True,
    metavar="DISTRIBUTION",
    help="A small distribution that the plugin's module may import at its top; may be repeated.",
)
@json_option
def check_plugin(name: str, checks: tuple[str, ...], timeout: float, allowed: tuple[str, ...], as_json: bool) -> None:
    """Try the installed plugin NAME with every check of the conformance kit, and say what to do where one fails.

    The exit code is 1 when a check failed. What cannot be tried on this machine is skipped, with the reason.
    """
    from navcore.testing.conformance import examine

    found = examine(
        name,
        checks=checks or None,
        timeout=timeout,
        allowed_imports=allowed,
        told=(lambda _: None) if as_json else _tell,
    )
    counts = {word: sum(one.verdict == word for one in found) for word in ("ok", "failed", "skipped")}
    if as_json:
        print_json({"plugin": name, **counts, "findings": [{"id": one.id, **attrs.asdict(one)} for one in found]})
    else:
        click.echo(", ".join(f"{count} {word}" for word, count in counts.items() if count) or "no such case")
    if counts["failed"]:
        raise click.exceptions.Exit(NOT_OK)


def _tell(finding: Finding) -> None:
    """A line per case, and below one that failed why, and what to do."""
    click.echo(f"{finding.verdict:8}{finding.id}")
    if finding.verdict == "failed":
        click.echo(_indented(f"{finding.reason.rstrip('.')}."))
        click.echo(_indented(f"What to do: {finding.advice}"))
    elif finding.verdict == "skipped":
        click.echo(_indented(finding.reason))


def _indented(text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8, break_long_words=False)
