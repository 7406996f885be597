"""Autograph writes the code that it generates to temporary files: they go as soon as a trace is made."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path

_PREFIX = "__autograph_generated_file"


@contextmanager
def without_generated_files() -> Iterator[None]:
    """Remove the files of what autograph generates meanwhile; its modules are loaded, and stay.

    TensorFlow itself removes the sources when the process ends, unless it is killed, and never the bytecode.
    """
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            if name.startswith(_PREFIX):
                _remove(getattr(sys.modules.get(name), "__spec__", None))


def _remove(spec: ModuleSpec | None) -> None:
    if spec is None:
        return
    for file in (spec.origin, spec.cached):
        if file:
            Path(file).unlink(missing_ok=True)
    if spec.cached:
        with contextlib.suppress(OSError):  # others have theirs there too
            Path(spec.cached).parent.rmdir()
