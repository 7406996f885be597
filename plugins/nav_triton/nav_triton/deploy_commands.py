"""``navcore deploy``: a model of a package in another program."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from nav_triton.commands import CHOICE, Told, loaded, strategy_named, with_options


@click.group("deploy", short_help="Print the lines that run a model of a package without navcore.")
def deploy() -> None:
    """Take a model of a package to another program."""


@deploy.command("snippet", cls=Told)
@click.argument("package", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@with_options(*CHOICE)
@click.option(
    "--into", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
    help="Copy the model there, where the lines will look for it. Nothing in it is replaced.",
)  # fmt: skip
def snippet(package: Path, into: Path | None, **asked: Any) -> None:
    """Print a whole program of some twelve lines that runs the best model of the package FILE without navcore.

    For ONNX Runtime and OpenVINO in Python, for TorchScript in C++, with the package's own names, shapes and threads.
    """
    from nav_triton.repository import copy_model
    from nav_triton.snippets import snippet as written

    with tempfile.TemporaryDirectory(prefix="nav-triton-") as workdir:
        opened = loaded(package, workdir, asked)
        choice = {name: asked[name] for name in ("format", "runtime", "verified_only")}
        found = written(opened, strategy=strategy_named(asked["strategy"]), **choice)
        if into is not None:
            place = into.absolute() / found.model
            if place.exists() or place.is_symlink():
                raise click.ClickException(f"{place} is there already.")
            into.mkdir(parents=True, exist_ok=True)
            job = opened.runner_job(found.format, runtime=found.runtime)
            copy_model(job.artifact.format, job.artifact.file, place)
            found = written(opened, path=str(place), format=found.format, runtime=found.runtime)
    click.echo(found.text, nl=False)
