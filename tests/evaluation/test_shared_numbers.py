"""A source that draws, and an export that draws the same numbers or others: the first is held to the seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import attrs
import numpy as np

from navcore.contract.jobs import Runner
from navcore.contract.signature import Feeds, Signature, TensorSpec
from navcore.evaluation.check_requests import VerifySettings
from navcore.evaluation.comparison import Comparison
from navcore.evaluation.shared_numbers import shares_numbers
from navcore.evaluation.verify_and_measure import evaluate
from navcore.registry.registry import Registry
from navcore.workspace.results import Status, Verification

from .given_samples import Stored

SIZE, NOISE, RUNS = 400, 0.01, 16
SIGNATURE = Signature((TensorSpec("x", "float32", (SIZE,)),), (TensorSpec("y", "float32", (SIZE,)),))
DRAW = np.random.RandomState()


@contextmanager
def held() -> Iterator[None]:
    DRAW.seed(0)
    yield


def source(feeds: Feeds) -> dict[str, Any]:
    """Adds a percent of noise, and four per thousand where the first number is positive."""
    x = feeds["x"]
    y = x * (1 + NOISE * DRAW.standard_normal(x.shape))
    return {"y": (y * (1.004 if x[0] > 0 else 1)).astype(np.float32)}


def frozen(feeds: Feeds) -> dict[str, Any]:
    """The same with the branch as it was for the first sample."""
    x = feeds["x"]
    return {"y": (x * (1 + NOISE * DRAW.standard_normal(x.shape))).astype(np.float32)}


def drawing_others(feeds: Feeds) -> dict[str, Any]:
    DRAW.standard_normal(3)
    return source(feeds)


def samples(count: int = 6, size: int = SIZE) -> list[Comparison]:
    """The means of many runs, and one from the seed; the branch is taken by every second of them."""
    random = np.random.default_rng(0)
    made = []
    for number in range(count):
        feeds = {"x": random.standard_normal(size).astype(np.float32)}
        feeds["x"][0] = 1 if number % 2 else -1
        mean = {"y": np.mean([source(feeds)["y"] for _ in range(RUNS)], axis=0).astype(np.float32)}
        with held():
            made.append(Comparison(f"sample {number}", feeds, mean, seeded=source(feeds)))
    return made


def verdict(export: Callable[[Feeds], Mapping[str, Any]], given: Iterable[Comparison]) -> Verification:
    result = evaluate(
        Runner(export),
        SIGNATURE,
        SIGNATURE,
        Stored(tuple(given)),
        Registry((), cast(Any, None)),
        verifying=VerifySettings(noise={"y": NOISE}, runs=RUNS),
        measuring=None,
        log_dir=Path(),
        held=held,
    )
    assert result.verification is not None
    return result.verification


def test_an_export_that_draws_the_same_is_held_to_its_precision_alone() -> None:
    judged = verdict(source, samples())
    assert (judged.status, judged.bound) == (Status.OK, 1e-4)
    assert any("the same random numbers" in note for note in judged.notes)
    assert not any("widened 1" in note for note in judged.notes)


def test_a_branch_that_froze_far_below_the_noise_is_found() -> None:
    judged = verdict(frozen, samples())
    assert judged.status is Status.FAILED
    assert judged.failure is not None
    assert "0.00398" in judged.failure.cause


def test_an_export_that_draws_others_is_compared_by_its_means() -> None:
    judged = verdict(drawing_others, samples())
    assert judged.status is Status.OK
    assert any(f"means of {RUNS} runs were compared" in note for note in judged.notes)


def test_samples_that_were_taken_without_a_seed_are_compared_by_means() -> None:
    judged = verdict(source, [attrs.evolve(one, seeded={}) for one in samples()])
    assert judged.bound is not None
    assert judged.bound > 1e-4


def test_one_number_that_agrees_by_chance_is_no_witness() -> None:
    given = samples(4)

    def lucky(feeds: Feeds) -> Mapping[str, Any]:
        return given[2].seeded if feeds is given[2].feeds else {"y": feeds["x"]}

    assert not shares_numbers(lucky, given)


def test_an_export_that_raises_or_returns_something_else_is_no_witness() -> None:
    def raising(feeds: Feeds) -> Mapping[str, Any]:
        raise ValueError("not this one")

    assert not shares_numbers(raising, samples(2))
    assert not shares_numbers(lambda feeds: {"y": feeds["x"][:3]}, samples(2))
    assert not shares_numbers(lambda feeds: {"z": feeds["x"]}, samples(2))
