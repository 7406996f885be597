"""Effort: how much time a run may take to find what is fastest, in three words; each route says from which on."""

from __future__ import annotations

from enum import StrEnum


class Effort(StrEnum):
    """What a run that names no target takes the time for. Each word takes in those before it.

    ``quick`` is what a file for each format costs. ``normal`` adds what computes faster for a little more: less than
    three times the time of ``quick``. ``thorough`` adds the rest, however long it takes.
    """

    QUICK = "quick"
    NORMAL = "normal"
    THOROUGH = "thorough"

    def covers(self, other: str) -> bool:
        """Whether a run of this effort does what a route declares for the ``other``."""
        words = list(Effort)
        return words.index(Effort(other)) <= words.index(self)
