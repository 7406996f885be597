"""``navcore triton``: write a model repository, serve a package for a first try, and measure what serving costs."""

from __future__ import annotations

import contextlib
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from nav_triton.repository import LayoutArguments
    from navcore import PackageDescriptor, SignedBy, Strategy

Function = TypeVar("Function", bound=Callable[..., Any])
_existing = click.Path(path_type=Path, exists=True, dir_okay=False)
_package = click.argument("package", metavar="FILE", type=_existing)
_STRATEGIES = ("latency", "throughput", "smallest")

CHOICE: Sequence[Callable[[Any], Any]] = (
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


def with_options(*options: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Decorate a command with these options."""

    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


class Told(click.Command):
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


@triton.command("repository", cls=Told)
@_package
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False))
@with_options(*CHOICE, *_LAYOUT)
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


def strategy_named(name: str) -> Strategy:
    """The strategy that an option names."""
    import navcore as nav

    strategies: dict[str, Callable[[], Strategy]] = {
        "latency": nav.MinLatency,
        "throughput": nav.MaxThroughput,
        "smallest": nav.Smallest,
    }
    return strategies[name]()


def layout_arguments(asked: Mapping[str, Any]) -> LayoutArguments:
    """What :func:`nav_triton.save_repository` takes for the options of the choice and of the layout."""
    return {
        "strategy": strategy_named(asked["strategy"]),
        "format": asked["format"],
        "runtime": asked["runtime"],
        "verified_only": asked["verified_only"],
        "name": asked["name"],
        "max_batch_size": asked["max_batch_size"],
        "dynamic_batching": False if asked["no_dynamic_batching"] else None,
        "queue_delay_us": asked["queue_delay"],
        "instances": asked["instances"],
    }


@triton.command("serve", cls=Told)
@_package
@with_options(*CHOICE, *_LAYOUT)
@click.option("--http-port", type=int, default=8000, show_default=True, help="0 takes one that is free.")
@click.option("--grpc-port", type=int, default=8001, show_default=True, help="0 takes one that is free.")
def serve(package: Path, http_port: int, grpc_port: int, **asked: Any) -> None:
    """Serve the best model of the package FILE on 127.0.0.1 for a first try, until Ctrl-C.

    By the package's own runner in Triton's Python back end, with the server of the wheel nvidia-pytriton, or the
    tritonserver of the search path. Prints the lines of curl and Python that ask it.
    """
    from nav_triton.asking import lines_for
    from nav_triton.client import Address
    from nav_triton.repository import save_repository
    from nav_triton.server import HOST, installation, running

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left behind
    installation()  # before the package is tested, which takes a while
    with tempfile.TemporaryDirectory(prefix="nav-triton-") as folder:
        place = Path(folder)
        opened = loaded(package, folder, asked)
        model = save_repository(opened, place / "repository", backend="python", **layout_arguments(asked))
        feeds = next(opened.comparisons()).feeds
        (place / "sample").mkdir()
        with running(place / "repository", http_port=http_port, grpc_port=grpc_port) as server:
            lines = lines_for(model, Address(HOST, server.http_port, model.name), feeds, place / "sample")
            click.echo(f"{model.name}: {model.format} in {model.runtime}, {_batches(model.max_batch_size)}.")
            click.echo(f"HTTP {HOST}:{server.http_port}, gRPC {HOST}:{server.grpc_port}. Ctrl-C ends it.\n")
            if lines.curl:
                click.echo(f"{lines.curl}\n")
            click.echo(f"# Python, with tritonclient[http]:\n{lines.python}")
            _until_interrupted()


def _until_interrupted() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            signal.pause()


@triton.command("measure", cls=Told)
@_package
@with_options(*CHOICE, *_LAYOUT)
@click.option("--seconds", type=float, default=5.0, show_default=True, help="How long each part takes.")
@click.option(
    "--callers", type=int, multiple=True, default=(2, 8), show_default=True, help="Of the closed loop; may be repeated."
)
@click.option(
    "--load", "loads", type=float, multiple=True, default=(0.5, 0.8), show_default=True,
    help="Of the open loop, as a share of the best throughput of the closed one; may be repeated.",
)  # fmt: skip
def measure(package: Path, seconds: float, callers: tuple[int, ...], loads: tuple[float, ...], **asked: Any) -> None:
    """Measure what serving the package FILE costs: over HTTP on this machine, beside the same runner in process.

    In a closed loop, where every caller asks again as soon as it has its answer, and in an open one, where requests
    arrive by chance and the latency counts from when each was due.
    """
    from nav_triton.measuring import measure as measured
    from nav_triton.server import installation

    installation()
    with tempfile.TemporaryDirectory(prefix="nav-triton-") as folder:
        opened = loaded(package, folder, asked)
        found = measured(opened, seconds=seconds, callers=callers, loads=loads, **layout_arguments(asked))
    click.echo(f"{found.model.name}: {found.model.format} in {found.model.runtime}")
    click.echo(str(found))
