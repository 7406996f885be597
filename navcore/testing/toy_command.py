"""The toy's command: ``navcore toy-describe PACKAGE``, announced in the group ``navcore.commands.v1``."""

from __future__ import annotations

import click


@click.command("toy-describe", short_help="Say which toy formats of a package are ok.")
@click.argument("path", metavar="PACKAGE")
def describe(path: str) -> None:
    """Say in one line which toy formats of a package are ok."""
    import tempfile

    from navcore.api import load
    from navcore.testing import toy

    with tempfile.TemporaryDirectory() as workdir:
        click.echo(toy.describe(load(path, workdir=workdir, retest_conversions=False)))
