"""Whose standard streams these are: navcore's own while its command runs, and never those of a program that calls it.

Redirecting them changes them for every thread of the process, so that happens only where the process is navcore's.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

_ours = 0


@contextlib.contextmanager
def own_streams() -> Iterator[None]:
    """Say that the streams of this process are navcore's own until the block ends."""
    global _ours
    _ours += 1
    try:
        yield
    finally:
        _ours -= 1


def are_streams_ours() -> bool:
    """Whether navcore may redirect the streams of this process."""
    return _ours > 0


@contextlib.contextmanager
def foreign_code() -> Iterator[None]:
    """Around what a plugin runs at import or in a probe: its banner must not end up in an answer that somebody reads.

    In a program that calls navcore it goes where that program's output goes.
    """
    if not are_streams_ours():
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield
