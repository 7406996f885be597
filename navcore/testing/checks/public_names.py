"""What a plugin brings under public names of its own: where strategies, metrics and drop-ins are looked for."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from navcore.registry import Plugin


def public_names(plugin: Plugin) -> Iterator[tuple[str, Any]]:
    """The public attributes of the plugin that are its own: of a module, what it or a module below it defines."""
    names = vars(plugin.namespace) if isinstance(plugin.namespace, ModuleType) else dir(plugin.namespace)
    for name in sorted(names):
        if name.startswith("_") or isinstance(inspect.getattr_static(plugin.namespace, name, None), property):
            continue
        value = getattr(plugin.namespace, name, None)
        home = getattr(value if isinstance(value, type) or inspect.isroutine(value) else type(value), "__module__", "")
        root = getattr(plugin.module, "__name__", "")
        if home == root or str(home).startswith(f"{root}."):
            yield name, value
