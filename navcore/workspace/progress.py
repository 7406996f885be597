"""What a run tells while it works: frozen events to one observer; printing them is the observer's business."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from enum import StrEnum

import attrs

from navcore.errors import first_line
from navcore.workspace.results import Status

log = logging.getLogger("navcore")


class Stage(StrEnum):
    """Where a run is."""

    SAMPLING = "sampling"
    MAKING = "making"
    CHECKING = "checking"
    ESTIMATE = "estimate"
    RANKING = "ranking"
    SCORING = "scoring"
    CALLING = "calling"
    PACKING = "packing"


@attrs.frozen
class Event:
    """One thing that began (``status`` is ``None``) or ended. ``subject`` is a format, or ``format/runtime``.

    ``text`` is a sentence for people, ``seconds`` the time it took, or will take where it begins and that is known.
    ``reused`` marks what an earlier run had finished. ``steps`` is how many makings and checks the plan has, in the one
    event that tells it. ``share`` is how much of ``text`` is done, from 0 to 1, in events of what takes longer than a
    second that tell nothing else.
    """

    stage: Stage
    subject: str
    text: str = ""
    status: Status | None = None
    seconds: float | None = None
    reused: bool = False
    steps: int | None = None
    share: float | None = None


_FIRST_SHARE, _SHARE_EVERY = 1.0, 0.5  # seconds

Observer = Callable[[Event], None]
"""What ``progress=`` takes: anything that can be called with each event of a run as it happens."""


def announce(observer: Observer | None, event: Event) -> None:
    """Log the event and hand it to the observer."""
    word = "" if event.status is None else f" {event.status}"
    log.info("%s %s%s%s", event.stage, event.subject, word, f": {event.text}" if event.text else "")
    if observer is not None:
        observer(event)


def advancing(observer: Observer | None, stage: Stage, subject: str) -> Callable[[str, float], None]:
    """Told what is being done and how much of it is, tells the observer: from the first second on, twice a second."""
    last = time.monotonic() + _FIRST_SHARE - _SHARE_EVERY

    def told(text: str, share: float) -> None:
        nonlocal last
        now = time.monotonic()
        if observer is not None and now - last >= _SHARE_EVERY:
            last = now
            observer(Event(stage, subject, text, share=share))

    return told


def forgiving(observer: Observer | None) -> Observer | None:
    """An observer that ends no run: what it raises is told once, as a warning in the log, and the run goes on.

    Only an ``Exception`` is forgiven; an interrupt is the user's.
    """
    if observer is None:
        return None
    told: list[bool] = []

    def observe(event: Event) -> None:
        try:
            observer(event)
        except Exception as error:
            if not told:
                told.append(True)
                log.warning(
                    "progress= raised %s: %s; the run goes on, and what it raises from now on is not told again.",
                    type(error).__name__,
                    first_line(error),
                    exc_info=error,
                )

    return observe
