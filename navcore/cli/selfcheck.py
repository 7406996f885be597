"""``navcore self-check``: does what is installed work on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import click

from navcore.cli import COMMANDS
from navcore.cli.answers import NOT_OK, Command, json_option, print_json, tell


@click.command("self-check", cls=Command, short_help=COMMANDS["self-check"][1])
@click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="NAME",
    help="Only the model that this plugin offers; may be repeated. Default: of all that offer one.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the report here, as JSON.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=1800.0,
    show_default=True,
    metavar="SECONDS",
    help="How long one plugin's model may take.",
)
@json_option
def self_check(plugins: tuple[str, ...], output: Path | None, timeout: float, as_json: bool) -> None:
    """Take small models to every format that is installed, and report what works on this machine.

    The models are those that plugins offer for their conformance tests. Every runtime is tried, also those that need a
    GPU. The exit code is 1 when a format failed; one that is unavailable is no fault.
    """  # fmt: skip
    from navcore.cli.selfcheck_child import report_of, try_plugins
    from navcore.workspace import write_text

    trials = try_plugins(plugins, timeout=timeout)
    report = report_of(trials)
    if output is not None:
        write_text(output, json.dumps(report, indent=1) + "\n")
    if as_json:
        print_json(report)
    else:
        for trial in trials:
            click.echo(f"The model of the plugin {trial.plugin}:\n\n{trial.table or trial.problem}\n")
    if output is not None:
        tell(f"Report: {output}")
    if any(trial.failed or trial.problem for trial in trials):
        raise click.exceptions.Exit(NOT_OK)
