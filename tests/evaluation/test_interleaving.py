"""Blocks in turn: who is measured when, until when, and what is done about blocks that others disturbed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from navcore.evaluation.interleaving import FEWEST_ROUNDS, LEAST_ROUNDS, Interleaved, Window, interleave


class Machine:
    """A clock that only blocks move on, and a record of who was measured."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def model(self, name: str, latency: Callable[[int], float], cpu: Callable[[int], float] = lambda _: 1.0) -> object:
        count = iter(range(10**6))

        def block() -> Window:
            number = next(count)
            self.order.append(name)
            began, self.now = self.now, self.now + 0.25
            return Window(np.full(3, latency(number)), began, 0.25, 0.25 * cpu(number), 0)

        return block

    def run(
        self, models: dict[str, object], reference: str = "source", *, seed: int = 1, until: float = 60
    ) -> Interleaved:
        return interleave(models, reference, seed=seed, until=until, clock=lambda: self.now)  # type: ignore[arg-type]


@pytest.fixture
def machine() -> Machine:
    return Machine()


def noisy(mean: float, spread: float, seed: int) -> Callable[[int], float]:
    drawn = np.random.default_rng(seed).normal(mean, spread, 10_000)
    return lambda number: float(abs(drawn[number]))


def steady(latency: float) -> Callable[[int], float]:
    return lambda _number: latency


def shares(values: Sequence[float]) -> Callable[[int], float]:
    return lambda number: values[number] if number < len(values) else 1.0


def test_it_ends_as_soon_as_every_ratio_is_narrow(machine: Machine) -> None:
    found = machine.run({"source": machine.model("source", steady(6)), "a": machine.model("a", steady(2))})
    assert found.settled
    assert found.ratios["a"].value == 3
    assert found.ratios["a"].pairs == LEAST_ROUNDS
    assert machine.order.count("a") == machine.order.count("source") == LEAST_ROUNDS


def test_who_is_settled_leaves_the_others_the_time(machine: Machine) -> None:
    found = machine.run(
        {
            "source": machine.model("source", steady(6)),
            "steady": machine.model("steady", steady(2)),
            "noisy": machine.model("noisy", noisy(3, 0.2, seed=2)),
        }
    )
    assert machine.order.count("steady") == LEAST_ROUNDS
    assert machine.order.count("noisy") == machine.order.count("source") > LEAST_ROUNDS
    assert found.settled


def test_the_order_is_shuffled_by_the_seed_and_differs_from_round_to_round(machine: Machine) -> None:
    def order(seed: int) -> list[str]:
        machine.order.clear()
        machine.run({name: machine.model(name, steady(1)) for name in ("source", "a", "b", "c", "d")}, seed=seed)
        return machine.order.copy()

    first = order(4)
    assert first == order(4)
    assert first != order(5)
    rounds = {tuple(first[start : start + 5]) for start in range(0, 25, 5)}
    assert len(rounds) > 1


def test_there_are_three_rounds_whatever_the_budget(machine: Machine) -> None:
    found = machine.run(
        {"source": machine.model("source", noisy(5, 1, 3)), "a": machine.model("a", noisy(5, 1, 4))}, until=0
    )
    assert not found.settled
    assert found.ratios["a"].pairs == FEWEST_ROUNDS


def test_the_budget_ends_what_never_becomes_narrow(machine: Machine) -> None:
    found = machine.run(
        {"source": machine.model("source", noisy(5, 2, 3)), "a": machine.model("a", noisy(5, 2, 4))}, until=10
    )
    assert not found.settled
    assert machine.now <= 10.5


def test_a_block_that_others_disturbed_is_measured_again_and_both_are_kept(machine: Machine) -> None:
    models = {
        "source": machine.model("source", steady(6)),
        "a": machine.model("a", lambda number: 20 if number == 1 else 2, cpu=shares([1, 0.4])),
    }
    found = machine.run(models)
    assert [window.median for window in found.windows["a"]].count(20) == 1
    assert all(window.median == 2 for window in found.counted["a"])
    assert len(found.windows["a"]) == len(found.counted["a"]) + 1


def test_without_time_left_a_disturbed_block_counts_as_it_is(machine: Machine) -> None:
    models = {
        "source": machine.model("source", steady(6)),
        "a": machine.model("a", steady(2), cpu=shares([1, 0.4])),
    }
    found = machine.run(models, until=0)
    assert len(found.windows["a"]) == len(found.counted["a"]) == FEWEST_ROUNDS


def test_a_model_that_fails_takes_no_further_part(machine: Machine) -> None:
    def broken() -> Window:
        raise ValueError("out of words")

    found = machine.run({"source": machine.model("source", steady(6)), "a": machine.model("a", steady(2)), "b": broken})
    assert found.failures["b"].cause == "ValueError: out of words"
    assert found.ratios.keys() == {"a"}
    assert found.settled


def test_what_failed_after_two_rounds_has_no_interval(machine: Machine) -> None:
    left = iter([2.0, 2.0])

    def broken_soon() -> Window:
        return machine.model("b", lambda _number: next(left))()

    found = machine.run({"source": machine.model("source", steady(6)), "b": broken_soon})
    assert len(found.windows["b"]) == 2, "what was measured is kept"
    assert "b" in found.failures
    assert "b" not in found.ratios
    assert "b" not in found.intervals


def test_nothing_is_said_without_the_reference(machine: Machine) -> None:
    def broken() -> Window:
        raise ValueError("out of words")

    found = machine.run({"source": broken, "a": machine.model("a", steady(2))})
    assert not found.ratios
    assert not found.settled


def test_one_model_alone_is_measured_until_its_median_is_known(machine: Machine) -> None:
    found = machine.run({"source": machine.model("source", steady(6))})
    assert found.settled
    assert found.intervals["source"] == (6, 6)
    assert len(found.counted["source"]) == LEAST_ROUNDS


def test_one_model_alone_that_fails_at_once_is_told_and_nothing_is_raised(machine: Machine) -> None:
    def broken() -> Window:
        raise ValueError("out of words")

    found = machine.run({"source": broken})
    assert found.failures.keys() == {"source"}
    assert not found.settled
    assert not found.intervals


def test_a_reference_whose_others_all_failed_is_measured_as_if_it_were_alone(machine: Machine) -> None:
    def broken() -> Window:
        raise ValueError("out of words")

    found = machine.run({"source": machine.model("source", steady(6)), "a": broken})
    assert len(found.counted["source"]) == LEAST_ROUNDS
    assert found.settled
    assert not found.ratios


def test_a_clock_that_is_too_coarse_for_a_model_gives_no_ratio(machine: Machine) -> None:
    models = {"source": machine.model("source", steady(6)), "a": machine.model("a", steady(0))}
    found = machine.run(models, until=5)
    assert not found.ratios
    assert not found.settled
