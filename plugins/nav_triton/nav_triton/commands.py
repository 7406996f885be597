"""``navcore triton``: write a model repository, serve a package for a first try, and measure what serving costs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from navcore import PackageDescriptor, SignedBy

Function = TypeVar("Function", bound=Callable[..., Any])
_existing = click.Path(path_type=Path, exists=True, dir_okay=False)
_package = click.argument("package", metavar="FILE", type=_existing)
_STRATEGIES = ("latency", "throughput", "smallest")

_CHOICE = (
    click.option("--format", metavar="FORMAT", help="Serve this format or family. Default: chosen by --strategy."),
    click.option("--runtime", metavar="RUNTIME", help="Serve it in this runtime."),
    click.option(
        "--strategy",
        type=click.Choice(_STRATEGIES),
        default=_STRATEGIES[0],
        show_default=True,
        help="What is best: the lowest latency, the highest throughput, or the fewest bytes.",
    ),
    click.option(
        "--verified-only", is_flag=True, help="Serve only what your word, or a bound on a metric, stands for."
    ),
    click.option("--trust", is_flag=True, help="Obey the package: allow formats whose loading can execute code."),
    click.option("--key", type=_existing, metavar="PEM", help="Trust it if the holder of this public key signed it."),
    click.option(
        "--recorded",
        is_flag=True,
        help="Take over what was recorded in a package that is trusted, without testing it on this machine.",
    ),
)
_LAYOUT = (
    click.option("--name", metavar="NAME", help="Of the model in the repository. Default: the package's."),
    click.option("--max-batch-size", type=int, metavar="N", help="Default: the largest batch of the data; 0: none."),
    click.option("--no-dynamic-batching", is_flag=True, help="Do not let Triton stack requests."),
    click.option(
        "--queue-delay", type=int, default=100, show_default=True, metavar="US",
        help="How many microseconds a request waits for others.",
    ),
    click.option("--instances", type=int, default=1, show_default=True, metavar="N", help="Of the model, per device."),
)  # fmt: skip


def _with(*options: Callable[[Any], Any]) -> Callable[[Function], Function]:
    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


class _Told(click.Command):
    """A command that tells errors of navcore in one sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        from navcore import NavcoreError

        try:
            return super().invoke(ctx)
        except NavcoreError as error:
            raise click.ClickException(str(error)) from error


@click.group("triton", short_help="Write a model repository for Triton, serve a package, measure what that costs.")
def triton() -> None:
    """Take a package to Triton Inference Server."""


@triton.command("repository", cls=_Told)
@_package
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False))
@_with(*_CHOICE, *_LAYOUT)
@click.option("--version", type=int, metavar="N", help="The number of the version. Default: the next that is free.")
@click.option("--backend", metavar="NAME", help="One of Triton's back ends; python is the package's own runner.")
@click.option("--no-warm-up", is_flag=True, help="Do not let Triton run a sample before the model is ready.")
@click.option("--override", is_flag=True, help="Replace a version that is there already.")
def repository(
    package: Path,
    folder: Path,
    version: int | None,
    backend: str | None,
    no_warm_up: bool,
    override: bool,
    **asked: Any,
) -> None:
    """Write the best model of the package FILE into FOLDER, a model repository of Triton Inference Server.

    The package is tested on this machine first, as `navcore load` does it.
    """
    from nav_triton.repository import save_repository

    with tempfile.TemporaryDirectory(prefix="nav-triton-") as workdir:
        written = save_repository(
            loaded(package, workdir, asked), folder, version=version, backend=backend, warm_up=not no_warm_up,
            override=override, **layout_arguments(asked),
        )  # fmt: skip
    click.echo(
        f"{written.folder}: version {written.version}, {written.format} in {written.runtime}, served by Triton's back "
        f"end {written.backend}, {_batches(written.max_batch_size)}."
    )
    for note in written.notes:
        click.echo(f"note: {note}")


def _batches(size: int) -> str:
    return f"up to {size} samples at once" if size else "one request at a time"


def loaded(package: Path, workdir: str, asked: Mapping[str, Any]) -> PackageDescriptor:
    """The package in that workdir: tested here, and measured where a strategy has to choose."""
    import navcore as nav

    trust: bool | SignedBy = asked["trust"]
    if asked["key"] is not None:
        trust = nav.SignedBy(asked["key"])
    if asked["recorded"] and not trust:
        raise click.UsageError("--recorded needs --trust or --key: what a stranger recorded is not served.")
    named = asked["format"] is not None and asked["runtime"] is not None
    measure = None if asked["recorded"] or not named else False
    return nav.load(
        package, workdir=workdir, trust=trust, retest_conversions=not asked["recorded"], run_profiling=measure,
        progress=nav.Console(),
    )  # fmt: skip


def layout_arguments(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`nav_triton.save_repository` takes for the options of the choice and of the layout."""
    import navcore as nav

    strategies = {"latency": nav.MinLatency, "throughput": nav.MaxThroughput, "smallest": nav.Smallest}
    return {
        "strategy": strategies[asked["strategy"]](),
        "format": asked["format"],
        "runtime": asked["runtime"],
        "verified_only": asked["verified_only"],
        "name": asked["name"],
        "max_batch_size": asked["max_batch_size"],
        "dynamic_batching": False if asked["no_dynamic_batching"] else None,
        "queue_delay_us": asked["queue_delay"],
        "instances": asked["instances"],
    }
