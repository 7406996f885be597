"""What may start beside what runs: never more than there are processors or memory for, and always one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from navcore.execution.admission import BASE, COPIES, Abandoned, Admission, foreseen_memory


@pytest.fixture
def beside() -> Iterator[Callable[..., Future[Any]]]:
    """Run something in another thread."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit


def come_and_go(admission: Admission, order: list[str], needs: int | None, **how: bool) -> bool:
    with admission.place(needs, **how) as place:
        order.append("second")
    return place.crowded


def order_beside(admission: Admission, beside: Any, first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Who came first, when the second asks for a place while the first has one, and keeps it for a moment."""
    order: list[str] = []
    with admission.place(**first):
        waiting = beside(come_and_go, admission, order, **second)
        time.sleep(0.3)
        order.append("first")
    waiting.result()
    return order


ROOM = ["second", "first"]
TURNS = ["first", "second"]


@pytest.mark.parametrize(
    ("most", "first", "second", "expected"),
    [
        (2, {"needs": 40}, {"needs": 40}, ROOM),
        (1, {"needs": 40}, {"needs": 40}, TURNS),
        (2, {"needs": 70}, {"needs": 40}, TURNS),
        (2, {"needs": 10}, {"needs": 1000}, TURNS),
        (2, {"needs": None, "patient": False}, {"needs": 50}, ROOM),
        (2, {"needs": None, "patient": False}, {"needs": 51}, TURNS),
        (1, {"needs": 70}, {"needs": None, "patient": False}, ROOM),
        (9, {"needs": 1}, {"needs": 1, "alone": True}, TURNS),
        (9, {"needs": 1, "alone": True}, {"needs": 1}, TURNS),
        (9, {"needs": 1, "alone": True}, {"needs": None, "patient": False}, TURNS),
    ],
)
def test_a_step_starts_beside_another_where_there_is_room(
    beside: Any, most: int, first: dict[str, Any], second: dict[str, Any], expected: list[str]
) -> None:
    assert order_beside(Admission(most, lambda: 100), beside, first, second) == expected


def test_where_memory_cannot_be_known_only_processors_count(beside: Any) -> None:
    assert order_beside(Admission(2, lambda: None), beside, {"needs": 1 << 60}, {"needs": 1 << 60}) == ROOM


def test_alone_there_is_always_room() -> None:
    with Admission(1, lambda: 0).place(1 << 60) as place:
        pass
    assert not place.crowded


def test_both_neighbours_know_that_they_had_one(beside: Any) -> None:
    admission = Admission(2, lambda: 100)
    with admission.place(1) as place:
        assert not place.crowded
        assert beside(come_and_go, admission, [], 1).result()
    assert place.crowded


def test_memory_that_becomes_free_without_a_word_is_noticed(beside: Any) -> None:
    free = [0]
    admission = Admission(2, lambda: free[0])
    with admission.place(10):
        waiting = beside(come_and_go, admission, [], 10)
        free[0] = 20
        waiting.result(timeout=30)


def test_a_place_is_free_again_after_an_error() -> None:
    admission = Admission(1, lambda: 100)
    for _ in range(2):
        with pytest.raises(ValueError, match="odd"), admission.place(1):
            raise ValueError("odd")
    with admission.place(1, alone=True):
        pass


def test_who_waits_is_sent_away_when_the_run_ends(beside: Any) -> None:
    admission, asked = Admission(1, lambda: 100), threading.Event()

    def ask() -> None:
        asked.set()
        with admission.place(1):
            pytest.fail("there was no place")

    with admission.place(1):
        waiting = beside(ask)
        asked.wait()
        admission.close()
        with pytest.raises(Abandoned):
            waiting.result(timeout=30)
    with pytest.raises(Abandoned), admission.place(1):
        pass


def test_a_limit_bounds_what_is_foreseen() -> None:
    assert foreseen_memory(100) == BASE + COPIES * 100
    assert foreseen_memory(1 << 40, limit=1 << 30) == 1 << 30
    assert foreseen_memory(100, limit=1 << 40) == BASE + COPIES * 100
