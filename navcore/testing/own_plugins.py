"""Announces plugins of the kit's own, for this process and the children that it starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from navcore.registry import EXTRA
from navcore.testing import crashing, importing


@contextmanager
def announced(name: str, module: str) -> Iterator[None]:
    """Within the block the module is a plugin of that name, beside those that are announced already."""
    before = os.environ.get(EXTRA)
    os.environ[EXTRA] = ",".join(part for part in (before, f"{name}={module}") if part)
    try:
        yield
    finally:
        if before is None:
            del os.environ[EXTRA]
        else:
            os.environ[EXTRA] = before


def tell_own_plugins(notes: Path) -> None:
    """Tell the kit's plugins, for good, in which process they are asked for, and which folder is for notes.

    They read it from the environment, which has to stay the same: warm processes belong to one.
    """
    os.environ[crashing.VARIABLE] = str(os.getpid())
    os.environ[importing.VARIABLE] = str(notes)
