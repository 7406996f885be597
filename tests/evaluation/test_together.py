"""Several callers at once: everybody calls, nobody is cut off, and who gets another's answer is found out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from navcore.contract import Runner, Signature, TensorSpec
from navcore.errors import StepError
from navcore.evaluation.check_requests import VerifySettings
from navcore.evaluation.together import Proof, TogetherWindow, call_together, concurrent_throughput
from navcore.registry import load_registry

Feeds = Mapping[str, np.ndarray]
SIGNATURE = Signature(
    (TensorSpec("x", "float32", ("batch", 2)),), (TensorSpec("y", "float32", ("batch", 2)),), batch_dim=0
)


def feeds_of(*numbers: float) -> list[Feeds]:
    return [{"x": np.full((1, 2), number, np.float32)} for number in numbers]


def doubling(feeds: Feeds) -> Feeds:
    return {"y": 2 * feeds["x"]}


def proof(settings: VerifySettings | None = VerifySettings("fp32")) -> Proof:  # noqa: B008
    return Proof(SIGNATURE, settings, load_registry())


def test_every_caller_calls_its_own_runner_at_least_once_and_no_latency_is_lost() -> None:
    counts = [0, 0, 0]

    def counting(number: int) -> Runner:
        def call(feeds: Feeds) -> Feeds:
            counts[number] += 1
            return doubling(feeds)

        return Runner(call)

    window = call_together([counting(number) for number in range(3)], feeds_of(1, 2, 3), seconds=0.01)
    assert min(counts) >= 1
    assert window.latencies.size == sum(counts)
    assert window.rate > 0


def test_callers_of_one_session_share_it() -> None:
    seen = set()

    def call(feeds: Feeds) -> Feeds:
        seen.add((threading.get_ident(), float(feeds["x"][0, 0])))
        return doubling(feeds)

    call_together([Runner(call)], feeds_of(1, 2), seconds=0)
    assert sorted(number for _, number in seen) == [1, 2]
    assert len({thread for thread, _ in seen}) == 2, "each in a thread of its own"


def test_all_callers_are_in_the_runner_at_the_same_time() -> None:
    """It answers only once three have come; callers one after the other would wait for ever."""
    meeting = threading.Barrier(3, timeout=30)

    def call(feeds: Feeds) -> Feeds:
        meeting.wait()
        return doubling(feeds)

    assert call_together([Runner(call)], feeds_of(1, 2, 3), seconds=0).latencies.size == 3


def test_what_a_caller_raises_is_raised_once_all_have_ended() -> None:
    def call(feeds: Feeds) -> Feeds:
        if feeds["x"][0, 0] == 2:
            raise ValueError("not two")
        return doubling(feeds)

    before = threading.active_count()
    with pytest.raises(ValueError, match="not two"):
        call_together([Runner(call)], feeds_of(1, 2, 3), seconds=0)
    assert threading.active_count() == before


def test_a_runner_that_answers_everybody_rightly_is_safe() -> None:
    proof().refuse_unsafe([Runner(doubling)], feeds_of(1, 2))
    proof().refuse_unsafe([Runner(doubling), Runner(doubling)], feeds_of(1, 2))


def mixing() -> Callable[[Feeds], Feeds]:
    """Keeps what it was asked in one place: right for one caller, and the other's for one of two."""
    place: list[Any] = [None]
    meeting = threading.Barrier(2)
    main = threading.get_ident()

    def call(feeds: Feeds) -> Feeds:
        place[0] = feeds
        if threading.get_ident() != main:
            meeting.wait(timeout=10)
            answer = doubling(place[0])
            meeting.wait(timeout=10)
            return answer
        return doubling(place[0])

    return call


def test_answers_that_go_to_the_wrong_caller_are_found() -> None:
    with pytest.raises((StepError, threading.BrokenBarrierError)) as caught:
        proof().refuse_unsafe([Runner(mixing())], feeds_of(1, 2))
    assert "it gave another answer than to a caller alone" in str(caught.value)


def test_feeds_that_the_model_does_not_take_are_replaced() -> None:
    def call(feeds: Feeds) -> Feeds:
        if feeds["x"].shape != (1, 2):
            raise ValueError("this size is fixed")
        return doubling(feeds)

    longer = {"x": np.ones((1, 3), np.float32)}
    proof().refuse_unsafe([Runner(call)], [*feeds_of(1), longer])
    with pytest.raises(ValueError, match="fixed"):
        proof().refuse_unsafe([Runner(call)], [longer, *feeds_of(1)])


def test_answers_that_are_as_near_as_the_precision_explains_are_the_same() -> None:
    counts = iter(range(10**9))

    def call(feeds: Feeds) -> Feeds:
        return {"y": 2 * feeds["x"] + np.float32(1e-6) * (next(counts) % 2)}

    proof().refuse_unsafe([Runner(call)], feeds_of(1, 2))


def test_where_nothing_can_be_compared_only_errors_count() -> None:
    draws = np.random.default_rng(1)

    def call(feeds: Feeds) -> Feeds:
        return {"y": draws.standard_normal(feeds["x"].shape).astype(np.float32)}

    proof(None).refuse_unsafe([Runner(call)], feeds_of(1, 2))
    with pytest.raises(StepError, match="another answer"):
        proof().refuse_unsafe([Runner(call)], feeds_of(1, 2))


def window(rate: float, latency: float) -> TogetherWindow:
    return TogetherWindow(np.full(50, latency), 0.0, 0.25, 0.25, 0, None, rate)


def test_throughput_is_the_median_of_the_blocks_in_samples_per_second() -> None:
    found = concurrent_throughput(
        [window(100, 10), window(110, 11), window(300, 3)], callers=2, sessions=1, batch_size=8, seed=1
    )
    assert (found.throughput, found.calls, found.seconds) == (880, 150, 0.75)
    assert found.low <= 880 <= found.high
    assert (found.p50_latency, found.p95_latency) == (10, 11)
    assert not found.is_stable
    alone = concurrent_throughput([window(100, 10)], callers=2, sessions=2, batch_size=-1, seed=1)
    assert (alone.throughput, alone.p95_latency, alone.is_stable) == (100, None, True)
