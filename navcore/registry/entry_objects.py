"""What an entry point names: the module, the object in it, and the functions that are its own."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from navcore.errors import PluginError


def import_entry(target: str) -> tuple[ModuleType, Any]:
    """The module of ``module`` or ``module:object``, and the plugin itself: that object, or the module.

    Raises :class:`PluginError` when there is no such object, or when it is none that could be a plugin; and whatever
    importing foreign code raises.
    """
    module_name, _, path = (part.strip() for part in target.partition(":"))
    module = importlib.import_module(module_name)
    if getattr(module, "__file__", None) is None and (folders := list(getattr(module, "__path__", ()))):
        raise PluginError(
            f"the folder {folders[0]} has its module's name and comes first: start Python elsewhere, or with -P"
        )
    return module, _object_in(module, path)


def _object_in(module: ModuleType, path: str) -> Any:
    found: Any = module
    for name in path.split(".") if path else ():
        try:
            found = getattr(found, name)
        except AttributeError as error:
            raise PluginError(
                f"its entry point names {module.__name__}:{path}, and {_told(found)} has no {name!r}"
            ) from error
    if found is None or inspect.isroutine(found):
        raise PluginError(
            f"its entry point names {module.__name__}:{path}, which is {'nothing' if found is None else 'a function'}: "
            f"name the module, or an object that has the hooks and routes as attributes"
        )
    return found


def _told(found: Any) -> str:
    return found.__name__ if isinstance(found, ModuleType) else f"the {type(found).__name__} there"


def own_functions(plugin: Any, attribute: str) -> Iterator[Callable[..., Any]]:
    """The plugin's functions that carry ``attribute``, once each.

    Of a module, those that were defined in it or in a module below it: a function imported from another plugin stays
    that plugin's. Of any other object, those that it has, inherited methods included: somebody has put them there.
    """
    seen: dict[int, Any] = {}  # the values too: a bound method lives no longer than somebody holds it
    for value in _values(plugin):
        if callable(value) and hasattr(value, attribute):
            identity = id(getattr(value, "__func__", value))
            if identity not in seen:
                seen[identity] = value
                yield value


def _values(plugin: Any) -> Iterator[Any]:
    if isinstance(plugin, ModuleType):
        package = plugin.__name__
        for value in vars(plugin).values():
            home = getattr(value, "__module__", None)
            if isinstance(home, str) and (home == package or home.startswith(package + ".")):
                yield value
        return
    for name in dir(plugin):
        # A property computes something, perhaps by importing a framework, and is never a function of the plugin.
        if not name.startswith("__") and not isinstance(inspect.getattr_static(plugin, name, None), property):
            yield getattr(plugin, name, None)


def docstring_of(plugin: Any, module: ModuleType) -> str:
    """What the plugin says of itself: the object's own docstring, or that of the module it lives in."""
    own = getattr(plugin, "__dict__", {}).get("__doc__")
    kind = type(plugin)
    if own is None and kind.__module__.partition(".")[0] not in sys.stdlib_module_names:
        own = kind.__doc__
    return own or module.__doc__ or ""
