"""Import OpenVINO and NNCF without their usage statistics, or say why one of them cannot be imported."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

_STATISTICS = "openvino_telemetry"


def openvino() -> ModuleType:
    """The module ``openvino``.

    Importing it writes an identifier and a counter into the home folder and may report the use to its makers. That is
    for a person to agree to, not for a step of somebody's export; without the module that does it, OpenVINO is silent.
    """
    return _silent("openvino")


def nncf() -> ModuleType:
    """The module ``nncf``, which does the same as OpenVINO when it is imported, and each time that it quantises."""
    return _silent("nncf")


def _silent(name: str) -> ModuleType:
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded
    absent = _STATISTICS not in sys.modules
    if absent:
        sys.modules[_STATISTICS] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(name)
    finally:
        if absent:
            del sys.modules[_STATISTICS]


def why_no_openvino() -> str | None:
    """``None`` where OpenVINO is installed, else the reason why nothing can be made or run with it. Imports nothing."""
    return None if _is_installed("openvino") else "OpenVINO is not installed: pip install openvino"


def why_no_nncf() -> str | None:
    """``None`` where OpenVINO and NNCF are installed, else the reason why nothing can be quantised. Imports nothing."""
    if missing := why_no_openvino():
        return missing
    return None if _is_installed("nncf") else 'NNCF is not installed: pip install "nav-openvino[int8]"'


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # something else goes by its name
        return False
