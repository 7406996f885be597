"""A plugin of the conformance kit: ends every step of a child process in a real segmentation fault."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

from navcore.contract import hookimpl

NAME = "navcore_conformance_crash"
VARIABLE = "NAVCORE_CONFORMANCE_CRASH"
"""Holds the process that asked for it, which is spared."""


def _crash() -> None:
    """Read from address 0, after the plugin did its work and with everything loaded that it loads."""
    asked_by = os.environ.get(VARIABLE)
    if asked_by is None or int(asked_by) == os.getpid():
        return
    import ctypes

    ctypes.string_at(0)


@hookimpl(wrapper=True)
def export_model() -> Generator[None, Any, Any]:
    """Crash at the end of an export in a fork."""
    result = yield
    _crash()
    return result


@hookimpl(wrapper=True)
def convert() -> Generator[None, Any, Any]:
    """Crash at the end of a conversion."""
    result = yield
    _crash()
    return result


@hookimpl(wrapper=True)
def make_runner() -> Generator[None, Any, Any]:
    """Crash when a runner was just opened."""
    result = yield
    _crash()
    return result
