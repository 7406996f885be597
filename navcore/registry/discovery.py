"""Which plugins the installed distributions and the environment announce, before any of them is imported."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from navcore.errors import first_line

if TYPE_CHECKING:
    import importlib.metadata

GROUP = "navcore.v1"
DISABLE = "NAVCORE_DISABLE_PLUGINS"
EXTRA = "NAVCORE_EXTRA_PLUGINS"
CORE = "navcore"
CORE_TARGET = "navcore.evaluation.closed_loop"
_ANY_GROUP = re.compile(r"navcore\.v\d+")


@attrs.frozen
class Candidate:
    """A plugin that is announced, before its module is imported."""

    name: str
    distribution: str
    version: str
    target: str
    problem: str = ""


def candidates() -> Iterator[Candidate]:
    """Core's own routes, then the announced plugins in the order of their names: install order decides nothing."""
    version = _version_of(CORE)
    yield Candidate(CORE, CORE, version, CORE_TARGET)
    disabled = {_normal(name) for name in os.environ.get(DISABLE, "").split(",") if name.strip()}
    installed = sorted(_announced(), key=lambda candidate: candidate.distribution)
    # A module that the user named comes before an installed plugin of the same name.
    found = sorted((*_extra(), *installed), key=lambda candidate: candidate.name)
    for candidate in found:
        if not disabled.isdisjoint({_normal(candidate.name), _normal(candidate.distribution)}):
            yield attrs.evolve(candidate, problem=f"left out by {DISABLE}")
        else:
            yield candidate


def _announced() -> Iterator[Candidate]:
    import importlib.metadata

    seen: set[tuple[str, str, str]] = set()
    for distribution in importlib.metadata.distributions():
        try:
            entries = [entry for entry in distribution.entry_points if _ANY_GROUP.fullmatch(entry.group)]
        except Exception as error:  # a damaged dist-info must not take the others down
            if _announces(distribution):
                name, version = _identity(distribution)
                told = f"its entry points cannot be read ({type(error).__name__}: {first_line(error)}): reinstall it"
                yield Candidate(name, name, version, "", told)
            continue
        for entry in entries:
            name, version = _identity(distribution)
            if (_normal(name), entry.group, entry.name) in seen:
                continue  # the same distribution found twice on the path: the first one is what gets imported
            seen.add((_normal(name), entry.group, entry.name))
            problem = "" if entry.group == GROUP else _foreign(entry.group)
            yield Candidate(entry.name, name, version, entry.value, problem)


def _extra() -> Iterator[Candidate]:
    for item in os.environ.get(EXTRA, "").split(","):
        if item.strip():
            name, _, module = (part.strip() for part in item.partition("="))
            yield Candidate(name, name, "", module or name)


def _announces(distribution: importlib.metadata.Distribution) -> bool:
    """Whether a distribution whose entry points cannot be parsed seems to bring a plugin at all."""
    try:
        return _ANY_GROUP.search(distribution.read_text("entry_points.txt") or "") is not None
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


def _foreign(group: str) -> str:
    return f"it speaks {group}, this navcore speaks {GROUP}: install a release of the plugin made for it"
