"""What an observer is told of long work: how much of it is done, seldom enough for whoever only waits for its end."""

from __future__ import annotations

import pytest

import navcore.workspace.progress as room
from navcore.workspace.progress import Event, Stage, advancing


def test_the_first_second_is_silent_and_then_it_is_told_twice_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 5.0
    monkeypatch.setattr(room.time, "monotonic", lambda: now)
    events: list[Event] = []
    told = advancing(events.append, Stage.SAMPLING, "torch")
    heard = []
    for tenth in range(21):
        now = 5.0 + tenth / 10
        told("reading", tenth / 20)
        if len(events) > len(heard):
            heard.append(tenth)
    assert heard == [10, 15, 20]
    assert events[0] == Event(Stage.SAMPLING, "torch", "reading", share=0.5)


def test_without_an_observer_nobody_is_told() -> None:
    advancing(None, Stage.SAMPLING, "torch")("reading", 1.0)
