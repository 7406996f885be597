"""From announced plugins to registered ones: imported, held against each other, their hooks made known."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import attrs
import pluggy

from navcore.contract import Precision, hookspecs
from navcore.errors import NavcoreError, first_line
from navcore.registry.declared_routes import routes_of
from navcore.registry.discovery import CORE_TARGET, Candidate, candidates
from navcore.registry.entry_objects import import_entry
from navcore.registry.hook_namespace import hook_namespace
from navcore.registry.own_code import note_import
from navcore.registry.registry import Plugin, Registry
from navcore.registry.reserved_names import is_reserved
from navcore.registry.standard_streams import foreign_code

_Meanings: TypeAlias = Mapping[tuple[str, str], "tuple[Plugin, object]"]
"""What the names of formats and precisions mean, by kind and name, and whose word that is."""


def load_registry(announced: Iterable[Candidate] | None = None) -> Registry:
    """Import every installed plugin and register its hooks.

    Nothing here raises: a plugin that cannot be used becomes a :class:`Plugin` with a ``problem``. The environment
    variable ``NAVCORE_DISABLE_PLUGINS`` names plugins or distributions to leave out (comma-separated),
    ``NAVCORE_EXTRA_PLUGINS`` adds modules without packaging (``name=module`` or ``name=module:object``,
    comma-separated).

    ``announced`` is what another process of this environment found announced: nobody has to look again.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    found = candidates() if announced is None else announced
    plugins = [_register(plugin, manager) for plugin in _refuse_conflicts(_load(one) for one in found)]
    if announced is None:  # not in a child, which remembers nothing
        for route in (route for plugin in plugins for route in plugin.routes):
            note_import(route)
    return Registry(tuple(plugins), manager.hook)


def _load(candidate: Candidate) -> Plugin:
    found = Plugin(candidate.name, candidate.distribution, candidate.version, candidate.target)
    if candidate.problem:
        return attrs.evolve(found, problem=candidate.problem)
    if candidate.target != CORE_TARGET and (reason := _why_no_name(candidate.name)):
        return attrs.evolve(found, problem=f"{candidate.name!r} cannot name a plugin: {reason}")
    try:
        with foreign_code():
            module, namespace = import_entry(candidate.target)
            routes = routes_of(namespace, candidate)
    except KeyboardInterrupt:
        raise
    except NavcoreError as error:
        return attrs.evolve(found, problem=str(error))
    except BaseException as error:  # an import runs foreign code; even SystemExit must not end the caller
        return attrs.evolve(found, problem=f"{type(error).__name__}: {first_line(error)}")
    return attrs.evolve(found, module=module, namespace=namespace, routes=routes)


def _why_no_name(name: str) -> str:
    """Why ``navcore.<name>`` cannot be written, or what it means already; ``""`` for a name that can be a plugin's."""
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        return "users write navcore.NAME, so its entry point needs letters, digits and inner underscores: my_format"
    if is_reserved(name):
        return f"navcore.{name} is part of navcore itself, so its entry point needs another name"
    return ""


def _refuse_conflicts(plugins: Iterable[Plugin]) -> list[Plugin]:
    """Two plugins of one name, or two meanings of one format name."""
    kept: list[Plugin] = []
    meanings: _Meanings = {}
    for plugin in plugins:
        problem = "" if plugin.loaded else plugin.problem
        if plugin.loaded:
            first = next((other for other in kept if other.name == plugin.name and other.loaded), None)
            if first is not None:
                problem = f"{first.distribution} {first.version} already brings a plugin named {plugin.name!r}"
            else:
                problem = _other_meaning(plugin, meanings)
        if plugin.loaded and not problem:
            meanings = {**_meanings(plugin), **meanings}
        kept.append(attrs.evolve(plugin, problem=problem))
    return kept


def _other_meaning(plugin: Plugin, meanings: _Meanings) -> str:
    known = dict(meanings)
    for key, meaning in _declared(plugin):
        owner, first = known.setdefault(key, (plugin, meaning))
        if first != meaning:
            kind, name = key
            if owner is plugin:
                return f"it declares the {kind} {name!r} twice, and differently: use one value for both"
            whose = f"{owner.distribution} {owner.version}".rstrip()  # one that is no distribution has no version
            return (
                f"it declares the {kind} {name!r} differently from {whose}; "
                f"import that plugin's {kind}, or choose another name"
            )
    return ""


def _meanings(plugin: Plugin) -> _Meanings:
    return {key: (plugin, meaning) for key, meaning in _declared(plugin)}


def _declared(plugin: Plugin) -> Iterator[tuple[tuple[str, str], object]]:
    """Each name that the plugin gives a meaning, with its kind, and what it means by it: precisions, then formats."""
    formats = [format for route in plugin.routes for format in route.formats]
    for format in formats:
        if isinstance(format.precision, Precision):
            yield ("precision", str(format.precision)), (*format.precision.bounds, format.precision.quantised)
    for format in formats:
        yield ("format", str(format.name)), format.description()


def _register(plugin: Plugin, manager: pluggy.PluginManager) -> Plugin:
    """Make the plugin's hooks known, or find out why they cannot be."""
    if not plugin.loaded:
        return plugin
    try:
        manager.register(hook_namespace(plugin), name=plugin.name)
    except NavcoreError as error:
        return attrs.evolve(plugin, problem=str(error))
    except Exception as error:
        return attrs.evolve(plugin, problem=f"{type(error).__name__}: {first_line(error)}")
    return plugin
