"""Takes the small models that plugins offer through everything that is installed, and reports how it went here.

Each plugin's turn is in a child of its own: ``python -m navcore.cli.selfcheck_child request.json``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from navcore.cli.doctor_child import describe_machine
from navcore.errors import InputError
from navcore.execution import Limits, enter_child, read_request, run_module, write_result
from navcore.package import counted, terminal_width
from navcore.registry import load_registry
from navcore.workspace import describe_environment, versions_behind

MODULE = "navcore.cli.selfcheck_child"
_BUDGET = 5.0
"""Seconds for the ranking of each model: whether it can be made is asked here, and not which is faster."""


@attrs.frozen
class Trial:
    """What became of the model that one plugin offers.

    ``results`` are rows as ``navcore report --json`` has them, ``table`` the same for people, as wide as
    their terminal. ``problem`` says why there are none.
    """

    plugin: str
    results: tuple[Mapping[str, Any], ...] = ()
    table: str = ""
    problem: str = ""

    @property
    def failed(self) -> tuple[str, ...]:
        """The formats that were made or run, and should not have come out as they did."""
        return tuple(str(row["format"]) for row in self.results if row["status"] == "failed")


def try_plugins(names: Sequence[str] = (), *, timeout: float = 1800.0) -> tuple[Trial, ...]:
    """Take the model of each plugin that offers one (or of those named) to every format, also those made on request.

    ``timeout`` is in seconds, for each plugin. Raises :class:`InputError` for a name that offers no model.
    """
    offering = [plugin.name for plugin in load_registry().plugins if plugin.offer is not None]
    strangers = [name for name in names if name not in offering]
    if strangers or not offering:
        what = (
            f"No installed plugin called {strangers[0]!r} offers a model." if strangers else "No plugin offers a model."
        )
        raise InputError(what, hint=f"Those that do: {', '.join(offering) or 'none'}.")
    return tuple(_try(name, timeout) for name in counted(names or offering, "trying models of plugins", sys.stderr))


def _try(name: str, timeout: float) -> Trial:
    with tempfile.TemporaryDirectory(prefix="navcore-self-check-") as place:
        folder = Path(place)
        report = run_module(
            MODULE,
            {"plugin": name, "width": terminal_width()},
            folder=folder,
            log=folder / "child.log",
            limits=Limits(seconds=timeout),
        )
        answer = report.result or {}
        if report.ended != "ok":
            return Trial(name, problem=report.cause)
        return Trial(name, tuple(answer.get("results", ())), answer.get("table", ""), answer.get("problem", ""))


def report_of(trials: Sequence[Trial]) -> dict[str, Any]:
    """Everything that somebody who was not there needs: the machine, the versions, every row with its reason."""
    registry = load_registry()
    return {
        "machine": describe_machine(),
        "environment": describe_environment(),
        "plugins": [
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "problem": plugin.problem or None,
                "versions": dict(versions_behind(plugin.routes[0])) if plugin.routes else {},
            }
            for plugin in registry.plugins
        ],
        "trials": [
            {"plugin": trial.plugin, "problem": trial.problem or None, "results": list(trial.results)}
            for trial in trials
        ],
    }


def main(request_file: str) -> None:
    """Run the model of the plugin that the request names, and leave the rows."""
    enter_child()
    folder = Path(request_file).parent
    request = read_request(Path(request_file))
    try:
        result = _run(request["plugin"], folder / "work", request["width"])
    except Exception as error:
        import traceback

        traceback.print_exc()
        result = {"problem": f"{type(error).__name__}: {error}"}
    write_result(folder, result, done=True)


def _run(name: str, workdir: Path, width: int | None) -> dict[str, Any]:
    from navcore.api import run
    from navcore.contract import ProfilerConfig
    from navcore.package import render_table, results_data

    registry = load_registry()
    plugin = registry.plugin(name)
    assert plugin is not None, "it was there a moment ago"
    assert plugin.offer is not None
    model, data = plugin.offer()
    targets = {str(route.goal.name) for route in registry.routes if route.target is not None}
    source = registry.live_format(model)
    package = run(
        model,
        data,
        targets=sorted(targets if source is None else {*targets, str(source.name)}),
        effort="thorough",
        model_name="self_check",
        workdir=workdir,
        profiler_config=ProfilerConfig(measurement_interval=200, max_trials=5),
        budget=_BUDGET,
        git_info=False,
    )
    return {
        "results": results_data(package.results, package.ranking),
        "table": render_table(package.results, package.ranking, width=width),
    }


if __name__ == "__main__":
    main(sys.argv[1])
