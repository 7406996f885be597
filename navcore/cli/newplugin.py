"""``navcore new-plugin``: the project of a new plugin, to start from."""

from __future__ import annotations

from pathlib import Path

import click

from navcore.cli import COMMANDS
from navcore.cli.answers import Command, json_option, print_json


@click.command("new-plugin", cls=Command, short_help=COMMANDS["new-plugin"][1])
@click.argument("name")
@click.option("--into", type=click.Path(path_type=Path), help="The folder to write, by default nav-NAME.")
@click.option(
    "--kind",
    type=click.Choice(["live", "converter", "source", "runner", "profiler"]),
    default="live",
    show_default=True,
    help="What it begins with: the live models of a framework, a format made of another, a file format that runs start "
    "from, a further runtime of a format, a clock.",
)
@click.option(
    "--from",
    "source",
    metavar="FORMAT",
    help="The format that a converter starts from, or that a runner runs. Default: onnx.",
)
@json_option
def new_plugin(name: str, into: Path | None, kind: str, source: str | None, as_json: bool) -> None:
    """Write the project of a plugin called NAME: it can be installed, and passes its own tests, as it stands."""
    from navcore.cli.plugin_template import write_plugin

    written = write_plugin(name, into, kind=kind, source=source)
    project = written[0].parent
    if as_json:
        print_json({"folder": str(project), "files": [str(path.relative_to(project)) for path in written]})
        return
    click.echo(f"Wrote {project}:")
    for path in written:
        click.echo(f"  {path.relative_to(project)}")
    click.echo(f"\nNext:\n  cd {project}\n  pip install -e '.[testing]'\n  pytest")
