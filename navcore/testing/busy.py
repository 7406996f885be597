"""Says which foreign code is called in this process, so that whoever watches it knows what to blame when it is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs


@attrs.frozen
class Doing:
    """Foreign code that is about to be called here: whose, and within how many seconds it has to come back.

    ``about`` are the words for what is wrong when it does not (:class:`navcore.testing.verdicts.NotMet`). With
    ``moves`` it takes the place of what was told last, without it is told on top of that.
    """

    who: str
    about: tuple[str, ...] = ()
    seconds: float | None = None
    moves: bool = False


Tell = Callable[["Doing | None"], None]
"""Takes what is begun, and ``None`` when it has ended."""


@contextmanager
def busy(tell: Tell, doing: Doing) -> Iterator[None]:
    """Tell what is called in the block, and that it came back."""
    tell(doing)
    try:
        yield
    finally:
        tell(None)
