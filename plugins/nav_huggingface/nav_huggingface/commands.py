"""``navcore hub``: export a model of the hub, or a folder of one, from a shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class _Told(click.Command):
    """A command that tells errors of navcore in one sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        from navcore import NavcoreError

        try:
            return super().invoke(ctx)
        except NavcoreError as error:
            raise click.ClickException(str(error)) from error


@click.group("hub", short_help="Export a HuggingFace model by its name or folder.")
def hub() -> None:
    """Take a HuggingFace model to a verified package."""


@hub.command("export", cls=_Told)
@click.argument("name", metavar="NAME")
@click.option("--task", metavar="TASK", help="What to load it for, such as fill-mask. Default: what it was made for.")
@click.option("--target", "targets", metavar="FORMAT", multiple=True, help="A format or family; may be repeated.")
@click.option(
    "--dataset", metavar="NAME", help="A dataset for the samples. Default: made by the model's own processor."
)
@click.option("--max-batch", type=click.IntRange(min=1), metavar="N", help="How many rows or texts an item holds.")
@click.option("--max-length", type=click.IntRange(min=1), metavar="N", help="The most tokens of a text.")
@click.option("--workdir", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="Where it works.")
@click.option("--override-workdir", is_flag=True, help="Start with an empty workspace.")
@click.option("--no-profiling", is_flag=True, help="Verify, and do not measure.")
@click.option("--no-cache", is_flag=True, help="Export a model that generates without its cache.")
@click.option("--trust-remote-code", is_flag=True, help="Run code that comes with the model.")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Pack it into this file.")
@click.option("--override", is_flag=True, help="Let --save replace a file.")
def export(
    name: str,
    task: str | None,
    targets: tuple[str, ...],
    dataset: str | None,
    max_batch: int | None,
    max_length: int | None,
    workdir: Path | None,
    override_workdir: bool,
    no_profiling: bool,
    no_cache: bool,
    trust_remote_code: bool,
    save: Path | None,
    override: bool,
) -> None:
    """Export the model NAME, a folder or the id of a model of the hub, verify each format, measure each, keep it all.

    The exit code is 0 when any format is ok, else 1.
    """
    import navcore
    from nav_huggingface.exporting import export as export_model

    if save is not None and save.exists() and not override:
        raise click.ClickException(f"{save} exists. Give --override to replace it.")
    package = export_model(
        name, task=task, target_formats=targets or None, dataset_name=dataset, max_bs=max_batch,
        max_sequence_len=max_length, workdir=workdir, override_workdir=override_workdir,
        run_profiling=not no_profiling, use_cache=False if no_cache else None, trust_remote_code=trust_remote_code,
        progress=navcore.Console(),
    )  # fmt: skip
    click.echo(str(package))
    click.echo(f"Workspace: {package.workspace}", err=True)
    if not any(package.get_formats_status().values()):
        raise click.exceptions.Exit(1)
    if save is not None:
        navcore.save(package, save, override=override)
        click.echo(f"Package: {save}", err=True)
