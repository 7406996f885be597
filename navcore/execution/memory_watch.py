"""Whether a larger batch would be too much for this process, by what the smaller ones took."""

from __future__ import annotations

import threading
from typing import Self

from navcore.contract import Signature
from navcore.execution.batch_memory import batch_bytes
from navcore.execution.resources import available_memory, resident_memory

_LOOK_EVERY = 0.05
_ROOM = 0.8
"""Of the memory that is free, for one model."""

_MARGIN = 1.5


def room_for_one() -> int | None:
    """How many bytes one model may take; ``None`` where it is not known how many are free."""
    free = available_memory()
    return None if free is None else int(_ROOM * free)


class MemoryWatch:
    """Looks at the resident memory of this process while batches of a live model are measured in it.

    Such a model has no child that a limit could end alone, so that what a larger batch takes has to be foreseen: in
    proportion to the one before, and half more, at least the bytes of its inputs.
    """

    def __init__(self, signature: Signature, room: int | None) -> None:
        self._signature = signature
        self._room = room
        self._size = self._before = self._peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="navcore memory", daemon=True)

    def __enter__(self) -> Self:
        self._before = self._peak = resident_memory()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def no_room(self, size: int) -> str:
        """Why a batch of that size would be too much, or nothing: then batches of that size are what follows."""
        needed = batch_bytes(self._signature, size)
        if self._size:
            self._peak = max(self._peak, resident_memory())
            needed = max(needed, int(_MARGIN * (self._peak - self._before) * size / self._size))
        if self._room is None or needed <= self._room:
            self._size, self._before = size, resident_memory()
            self._peak = self._before
            return ""
        return f"{size} would take about {_gibibytes(needed)}, and {_gibibytes(self._room)} may be taken"

    def _look(self) -> None:
        while not self._over.wait(_LOOK_EVERY):
            self._peak = max(self._peak, resident_memory())


def _gibibytes(count: int) -> str:
    return f"{count / 2**30:.3g} GiB"
