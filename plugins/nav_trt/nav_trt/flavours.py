"""TensorRT and TensorRT-RTX: the one place that tells the two apart and imports either."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Literal

import attrs

from navcore import StepError, Unavailable

FlavourName = Literal["tensorrt", "tensorrt-rtx"]


@attrs.frozen
class Flavour:
    """One flavour: its name in records, its module, the range of versions that share the API used here.

    ``oldest`` is inclusive, ``before`` exclusive. ``builds_without_device`` says that its builder needs no GPU.
    """

    name: FlavourName
    title: str
    module: str
    extra: str
    oldest: tuple[int, int]
    before: tuple[int, int]
    builds_without_device: bool

    @property
    def supported(self) -> str:
        """The range as pip writes it."""
        return f">={self.oldest[0]}.{self.oldest[1]},<{self.before[0]}"

    @property
    def install(self) -> str:
        return f"pip install 'nav-trt[{self.extra}]'"


TENSORRT = Flavour("tensorrt", "TensorRT", "tensorrt", "tensorrt", (10, 3), (12, 0), builds_without_device=False)
RTX = Flavour("tensorrt-rtx", "TensorRT-RTX", "tensorrt_rtx", "rtx", (1, 4), (2, 0), builds_without_device=True)


def why_not_installed(flavour: Flavour) -> str | None:
    """``None`` where the flavour is installed in a version that is supported, else the reason. Imports nothing."""
    try:
        spec = importlib.util.find_spec(flavour.module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:  # a folder of that name is no package
        return f"{flavour.title} is not installed; {flavour.install}"
    version = recorded_version(flavour)
    return None if version is None else _unsupported(flavour, version)


def recorded_version(flavour: Flavour) -> str | None:
    """The version in the installed distribution's metadata; ``None`` where the module came another way."""
    for name in (flavour.module, f"{flavour.module}_cu13", f"{flavour.module}_cu12"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _unsupported(flavour: Flavour, version: str) -> str | None:
    number = _number(version)
    if flavour.oldest <= number < flavour.before:
        return None
    return f"{flavour.title} {version} is not supported ({flavour.supported}); {flavour.install}"


def _number(version: str) -> tuple[int, int]:
    parts = [int(part) for part in re.findall(r"\d+", version)[:2]]
    return (parts[0], parts[1]) if len(parts) == 2 else (0, 0)


def import_flavour(flavour: Flavour) -> ModuleType:
    """The flavour's module. Raises :class:`Unavailable` when it is missing, cannot be loaded, or is too old or new."""
    reason = why_not_installed(flavour)
    if reason is not None:
        raise Unavailable(f"{reason}.")
    try:
        module = importlib.import_module(flavour.module)
    except Exception as error:  # a missing library surfaces as ImportError, OSError or a bare Exception
        raise Unavailable(
            f"{flavour.title} cannot be loaded: {type(error).__name__}: {error}", hint=f"Repair it: {flavour.install}"
        ) from error
    unsupported = _unsupported(flavour, str(getattr(module, "__version__", "")))
    if unsupported is not None:  # where no metadata said so before
        raise Unavailable(f"{unsupported}.")
    return module


def refuse_foreign_plan(facts: Mapping[str, str], flavour: Flavour, version: str) -> None:
    """Raise :class:`StepError` for a plan that another flavour or another major version built.

    ``facts`` are what :mod:`nav_trt.building` recorded. Loading a foreign plan is not refused by the library in every
    version: it may end the process.
    """
    built_by, built_with = facts.get("flavour", ""), facts.get("version", "")
    if built_by and built_by != flavour.name:
        raise StepError(
            f"The engine was built by {built_by} {built_with}, and {flavour.name} cannot load it.",
            hint="Run it with the flavour that built it, or build it again.",
        )
    if built_with and _number(built_with)[0] != _number(version)[0]:
        raise StepError(
            f"The engine was built by {flavour.title} {built_with}, and {version} does not load plans of another "
            "major version.",
            hint="Build it again here: nav.load(..., retest_conversions=True).",
        )
