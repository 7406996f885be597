"""navcore: export a trained model to every format the installed plugins reach, prove each one, measure it, pack it.

Public names are resolved when they are first used, and so are plugins: ``navcore.torch`` is the plugin registered as
``torch``. Importing navcore imports no framework, and nothing else that takes time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "api": ("run", "plan", "load", "save", "profile"),
    "errors": (
        "NavcoreError",
        "InputError",
        "DataloaderError",
        "SourceError",
        "OptionError",
        "UnknownFormat",
        "PluginError",
        "StepError",
        "ExportError",
        "ConversionError",
        "Unavailable",
        "StepCrashed",
        "WorkspaceError",
        "WorkspaceExists",
        "WorkspaceNotOurs",
        "WorkspaceLocked",
        "PackageError",
        "PackageExists",
        "PackageIncomplete",
        "TrustRequired",
    ),
    "formats": ("Format", "JitType", "Live", "Provided", "RuntimeProvider", "TensorRTPrecision"),
    "hookspecs": ("hookimpl",),
    "jobs": ("Artifact", "ConvertJob", "ExportJob", "Made", "ProfileJob", "Runner", "RunnerJob"),
    "package": ("PackageDescriptor",),
    "planning": ("Plan",),
    "profiling": ("MeasurementMode", "ProfilerConfig"),
    "progress": ("Event",),
    "routes": ("Route", "SpotCheck", "converter", "exporter", "profiler", "runner"),
    "tensors": ("Axis", "Signature", "TensorSpec"),
}
_PUBLIC = {name: home for home, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from navcore.api import load, plan, profile, run, save
    from navcore.errors import (
        ConversionError,
        DataloaderError,
        ExportError,
        InputError,
        NavcoreError,
        OptionError,
        PackageError,
        PackageExists,
        PackageIncomplete,
        PluginError,
        SourceError,
        StepCrashed,
        StepError,
        TrustRequired,
        Unavailable,
        UnknownFormat,
        WorkspaceError,
        WorkspaceExists,
        WorkspaceLocked,
        WorkspaceNotOurs,
    )
    from navcore.formats import Format, JitType, Live, Provided, RuntimeProvider, TensorRTPrecision
    from navcore.hookspecs import hookimpl
    from navcore.jobs import Artifact, ConvertJob, ExportJob, Made, ProfileJob, Runner, RunnerJob
    from navcore.package import PackageDescriptor
    from navcore.planning import Plan
    from navcore.profiling import MeasurementMode, ProfilerConfig
    from navcore.progress import Event
    from navcore.routes import Route, SpotCheck, converter, exporter, profiler, runner
    from navcore.tensors import Axis, Signature, TensorSpec


def __getattr__(name: str) -> Any:
    """Public names from their homes; any other name is the module of the plugin registered under it."""
    import importlib
    import importlib.util

    if name in _PUBLIC:
        value = getattr(importlib.import_module(f"navcore.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    if name.startswith("_"):
        raise AttributeError(f"module 'navcore' has no attribute {name!r}")
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
    return plugin.module


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})


__all__ = [
    "Artifact",
    "Axis",
    "ConversionError",
    "ConvertJob",
    "DataloaderError",
    "Event",
    "ExportError",
    "ExportJob",
    "Format",
    "InputError",
    "JitType",
    "Live",
    "Made",
    "MeasurementMode",
    "NavcoreError",
    "OptionError",
    "PackageDescriptor",
    "PackageError",
    "PackageExists",
    "PackageIncomplete",
    "Plan",
    "PluginError",
    "ProfileJob",
    "ProfilerConfig",
    "Provided",
    "Route",
    "Runner",
    "RunnerJob",
    "RuntimeProvider",
    "Signature",
    "SourceError",
    "SpotCheck",
    "StepCrashed",
    "StepError",
    "TensorRTPrecision",
    "TensorSpec",
    "TrustRequired",
    "Unavailable",
    "UnknownFormat",
    "WorkspaceError",
    "WorkspaceExists",
    "WorkspaceLocked",
    "WorkspaceNotOurs",
    "converter",
    "exporter",
    "hookimpl",
    "load",
    "plan",
    "profile",
    "profiler",
    "run",
    "runner",
    "save",
]
