"""``navcore load``: go on with a package on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from navcore.cli import COMMANDS
from navcore.cli.answers import NOT_OK, Command, json_option, print_json, print_results, tell
from navcore.cli.arguments import given_arguments, load_options
from navcore.cli.running import is_ok
from navcore.cli.saving import refuse_unsaved, save_options, saved
from navcore.cli.trusting import trust_options, trusted


@click.command("load", cls=Command, short_help=COMMANDS["load"][1])
@click.argument("package", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@trust_options
@load_options
@save_options
@json_option
def load(
    package: Path,
    trust: bool,
    key: Path | None,
    certificate: Path | None,
    signature: Path | None,
    save: Path | None,
    override: bool,
    compact: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Go on with the package FILE on this machine: make what it leads to here, verify all of it, measure, keep it.

    Every target that was asked for where it was made is planned again, with the plugins that are installed here, and so
    is each --target. The exit code is 0 when every --target is ok, or, without --target, when any format is; else 1.
    """
    from navcore import api
    from navcore.package import Console

    refuse_unsaved(save, override, compact)
    given = given_arguments(asked)
    found = api.load(package, trust=trusted(trust, key, certificate, signature), progress=Console(), **given)
    if not as_json:
        print_results(found.record)
    tell(f"Workspace: {found.workspace}")
    written = saved(found, save, override, compact)
    if as_json:
        from navcore.package import results_data

        path = None if written is None else str(written)
        print_json(
            {"workspace": str(found.workspace), "package": path, "results": results_data(found.results, found.ranking)}
        )
    if not is_ok(found.results, given.get("targets")):
        raise click.exceptions.Exit(NOT_OK)
