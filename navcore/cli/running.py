"""``navcore run`` and ``navcore plan``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from navcore.cli import COMMANDS
from navcore.cli.answers import NOT_OK, WORDS, Command, json_option, print_columns, print_json, print_results, tell
from navcore.cli.arguments import asked_options, given_arguments
from navcore.cli.saving import refuse_unsaved, save_options, saved
from navcore.errors import OptionError

if TYPE_CHECKING:
    from navcore.workspace import FormatResult


@click.command("run", cls=Command, short_help=COMMANDS["run"][1])
@click.argument("model", required=False)
@asked_options
@save_options
@json_option
def run(model: str | None, save: Path | None, override: bool, compact: bool, as_json: bool, **asked: Any) -> None:
    """Export MODEL to every format, verify each, measure each, keep it all.

    MODEL is a model file, such as model.onnx, or module:callable; the callable takes nothing and returns the model, and
    modules of the current folder can be imported. A package, model.nav, brings its own data: it is gone on with as by
    load.

    The exit code is 0 when every --target is ok, or, without --target, when any format is; else 1.
    """
    from navcore import api
    from navcore.package import Console

    refuse_unsaved(save, override, compact)
    if _needs_a_process(model, asked):
        _run_in_a_process(model, asked)
    with _standard_output_kept():
        model, arguments = _model_and_arguments(model, asked)
        source, dataloader = _inputs(model, asked["data"])
        package = api.run(source, dataloader, progress=Console(), **arguments)
    if not as_json:
        print_results(package.record)
    tell(f"Workspace: {package.workspace}")
    ok = is_ok(package.results, arguments.get("targets"))
    save = saved(package, save, override, compact)
    if as_json:
        from navcore.package import results_data

        written = None if save is None else str(save)
        print_json(
            {
                "workspace": str(package.workspace),
                "package": written,
                "results": results_data(package.results, package.ranking),
            }
        )
    if not ok:
        raise click.exceptions.Exit(NOT_OK)


@click.command("plan", cls=Command, short_help=COMMANDS["plan"][1])
@click.argument("model", required=False)
@asked_options
@json_option
def plan(model: str | None, as_json: bool, **asked: Any) -> None:
    """Show what run would do with the same arguments, without doing it.

    MODEL is what run takes, or the name of a format, such as torch, to plan without a model. The data is not read.
    """
    from navcore import api
    from navcore.cli.inputs import model_from

    with _standard_output_kept():
        model, arguments = _model_and_arguments(model, asked)
        found = api.plan(model_from(model), **arguments)
    if not as_json:
        print_columns(found.lines())
        return
    print_json(
        {
            "source": found.source.name,
            "steps": [
                {"target": step.target.name, "from": step.source.name, "route": step.route.id, "asked": step.requested}
                for step in found.steps
            ],
            "checks": [
                {"format": check.format.name, "runtime": check.runtime, "unavailable": check.reason or None}
                for check in found.checks
            ],
            "later": [{"target": one.target.name, "from": one.source.name, "reason": one.needs} for one in found.later],
            "seconds": None if found.estimate is None else round(found.estimate.seconds, 1),
            "missing": [{"target": missing.target.name, "reason": missing.reason} for missing in found.missing],
        }
    )


def is_ok(results: Sequence[FormatResult], targets: Sequence[str] | None) -> bool:
    """Whether what was asked for by name is ok, all of it; or, when nothing was named, whether anything is."""
    from navcore.contract import matching
    from navcore.package import is_source
    from navcore.workspace import Status

    if targets:
        formats = [row.format for row in results]
        asked = {format for target in targets for format in matching(target, formats)}
        return bool(asked) and all(row.status == Status.OK for row in results if row.format in asked)
    made = [row for row in results if not is_source(row)] or list(results)
    return any(row.status == Status.OK for row in made)


def _needs_a_process(model: str | None, asked: Mapping[str, Any]) -> bool:
    """Whether the source is somebody's code, which must not take this process down; a file has its own child anyway."""
    from navcore.cli.contained import is_inside

    live = model is not None and ":" in model and not Path(model).exists()
    return live and asked["data"] is not None and not is_inside()


def _run_in_a_process(model: str | None, asked: Mapping[str, Any]) -> NoReturn:
    from navcore.cli.contained import run_contained
    from navcore.workspace import workspace_path

    _, arguments = _model_and_arguments(model, asked)
    root = workspace_path(arguments.get("workdir"), arguments.get("model_name", "navigator_model"))
    raise click.exceptions.Exit(run_contained(click.get_current_context().meta[WORDS], root))


def _model_and_arguments(model: str | None, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """MODEL and the arguments of the run; what the options leave open is taken from ``--config``."""
    given = given_arguments(asked)
    if asked["config"] is None:
        if model is None:
            raise OptionError("MODEL is missing.", hint="Give a model file or module:callable, or --config.")
        return model, given
    from navcore.cli.variants import arguments_of, stored_model

    if model is not None:
        return model, {**arguments_of(asked["config"], reproduce=True), **given}
    return str(stored_model(asked["config"])), {**arguments_of(asked["config"], reproduce=False), **given}


def _inputs(model: str, data: str | None) -> tuple[Any, Any]:
    from navcore.cli.inputs import data_from, model_from
    from navcore.planning import is_package

    if data is None and is_package(model):
        return model, None
    if data is None:
        raise OptionError("--data is missing.", hint="Give module:callable, an npz file, or a folder of npz files.")
    return model_from(model), data_from(data)


def _standard_output_kept() -> contextlib.AbstractContextManager[object]:
    """What the user's modules and the exporters print goes to standard error: standard output is for the answer."""
    return contextlib.redirect_stdout(sys.stderr)
