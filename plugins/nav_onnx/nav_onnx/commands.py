"""The command ``navcore diverge PACKAGE ROW``."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import click


@click.command("diverge", short_help="Name the first layer of an ONNX model whose output is wrong.")
@click.argument("where", metavar="PACKAGE", type=click.Path(path_type=Path, exists=True))
@click.argument("row", metavar="ROW")
@click.option(
    "--against", metavar="FORMAT", help="The ONNX format that is the measure. Default: what ROW was made from."
)
@click.option("--source", metavar="MODULE:CALLABLE", help="The live model that is the measure instead.")
@click.option("--bound", type=float, metavar="X", help="How far each layer may be off. Default: by precision.")
@click.option("--samples", type=click.IntRange(min=1), default=8, metavar="N", help="On how many samples. Default: 8.")
@click.option("--trust", is_flag=True, help="Obey the limits that the package recorded.")
@click.option("--timeout", type=float, metavar="SECONDS", help="How long the models may run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def diverge(
    where: Path,
    row: str,
    against: str | None,
    source: str | None,
    bound: float | None,
    samples: int,
    trust: bool,
    timeout: float | None,
    as_json: bool,
    debug: bool,
) -> None:
    """Name the first layer of ROW, an ONNX format in PACKAGE, whose output leaves the bound, and those before it.

    PACKAGE is a .nav file or a workspace. The exit code is 1 when some layer diverges, and 2 when no layer could be
    compared.
    """
    from navcore import NavcoreError

    try:
        found = _found(where, row, against, source, bound, samples, trust, timeout)
    except NavcoreError as error:
        if debug:
            raise
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(_data(found), indent=2) if as_json else str(found))
    if found or not found.layers:
        raise click.exceptions.Exit(1 if found else 2)


def _found(
    where: Path,
    row: str,
    against: str | None,
    source: str | None,
    bound: float | None,
    samples: int,
    trust: bool,
    timeout: float | None,
) -> Any:
    from nav_onnx.divergence import diverges
    from navcore.cli import model_from
    from navcore.package import package_at

    with tempfile.TemporaryDirectory(prefix="navcore-diverge-") as workdir:
        package = package_at(where, Path(workdir), trust=trust)
        model = None if source is None else model_from(source)
        return diverges(package, row, against=against, source=model, bound=bound, samples=samples, timeout=timeout)


def _data(found: Any) -> Any:
    """As plain data; a number that JSON has no word for is null, as in all of navcore's answers."""
    import attrs

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: finite(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [finite(part) for part in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return finite(attrs.asdict(found))
