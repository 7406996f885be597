"""Decides what may start beside what already runs, so that the machine has the processors and the memory for it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from navcore.errors import StepError
from navcore.execution.resources import available_memory

BASE = 512 << 20
"""Bytes that a child of a framework takes before it has loaded a model; 200 to 450 MiB were seen."""

COPIES = 3
"""How often the weights are taken to be in memory while a model is loaded: as read, as built, as laid out anew."""

LOOK_EVERY = 0.2
"""Seconds between two looks at what changes without anybody telling, as memory does."""


class Abandoned(StepError):
    """The run that wanted this step was interrupted: whatever came of it is not to be recorded."""


def foreseen_memory(weights: int, limit: int | None = None) -> int:
    """How many bytes a child that loads a model of ``weights`` bytes is given room for; a limit it cannot exceed."""
    foreseen = BASE + COPIES * weights
    return foreseen if limit is None else min(foreseen, limit)


class Place:
    """One step's place among those that run. ``crowded`` tells that it had, at any time, a neighbour.

    ``needs`` are bytes, ``None`` where nobody knows. ``patient`` steps wait until there is room for them, the
    others only for one that is to be ``alone``.
    """

    def __init__(self, needs: int | None, *, patient: bool, alone: bool) -> None:
        self.needs = needs
        self.patient = patient
        self.alone = alone
        self.crowded = False


class Admission:
    """The places of one run. ``most`` is how many steps are many enough for a patient one to wait.

    ``free`` says how many bytes of memory could still be taken, ``None`` where that cannot be known.
    """

    def __init__(self, most: int, free: Callable[[], int | None] | None = None) -> None:
        self._most = max(1, most)
        self._free = available_memory if free is None else free
        self._running: list[Place] = []
        self._changed = threading.Condition()
        self.closed = False

    @contextlib.contextmanager
    def place(self, needs: int | None, *, patient: bool = True, alone: bool = False) -> Iterator[Place]:
        """Wait for a place and keep it; nothing else runs beside one that is ``alone``.

        What runs already is counted with all that it was foreseen to need, whether it has taken that yet or not, and
        is taken to need as much as the newcomer where nobody knows. Alone there is always room.
        Raises :class:`Abandoned` when the run ends before the place is free.
        """
        place = Place(needs, patient=patient, alone=alone)
        with self._changed:
            while not self.closed and not self._has_room_for(place):
                self._changed.wait(LOOK_EVERY)
            self.raise_if_closed()
            for other in self._running:
                other.crowded = place.crowded = True
            self._running.append(place)
        try:
            yield place
        finally:
            with self._changed:
                self._running.remove(place)
                self._changed.notify_all()

    def close(self) -> None:
        """From now on nothing starts, and who waits is sent away."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def raise_if_closed(self) -> None:
        """Raise :class:`Abandoned` after :meth:`close`."""
        if self.closed:
            raise Abandoned("The run was interrupted.")

    def _has_room_for(self, place: Place) -> bool:
        if not self._running:
            return True
        if place.alone or any(other.alone for other in self._running):
            return False
        if not place.patient:
            return True
        needs = place.needs or 0
        taken = sum(needs if other.needs is None else other.needs for other in self._running)
        if len(self._running) >= self._most:
            return False
        free = self._free()
        return free is None or needs + taken <= free
