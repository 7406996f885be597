"""``navcore inspect``, ``report``, ``verify``, ``sign`` and ``profile``: what is done with a package or a workspace."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from navcore.cli import COMMANDS
from navcore.cli.answers import (
    NOT_OK,
    Command,
    json_option,
    knows_the_clock_of,
    print_columns,
    print_json,
    print_results,
    shown,
    tell,
)
from navcore.cli.arguments import limit_options, measuring_arguments, measuring_options, workspace_options
from navcore.cli.trusting import trust_option, trust_options, trusted

if TYPE_CHECKING:
    from navcore.package import FileEntry
    from navcore.workspace import FormatResult, Ranking, Record

_where = click.argument("where", metavar="PACKAGE", type=click.Path(path_type=Path, exists=True))
_file = click.argument("package", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
_existing = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("inspect", cls=Command, short_help=COMMANDS["inspect"][1])
@_where
@click.option("--files", "each_file", is_flag=True, help="List every file of a package, not only how many of a kind.")
@json_option
def inspect(where: Path, each_file: bool, as_json: bool) -> None:
    """Show what PACKAGE, a .nav file or a workspace folder, holds.

    Nothing is extracted, and no byte of a model is read: only the listing and status.yaml.
    """
    record, files = _opened(where)
    if as_json:
        print_json(
            {
                **_identity(where, record),
                "files": _files_data(files),
                "results": _results_data(record.results, record.ranking),
            }
        )
        return
    identity = _identity(where, record)
    rows = [
        (key.replace("_", " "), "–" if value is None else str(value))
        for key, value in identity.items()
        if not isinstance(value, list)
    ]
    for side in ("inputs", "outputs"):
        for tensor in identity[side]:
            shape = ", ".join(str(size) for size in tensor["shape"])
            rows.append((side[:-1], f"{tensor['name']}  {tensor['dtype']}  ({shape})"))
    print_columns(rows)
    click.echo()
    if files:
        (_list_files if each_file else _count_files)(files)
        click.echo()
    print_results(record)


def _count_files(files: Sequence[FileEntry]) -> None:
    """A line per kind; what a package holds twice takes the room of one."""
    from navcore.package import size_text

    by_kind: dict[str, list[FileEntry]] = {}
    for one in files:
        by_kind.setdefault(str(one.kind), []).append(one)
    sizes = {kind: size_text(sum(one.own_size for one in found)) for kind, found in by_kind.items()}
    rows = [(kind, str(len(found)), sizes[kind]) for kind, found in by_kind.items()]
    print_columns(rows, heads=("kind", "files", "size"), numbers=("files", "size"))


def _list_files(files: Sequence[FileEntry]) -> None:
    """A line per file, the name at its end: there may be many thousands, and names of any length."""
    from navcore.package import size_text

    click.echo(f"{'kind':<11}  {'size':>7}  {'sha256':<12}  file")
    for one in files:
        same = f" (same as {one.same_as})" if one.same_as else _stored(one)
        click.echo(shown(f"{one.kind:<11}  {size_text(one.size):>7}  {one.sha256[:12]}  {one.name}{same}"))


def _stored(one: FileEntry) -> str:
    """How much room a file takes in a compact package, where that is less than its size."""
    from navcore.package import size_text

    return f" ({size_text(one.own_size)} stored)" if one.parts else ""


@click.command("report", cls=Command, short_help=COMMANDS["report"][1])
@_where
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help='Write a page of HTML with charts to FILE instead. Needs pip install "navcore[report]".',
)
@click.option("--override", is_flag=True, help="Let --html replace an existing file.")
@json_option
def report(where: Path, page: Path | None, override: bool, as_json: bool) -> None:
    """Print the table of PACKAGE, a .nav file or a workspace folder, as it was recorded; nothing is run."""
    if page is not None:
        _write_page(where, page, override)
        if not as_json:
            return
    record, _ = _opened(where)
    if as_json:
        print_json(_results_data(record.results, record.ranking))
    else:
        print_results(record)


def _write_page(where: Path, page: Path, override: bool) -> None:
    from navcore.package import reader_of_package, reader_of_workspace, workspace_at, write_page
    from navcore.workspace import Workspace, read_status

    if where.is_dir():
        workspace = Workspace(workspace_at(where))
        record, reader = read_status(workspace.status_file), reader_of_workspace(workspace)
    else:
        from navcore.package import read_record

        record, manifest = read_record(where)
        reader = reader_of_package(where, manifest)
    write_page(page, record, reader, override=override, registry=knows_the_clock_of(record))
    tell(f"Report: {page}")


@click.command("verify", cls=Command, short_help=COMMANDS["verify"][1])
@_file
@trust_options
@limit_options
@click.option(
    "--workdir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where to extract it, and keep it. Default: a temporary folder, removed when all is ok.",
)
@click.option("--override-workdir", is_flag=True, help="Replace a workspace that is there already.")
@json_option
def verify(
    package: Path,
    trust: bool,
    key: Path | None,
    certificate: Path | None,
    signature: Path | None,
    timeout: float | None,
    memory_limit: int | None,
    workdir: Path | None,
    override_workdir: bool,
    as_json: bool,
) -> None:
    """Test the package FILE on this machine, against the samples it carries; nothing is measured.

    The exit code is 1 when a row that was ok is not ok here, when no row could be tested here at all, and when the
    signature that --key or --certificate asks for does not fit. A package that is not trusted has limits of its own.
    """  # fmt: skip
    from navcore.api import load
    from navcore.package import Console

    recorded, _ = _opened(package)
    folder = Path(tempfile.mkdtemp(prefix="navcore-verify-")) if workdir is None else workdir
    worth_keeping = workdir is not None
    try:
        found = load(
            package, folder, override_workdir, run_profiling=False, trust=trusted(trust, key, certificate, signature),
            timeout=timeout, memory_limit=memory_limit, progress=Console(),
        )  # fmt: skip
        tested, lost = _compared(recorded.results, found.results)
        ok = bool(tested) and not lost
        worth_keeping = worth_keeping or not ok
    finally:
        if not worth_keeping:
            shutil.rmtree(folder)
    if as_json:
        print_json({"ok": ok, "tested": tested, "lost": lost, "results": _results_data(found.results, found.ranking)})
    else:
        print_results(found.record)
    if workdir is None and not ok:
        tell(f"The logs are in {folder}; delete it when you have read them.")
    tell(_verdict(tested, lost))
    if not ok:
        raise click.exceptions.Exit(NOT_OK)


@click.command("sign", cls=Command, short_help=COMMANDS["sign"][1])
@_file
@click.option(
    "--key", type=_existing, required=True, metavar="PEM", help="The private key: an elliptic-curve key as PEM."
)
@click.option("--certificate", type=_existing, metavar="PEM", help="The certificate of that key.")
@click.option(
    "--chain",
    type=_existing,
    multiple=True,
    metavar="PEM",
    help="A certificate between that one and an authority that a verifier knows; may be repeated.",
)
@click.option(
    "--signature",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write the signature. Default: beside FILE, with .sig added.",
)
@click.option("--override", is_flag=True, help="Replace a signature that is there already.")
def sign(
    package: Path, key: Path, certificate: Path | None, chain: tuple[Path, ...], signature: Path | None, override: bool
) -> None:
    """Sign the package FILE: the names and contents of all its files, in the format of OpenSSF model signing.

    Needs pip install "navcore[signing]".
    """  # fmt: skip
    from navcore.package import sign_package

    written = sign_package(package, key, certificate=certificate, chain=chain, signature=signature, override=override)
    tell(f"Signed: {written}")


@click.command("profile", cls=Command, short_help=COMMANDS["profile"][1])
@_where
@measuring_options
@trust_option
@limit_options
@workspace_options
@json_option
def profile(
    where: Path,
    trust: bool,
    timeout: float | None,
    memory_limit: int | None,
    workdir: Path | None,
    override_workdir: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Measure the models of PACKAGE again, and keep the numbers in its workspace.

    A .nav file is extracted into a workspace under --workdir first. A format whose loading can execute code needs
    --trust, and so does what was recorded of options, device and profiler.
    """
    from navcore.api import load
    from navcore.package import Console, package_at
    from navcore.workspace import Event, Stage, Status

    if where.is_dir():
        package = package_at(where, where, trust=trust)
    else:
        package = load(where, workdir, override_workdir, retest_conversions=False, trust=trust)
    measuring = measuring_arguments(asked)
    with Console() as console:
        console(Event(Stage.CHECKING, package.model_name, "measured again"))
        package.profile(measuring.pop("profiler_config", None), **measuring, timeout=timeout, memory_limit=memory_limit)
        console(Event(Stage.CHECKING, package.model_name, "measured again", Status.OK))
    if as_json:
        print_json(_results_data(package.results, package.ranking))
    else:
        print_results(package.record)
    tell(f"Workspace: {package.workspace}")


def _opened(where: Path) -> tuple[Record, tuple[FileEntry, ...]]:
    """The record of a package or workspace, and the files that a package lists."""
    from navcore.package import read_record, workspace_at
    from navcore.workspace import read_status

    if where.is_dir():
        return read_status(workspace_at(where) / "status.yaml"), ()
    record, manifest = read_record(where)
    return record, manifest.files


def _identity(where: Path, record: Record) -> dict[str, Any]:
    signature = None if record.samples is None else record.samples.signature
    specs = {"inputs": () if signature is None else signature.inputs, "outputs": signature.outputs if signature else ()}
    return {
        "path": str(where),
        "kind": "workspace" if where.is_dir() else "package",
        "model_name": record.settings.model_name,
        "source": record.source.name,
        "uuid": record.uuid,
        "timestamp": record.timestamp,
        "navcore_version": record.navcore_version,
        **{
            side: [{"name": one.name, "dtype": one.dtype, "shape": list(one.shape)} for one in found]
            for side, found in specs.items()
        },
    }


def _files_data(files: Sequence[FileEntry]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "kind": one.kind,
            "size": one.size,
            "stored": one.own_size,
            "sha256": one.sha256,
            "same_as": one.same_as,
        }
        for one in files
    ]


def _results_data(results: Sequence[FormatResult], ranking: Ranking | None) -> list[dict[str, Any]]:
    from navcore.package import results_data

    return results_data(results, ranking)


def _compared(before: Sequence[FormatResult], here: Sequence[FormatResult]) -> tuple[list[str], list[str]]:
    """Which rows are ok here, and which were ok and are not; a row that could only be taken over is neither."""
    from navcore.workspace import Status

    found = {(row.format.name, one.runtime): (row, one) for row in here for one in row.runtimes}
    tested, lost = [], []
    for row in before:
        for one in row.runtimes:
            if row.live or one.status != Status.OK:
                continue
            name = f"{row.format.name} in {one.runtime}"
            now = found.get((row.format.name, one.runtime))
            if now is None or now[1].status != Status.OK:
                lost.append(name)
            elif not (now[0].elsewhere or now[1].elsewhere):
                tested.append(name)
    return tested, lost


def _verdict(tested: Sequence[str], lost: Sequence[str]) -> str:
    if lost:
        return f"Was ok and is not ok here: {', '.join(lost)}."
    if not tested:
        return "No row could be tested on this machine; the table says why."
    return f"Ok here as recorded: {', '.join(tested)}."
