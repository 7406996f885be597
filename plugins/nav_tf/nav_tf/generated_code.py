"""Autograph writes the code that it generates to temporary files: they go as soon as a trace is made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "__autograph_generated_file"


@contextmanager
def without_generated_files() -> Iterator[None]:
    """Remove the files of what autograph generates meanwhile; its modules are loaded, and stay.

    TensorFlow itself removes them when the process ends, unless it is killed.
    """
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            file = getattr(sys.modules.get(name), "__file__", None)
            if name.startswith(_PREFIX) and file:
                Path(file).unlink(missing_ok=True)
