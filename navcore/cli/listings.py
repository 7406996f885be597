"""``navcore plugins``, ``formats`` and ``doctor``: what is installed here, and what works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from navcore.cli import COMMANDS
from navcore.cli.answers import NOT_OK, Command, json_option, print_columns, print_json, shown, tell

if TYPE_CHECKING:
    from navcore.cli.doctor_child import Diagnosis
    from navcore.contract import Route
    from navcore.registry import Candidate, Plugin, Registry


@click.command("plugins", cls=Command, short_help=COMMANDS["plugins"][1])
@json_option
def plugins(as_json: bool) -> None:
    """List the installed plugins and their commands, also those that cannot be used, and why."""
    from navcore.cli.plugin_commands import plugin_commands
    from navcore.registry import load_registry

    registry = load_registry()
    reasons = [(plugin, registry.useless(plugin)) for plugin in registry.plugins]
    commands = [(command, _problem_of(command)) for command in plugin_commands(COMMANDS)]
    if as_json:
        listed = [_plugin_data(plugin, reason, commands) for plugin, reason in reasons]
        print_json([*listed, *_commands_alone(reasons, commands)])
        return
    rows = [
        (one.name, one.distribution, one.version or "–", _status(one, reason), _said(one, reason))
        for one, reason in reasons
    ]
    rows += [
        (f"navcore {one.name}", one.distribution, one.version or "–", _command_status(problem), problem or "a command")
        for one, problem in commands
    ]
    print_columns(rows, heads=("name", "distribution", "version", "status", "summary"))


def _problem_of(command: Candidate) -> str:
    """Why a plugin's command cannot be used, or ``""``; it is imported to find out."""
    from navcore.cli.plugin_commands import load_command

    try:
        load_command(command)
    except click.ClickException as error:
        return command.problem or error.message.partition("cannot be used: ")[2].removesuffix(".")
    return ""


def _command_status(problem: str) -> str:
    from navcore.registry import DISABLE

    if not problem:
        return "ok"
    return "left out" if problem.endswith(DISABLE) else "broken"


def _status(plugin: Plugin, reason: str) -> str:
    from navcore.registry import DISABLE

    if plugin.loaded:
        return "unavailable" if reason else "ok"
    return "left out" if plugin.problem.endswith(DISABLE) else "broken"


def _said(plugin: Plugin, reason: str) -> str:
    """What it is, or on one line what is wrong with it."""
    return " ".join((plugin.problem or reason or plugin.summary).split())


def _plugin_data(plugin: Plugin, reason: str, commands: Sequence[tuple[Candidate, str]]) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "module": plugin.target,
        "status": _status(plugin, reason),
        "summary": plugin.summary,
        "problem": plugin.problem or reason or None,
        "routes": [route.id for route in plugin.routes] if plugin.loaded else [],
        "commands": [
            {"name": command.name, "status": _command_status(problem), "problem": problem or None}
            for command, problem in commands
            if command.distribution == plugin.distribution
        ],
    }


def _commands_alone(
    reasons: Sequence[tuple[Plugin, str]], commands: Sequence[tuple[Candidate, str]]
) -> list[dict[str, Any]]:
    """The distributions that bring commands and no plugin, in the same words as plugins."""
    from navcore.registry import Plugin

    plugins = {plugin.distribution for plugin, _ in reasons}
    others = {one.distribution: one.version for one, _ in commands if one.distribution not in plugins}
    return [_plugin_data(Plugin(name, name, version, ""), "", commands) for name, version in others.items()]


@click.command("formats", cls=Command, short_help=COMMANDS["formats"][1])
@json_option
def formats(as_json: bool) -> None:
    """List the known formats: who makes each, who runs each, and what is missing on this machine."""
    from navcore.registry import load_registry

    listed = _formats_data(load_registry())
    if as_json:
        print_json(listed)
        return
    if not listed:
        tell("No installed plugin brings a format. Install nav-torch, for example: pip install nav-torch.")
    for format in listed:
        family = "" if format["family"] == format["name"] else f"  (family {format['family']})"
        click.echo(shown(f"{format['name']}{family}  {format['summary']}".rstrip()))
        ways = [_way_row("made by", way["route"], way) for way in format["made_by"]]
        ways += [_way_row("run by", way["runtime"], way) for way in format["run_by"]]
        if ways:
            titles = [title for title, _ in ways]
            print_columns([(title if titles.index(title) == at else "", told) for at, (title, told) in enumerate(ways)])


def _way_row(title: str, name: str, way: Mapping[str, Any]) -> tuple[str, str]:
    origin = f" from {way['from']}" if way.get("from") else ""
    reason = f": unavailable, {way['unavailable']}" if way["unavailable"] else ""
    plugin = f"{way['distribution']} {way['version']}".rstrip()
    return f"  {title:<7}", f"{name}{origin} ({plugin}){reason}"


def _formats_data(registry: Registry) -> list[dict[str, Any]]:
    reasons = {route.id: registry.unavailable(route) for route in registry.routes}

    def way(route: Route) -> dict[str, Any]:
        told = {"distribution": route.distribution, "version": route.version, "default": route.default}
        return {**told, "effort": str(route.effort), "unavailable": reasons[route.id] or None}

    return [
        {
            "name": format.name,
            "family": format.family,
            "summary": format.summary,
            "live": format.live is not None,
            "filename": None if format.live is not None else format.filename,
            "suffixes": list(format.suffixes),
            "data_only": format.data_only,
            "made_by": [
                {"route": route.name, "from": route.source, **way(route)}
                for route in registry.routes
                if route.target == format
            ],
            "run_by": [
                {"runtime": route.runtime, **way(route)}
                for route in registry.routes
                if route.hook == "make_runner" and route.source == format.name
            ],
        }
        for format in registry.formats
    ]


@click.command("doctor", cls=Command, short_help=COMMANDS["doctor"][1])
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long one plugin may take.",
)
@json_option
def doctor(timeout: float, as_json: bool) -> None:
    """Examine this machine: Python, plugins, and every runtime with the reason why not.

    Each plugin is imported and asked in a process of its own, so that one that hangs or dies is found and named; the
    exit code is then 1. A runtime that is unavailable is no fault.
    """  # fmt: skip
    import attrs

    from navcore.cli.doctor_child import examine

    found = examine(timeout=timeout)
    if as_json:
        print_json(attrs.asdict(found))
    else:
        _show(found)
    if not found.healthy:
        raise click.exceptions.Exit(NOT_OK)


def _show(found: Diagnosis) -> None:
    print_columns([(name.replace("_", " "), str(value)) for name, value in found.machine.items()])
    click.echo()
    rows = [
        (one.name, one.distribution, one.version or "–", one.status, one.problem or f"{one.seconds:.1f} s")
        for one in found.plugins
    ]
    print_columns(rows, heads=("plugin", "distribution", "version", "status", "problem or time"))
    for plugin in found.plugins:
        for remark in plugin.remarks:
            click.echo(shown(f"warning: {plugin.name}: {remark}"))
    if not found.routes:
        return
    click.echo()
    ways = [(one.format, one.name, one.distribution, one.reason or "available") for one in found.routes]
    print_columns(ways, heads=("format", "runtime or route", "distribution", "here"))
