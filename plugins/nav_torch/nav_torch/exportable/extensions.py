"""File extension → format, and the formats' names for people."""

from __future__ import annotations

import enum
import os
from pathlib import Path
from types import MappingProxyType

from nav_torch.formats import TORCH, TORCH_EXPORTED
from navcore import Format, InputError

TORCHSCRIPT_NAME = Format.TORCHSCRIPT.name
_OWN = MappingProxyType(
    {".onnx": Format.ONNX, ".pt": Format.TORCHSCRIPT, ".ts": Format.TORCHSCRIPT, ".pt2": TORCH_EXPORTED}
)
_TOLD = MappingProxyType(
    {Format.ONNX.name: "ONNX", TORCHSCRIPT_NAME: "TorchScript", TORCH_EXPORTED.name: "an ExportedProgram"}
)


class ExportFormat(enum.Enum):
    """NeMo's names of formats, for ``supported_export_formats``."""

    ONNX = 1
    TORCHSCRIPT = 2


def get_export_format(filename: str | os.PathLike[str]) -> Format:
    """The format that a file of this name is exported to; case does not matter.

    ``.onnx`` is ONNX, ``.pt`` and ``.ts`` are TorchScript, ``.pt2`` is an ExportedProgram. Any other extension is
    looked up among the formats to which an installed plugin exports a PyTorch model directly. Raises
    :class:`InputError` naming the file for one that nobody knows.
    """
    ending = Path(filename).suffix.lower()
    known = {**_OWN} if ending in _OWN else {**_plugin_extensions(), **_OWN}
    if ending in known:
        return known[ending]
    told, names = repr(os.fspath(filename)), ", ".join(dict.fromkeys((*_OWN, *known)))
    if not ending:
        raise InputError(f"{told} has no extension.", hint=f"It chooses the format: {names}.")
    raise InputError(f"The extension of {told} is that of no known format.", hint=f"Known: {names}.")


def _plugin_extensions() -> dict[str, Format]:
    """The extensions that other plugins add, by their exporters of PyTorch models."""
    from navcore import load_registry

    return {
        suffix: route.goal
        for route in load_registry().routes
        if route.hook == "export_model" and route.source == TORCH.name
        for suffix in route.goal.suffixes
    }


def told_format(format: Format) -> str:
    """The format's name in a sentence."""
    return _TOLD.get(format.name, format.name)
