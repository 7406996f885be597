"""Which plugins and commands the installed distributions and the environment announce, before any is imported."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING

import attrs

from navcore.errors import first_line

if TYPE_CHECKING:
    import importlib.metadata

GROUP = "navcore.v1"
DISABLE = "NAVCORE_DISABLE_PLUGINS"
EXTRA = "NAVCORE_EXTRA_PLUGINS"
COMMANDS_GROUP = "navcore.commands.v1"
EXTRA_COMMANDS = "NAVCORE_EXTRA_COMMANDS"
CORE = "navcore"
CORE_TARGET = "navcore.evaluation.closed_loop"
_ANY_GROUP = re.compile(r"navcore\.v\d+")
_ANY_COMMANDS_GROUP = re.compile(r"navcore\.commands\.v\d+")


@attrs.frozen
class Candidate:
    """A plugin, or a command, that is announced, before its module is imported."""

    name: str
    distribution: str
    version: str
    target: str
    problem: str = ""


def candidates() -> Iterator[Candidate]:
    """Core's own routes, then the announced plugins in the order of their names: install order decides nothing."""
    version = _version_of(CORE)
    yield Candidate(CORE, CORE, version, CORE_TARGET)
    yield from _in_order(_extra(EXTRA), _announced(_ANY_GROUP, GROUP))


def command_candidates(taken: Container[str] = ()) -> tuple[Candidate, ...]:
    """The announced commands in the order of their names; ``taken`` are names that navcore's own commands have.

    Of two commands with one name the one of the distribution that comes first in the alphabet is kept; the other has a
    problem, as has one whose name is taken. ``NAVCORE_EXTRA_COMMANDS`` adds some without packaging
    (``name=module:object``, comma-separated).
    """
    found: dict[str, Candidate] = {}
    refused = []
    for candidate in _in_order(_extra(EXTRA_COMMANDS), _announced(_ANY_COMMANDS_GROUP, COMMANDS_GROUP)):
        first = found.get(candidate.name)
        if candidate.problem:
            refused.append(candidate)
        elif candidate.name in taken:
            refused.append(attrs.evolve(candidate, problem=f"navcore has a command {candidate.name!r} of its own"))
        elif first is not None:
            told = f"{first.distribution} {first.version}".rstrip()
            refused.append(attrs.evolve(candidate, problem=f"{told} already brings a command {candidate.name!r}"))
        else:
            found[candidate.name] = candidate
    return tuple(sorted((*found.values(), *refused), key=lambda one: (one.name, one.distribution)))


def _in_order(named: Iterable[Candidate], installed: Iterable[Candidate]) -> Iterator[Candidate]:
    """By name, what the user named before what is installed, and what the user disabled with that as its problem."""
    disabled = {_normal(name) for name in os.environ.get(DISABLE, "").split(",") if name.strip()}
    by_distribution = sorted(installed, key=lambda candidate: candidate.distribution)
    for candidate in sorted((*named, *by_distribution), key=lambda candidate: candidate.name):
        if not disabled.isdisjoint({_normal(candidate.name), _normal(candidate.distribution)}):
            yield attrs.evolve(candidate, problem=f"left out by {DISABLE}")
        else:
            yield candidate


def _announced(any_generation: re.Pattern[str], spoken: str) -> Iterator[Candidate]:
    import importlib.metadata

    seen: set[tuple[str, str, str]] = set()
    for distribution in importlib.metadata.distributions():
        try:
            entries = [entry for entry in distribution.entry_points if any_generation.fullmatch(entry.group)]
        except Exception as error:  # a damaged dist-info must not take the others down
            if _announces(distribution, any_generation):
                name, version = _identity(distribution)
                told = f"its entry points cannot be read ({type(error).__name__}: {first_line(error)}): reinstall it"
                yield Candidate(name, name, version, "", told)
            continue
        for entry in entries:
            name, version = _identity(distribution)
            if (_normal(name), entry.group, entry.name) in seen:
                continue  # the same distribution found twice on the path: the first one is what gets imported
            seen.add((_normal(name), entry.group, entry.name))
            problem = "" if entry.group == spoken else _foreign(entry.group, spoken)
            yield Candidate(entry.name, name, version, entry.value, problem)


def _extra(variable: str) -> Iterator[Candidate]:
    for item in os.environ.get(variable, "").split(","):
        if item.strip():
            name, _, module = (part.strip() for part in item.partition("="))
            yield Candidate(name, name, "", module or name)


def _announces(distribution: importlib.metadata.Distribution, any_generation: re.Pattern[str]) -> bool:
    """Whether a distribution whose entry points cannot be parsed seems to bring a plugin at all."""
    try:
        return any_generation.search(distribution.read_text("entry_points.txt") or "") is not None
    except Exception:
        return False


def _identity(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    """Name and version, from the folder's name where the metadata is damaged."""
    try:
        name, version = distribution.metadata["Name"], distribution.metadata["Version"]
    except Exception:
        name, version = None, None
    folder = getattr(distribution, "_path", None)  # a file system's distribution; others have none
    stem, _, number = getattr(folder, "stem", "unknown").partition("-")
    return name or stem, version or number


def _normal(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _version_of(distribution: str) -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _foreign(group: str, spoken: str) -> str:
    return f"it speaks {group}, this navcore speaks {spoken}: install a release of the plugin made for it"
