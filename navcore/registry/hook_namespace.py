"""What pluggy sees of a plugin: a guarded implementation per route, and its guarded wrappers."""

from __future__ import annotations

from types import SimpleNamespace

from navcore.contract import blame_line, hookspecs
from navcore.registry.discovery import CORE
from navcore.registry.guards import guarded, guarded_wrapper
from navcore.registry.hook_functions import hook_functions
from navcore.registry.registry import Plugin


def hook_namespace(plugin: Plugin) -> SimpleNamespace:
    """The namespace to register for a loaded plugin.

    A route is answered by its own guard alone, whichever way it was declared: that a plain implementation asks to come
    first or last decides nothing, because the plan decides. Raises :class:`PluginError` for a wrapper that cannot be
    called.
    """
    space = SimpleNamespace(__name__=plugin.name)
    for index, route in enumerate(plugin.routes):
        mark = hookspecs.hookimpl(specname=route.hook, trylast=plugin.name == CORE)
        setattr(space, f"route_{index}", mark(guarded(route)))
    wrappers = [one for one in hook_functions(plugin.namespace) if one.is_wrapper]
    for index, one in enumerate(wrappers):
        wrapper = guarded_wrapper(one.function, blame_line(plugin.distribution, plugin.version, one.name))
        first, last = one.asked["tryfirst"], one.asked["trylast"]
        mark = hookspecs.hookimpl(wrapper=True, specname=one.hook, tryfirst=first, trylast=last)
        setattr(space, f"wrapper_{index}", mark(wrapper))
    return space
