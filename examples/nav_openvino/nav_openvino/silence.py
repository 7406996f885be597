"""Import OpenVINO without its usage statistics, or say why it cannot be imported."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

_STATISTICS = "openvino_telemetry"


def openvino() -> ModuleType:
    """The module ``openvino``.

    Importing it writes an identifier and a counter into the home folder and may report the use to its makers. That is
    for a person to agree to, not for a step of somebody's export; without the module that does it, OpenVINO is silent.
    """
    loaded = sys.modules.get("openvino")
    if loaded is not None:
        return loaded
    absent = _STATISTICS not in sys.modules
    if absent:
        sys.modules[_STATISTICS] = None  # type: ignore[assignment]
    try:
        import openvino as ov
    finally:
        if absent:
            del sys.modules[_STATISTICS]
    module: ModuleType = ov
    return module


def why_no_openvino() -> str | None:
    """``None`` where OpenVINO is installed, else the reason why nothing can be made or run with it. Imports nothing."""
    try:
        found = importlib.util.find_spec("openvino") is not None
    except ValueError:  # something else goes by its name
        found = False
    return None if found else "OpenVINO is not installed: pip install openvino"
