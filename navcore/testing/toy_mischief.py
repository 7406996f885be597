"""What can be asked of the toy framework to go wrong, and how it does."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from navcore.errors import Unavailable

MISCHIEFS = (
    "raise", "hang", "segfault", "nothing", "exit", "empty", "hog", "unavailable", "numbers", "names", "fixed", "sizes",
    "shared", "crowded",
)  # fmt: skip
"""What can be asked for: the step raises, hangs, dies of SIGSEGV, writes no file, exits 0 without a result, writes an
empty file, uses too much memory, finds something missing; or the product computes other numbers, returns other names,
accepts no batch but the example's, or computes other numbers at any other batch. A runner that does "nothing" or
something "empty" returns no outputs, or empty ones; one that is "moody" computes other numbers than it did when samples
were taken of it; one that is "counting" remembers how often it was called; one that is "drawing" adds random
numbers. One that is "shared" mixes up callers that come together, and one that is "crowded" dies of them."""


def _raise() -> None:
    raise ValueError("mischief was asked for")


def _hang() -> None:
    time.sleep(600)


def _segfault() -> None:
    ctypes.string_at(0)


def _exit() -> None:
    os._exit(0)


def _hog() -> None:
    block = bytearray()
    while True:
        block += os.urandom(1) * (64 << 20)
        time.sleep(0.05)


def _unavailable() -> None:
    raise Unavailable("the toy accelerator is not there")


ACTS: Mapping[str, Callable[[], None]] = {
    "raise": _raise,
    "hang": _hang,
    "segfault": _segfault,
    "exit": _exit,
    "hog": _hog,
    "unavailable": _unavailable,
}
"""Those that end a step, by name."""


class Together:
    """What becomes of several callers of one runner, whose mischief is ``shared`` or ``crowded``, or any other."""

    def __init__(self, mischief: str) -> None:
        self._mischief = mischief
        self._asked: Any = None
        self._alone = threading.Lock()

    def asked(self, x: Any) -> Any:
        """What a caller is answered about: its own ``x``, unless it is mixed up with another's."""
        if self._mischief not in ("shared", "crowded"):
            return x
        if not self._alone.acquire(blocking=False):
            if self._mischief == "crowded":
                _exit()
            return self._asked
        try:
            self._asked = x
            time.sleep(0.001)
            return x
        finally:
            self._alone.release()
