"""navcore: export a trained model to every format the installed plugins reach, prove each one, measure it, pack it.

Public names are resolved when they are first used, and so are plugins: ``navcore.torch`` is the plugin registered as
``torch``. Importing navcore imports no framework, and nothing else that takes time. The names, and the wings where they
live, are listed once, in ``__init__.pyi``.
"""

from typing import Any

import lazy_loader as _lazy_loader  # not a name of navcore: a plugin may have it

__version__ = "0.1.0"

_public, _, __all__ = _lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Public names from their homes; any other name is the plugin registered under it."""
    if name in __all__:
        return _public(name)
    if name.startswith("_"):
        raise AttributeError(f"module 'navcore' has no attribute {name!r}")
    import importlib
    import importlib.util

    if name.isidentifier() and importlib.util.find_spec(f"{__name__}.{name}") is not None:
        return importlib.import_module(f"{__name__}.{name}")
    from navcore.registry import load_registry

    plugin = load_registry().plugin(name)
    if plugin is None:
        raise AttributeError(f"navcore has no attribute {name!r}, and no plugin of that name is installed.")
    if plugin.module is None or plugin.problem:
        raise AttributeError(
            f"The plugin {name!r} ({plugin.distribution} {plugin.version}) is not usable: {plugin.problem}"
        )
    return plugin.namespace


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
