"""Examines this machine: each plugin is imported and asked in a child of its own, so that the one that hangs is named.

The child is this module: ``python -m navcore.cli.doctor_child request.json``.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from navcore.cli.parallel_work import told_of_threads
from navcore.execution import ChildReport, Limits, enter_child, processors, read_request, run_module, write_result
from navcore.package import counted
from navcore.registry import CORE_TARGET, DISABLE, Candidate, candidates, load_registry

MODULE = "navcore.cli.doctor_child"
_STATUS = {"timeout": "hangs", "no-result": "exits"}


@attrs.frozen
class PluginHealth:
    """How one plugin does: ``status`` is ``ok``, ``left out``, ``broken``, ``hangs``, ``exits`` or ``dies``.

    ``problem`` says what is wrong, in one sentence. ``remarks`` are the warnings it gave while it was asked.
    """

    name: str
    distribution: str
    version: str
    status: str
    problem: str = ""
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()


@attrs.frozen
class RouteHealth:
    """One way to run ``format``, or to make it; ``reason`` says why that cannot be done here, ``""`` that it can."""

    hook: str
    format: str
    name: str
    plugin: str
    distribution: str
    reason: str = ""


@attrs.frozen
class Diagnosis:
    """What was found. ``routes`` holds every runtime, and of the other routes those that are unavailable."""

    machine: Mapping[str, Any]
    plugins: tuple[PluginHealth, ...]
    routes: tuple[RouteHealth, ...]

    @property
    def healthy(self) -> bool:
        """Whether every plugin that is not left out can be used."""
        return all(plugin.status in ("ok", "left out") for plugin in self.plugins)


def examine(*, timeout: float = 60.0) -> Diagnosis:
    """Examine the machine, Python and every announced plugin; ``timeout`` is in seconds, for each plugin.

    On a terminal a bar on standard error shows how many have answered. Nothing that a plugin does is raised here.
    """
    everybody = [one for one in candidates() if one.target != CORE_TARGET]
    found = [_ask(one, everybody, timeout) for one in counted(everybody, "asking plugins", sys.stderr)]
    fit = [one for one, (health, _) in zip(everybody, found, strict=True) if health.status == "ok"]
    conflicts = _conflicts(fit, everybody, timeout)
    plugins = tuple(_with_conflict(health, conflicts) for health, _ in found)
    routes = tuple(route for _, ways in found for route in ways)
    machine = {**describe_machine(), "threads": told_of_threads(processors())}
    return Diagnosis(machine, plugins, tuple(sorted(routes, key=lambda one: (one.format, one.name))))


def describe_machine() -> dict[str, Any]:
    """Versions, processors (those that this process may use, of all there are), memory and GPU, in words."""
    from navcore import __version__
    from navcore.workspace import describe_environment

    known = describe_environment()
    return {
        "navcore": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": known["os"]["platform"],
        "processor": known["cpu"]["name"],
        "cpus": f"{len(os.sched_getaffinity(0))} of {known['cpu']['logical_cores']} may be used",
        "memory": known["memory"],
        "gpu": known["gpu"]["name"],
    }


def _ask(
    candidate: Candidate, everybody: Sequence[Candidate], timeout: float
) -> tuple[PluginHealth, list[RouteHealth]]:
    health = PluginHealth(candidate.name, candidate.distribution, candidate.version, "ok")
    if candidate.problem:
        status = "left out" if candidate.problem.endswith(DISABLE) else "broken"
        return attrs.evolve(health, status=status, problem=candidate.problem), []
    report = _run_child(candidate.name, [one for one in everybody if one is not candidate], candidate, timeout)
    answer = report.result or {}
    health = attrs.evolve(health, seconds=report.seconds)
    if report.ended != "ok":
        doing = answer.get("doing", "starting Python")
        problem = f"{report.cause} while {doing}"
        return attrs.evolve(health, status=_STATUS.get(report.ended, "dies"), problem=problem), []
    health = attrs.evolve(
        health,
        status="broken" if answer["problems"].get(candidate.name) else "ok",
        problem=answer["problems"].get(candidate.name, ""),
        remarks=tuple(dict.fromkeys(answer["remarks"])),
    )
    return health, [RouteHealth(**way) for way in answer["routes"]]


def _conflicts(fit: Sequence[Candidate], everybody: Sequence[Candidate], timeout: float) -> dict[str, str]:
    """What is wrong with plugins that are fine alone: two of one name, or two meanings of one format."""
    if len(fit) < 2:
        return {}
    report = _run_child("", [one for one in everybody if one not in fit], None, timeout * len(fit))
    answer = report.result or {}
    problems: dict[str, str] = answer.get("conflicts", {})
    return problems


def _with_conflict(health: PluginHealth, conflicts: Mapping[str, str]) -> PluginHealth:
    problem = conflicts.get(f"{health.name} of {health.distribution}")
    if not problem or health.status != "ok":
        return health
    return attrs.evolve(health, status="broken", problem=problem)


def _run_child(name: str, others: Sequence[Candidate], keep: Candidate | None, timeout: float) -> ChildReport:
    """Ask in a child where ``others`` are left out; one of the same name is left out by its distribution."""
    left_out = {one.distribution if keep is not None and one.name == keep.name else one.name for one in others}
    before = os.environ.get(DISABLE, "")
    disabled = ",".join(part for part in (before, *sorted(left_out)) if part)
    with tempfile.TemporaryDirectory(prefix="navcore-doctor-") as folder:
        return run_module(
            MODULE,
            {"plugin": name},
            folder=Path(folder),
            log=Path(folder, "child.log"),
            limits=Limits(seconds=timeout),
            environment={DISABLE: disabled},
        )


class _Remarks(logging.Handler):
    """Keeps what is logged as a warning while a plugin is asked."""

    def __init__(self, remarks: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.remarks = remarks

    def emit(self, record: logging.LogRecord) -> None:
        self.remarks.append(" ".join(record.getMessage().split()))


def main(request_file: str) -> None:
    """Import the plugin that the request names (``""``: all that are left), ask its probes, leave the answers."""
    enter_child()
    folder = Path(request_file).parent
    wanted = read_request(Path(request_file))["plugin"]
    remarks: list[str] = []
    logging.getLogger().addHandler(_Remarks(remarks))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        write_result(folder, {"doing": "being imported"})
        registry = load_registry()
        routes = []
        for route in registry.routes if wanted else ():
            if route.owner != wanted:
                continue
            write_result(folder, {"doing": f"asking whether {route.name} is available"})
            reason = registry.unavailable(route)
            runs = route.hook == "make_runner"
            if runs or reason:
                shown = RouteHealth(
                    route.hook,
                    route.source if runs else route.target.name if route.target else "–",
                    route.runtime if runs else route.name,
                    route.owner,
                    route.distribution,
                    reason,
                )
                routes.append(attrs.asdict(shown))
    asked = [plugin for plugin in registry.plugins if plugin.problem and not plugin.problem.endswith(DISABLE)]
    answer = {
        "problems": {plugin.name: plugin.problem for plugin in asked},
        "conflicts": {f"{plugin.name} of {plugin.distribution}": plugin.problem for plugin in asked},
        "routes": routes,
        "remarks": [*remarks, *(" ".join(str(one.message).split()) for one in warned)],
    }
    write_result(folder, answer, done=True)


if __name__ == "__main__":
    main(sys.argv[1])
