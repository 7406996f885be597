"""From where a child imports: from where its caller does."""

from __future__ import annotations

import contextlib
import os
import sys


def search_path() -> str:
    """Return the caller's ``sys.path`` in the form of PYTHONPATH.

    The whole of it, in its order: with only a part in front, a package could come to shadow the standard library.
    """
    entries = [entry for entry in sys.path if isinstance(entry, str) and entry and os.pathsep not in entry]
    with contextlib.suppress(FileNotFoundError):  # the current folder may be gone
        entries = [os.path.abspath(entry) for entry in entries]
    return os.pathsep.join(entries)
