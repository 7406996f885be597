"""A pass under the user's metrics: means over items, or what an object says of the whole."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from navcore.errors import InputError
from navcore.evaluation.scoring import Scores, Scoring, write_scores
from navcore.workspace import MetricResult

FEEDS = [{"x": np.full((1, 2), number, np.float32)} for number in range(3)]


def passed(**metrics: Any) -> Scores:
    scoring = Scoring(metrics)
    for number, feeds in enumerate(FEEDS):
        scoring.add(feeds, {"y": feeds["x"] * 2}, number)
    return scoring.scores()


class Largest:
    """Remembers what it saw, as metrics over a whole pass do."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def update(self, outputs: Any, item: Any) -> None:
        self.seen.append(float(outputs["y"].max()))

    def compute(self) -> float:
        return max(self.seen)


def test_a_function_is_averaged_over_the_items() -> None:
    score = passed(largest=lambda outputs, item: outputs["y"].max()).by_metric["largest"]
    assert (score.value, score.items, score.each.tolist()) == (2.0, 3, [0.0, 2.0, 4.0])


def test_the_item_is_what_the_dataset_holds() -> None:
    assert passed(item=lambda outputs, item: item).by_metric["item"].each.tolist() == [0.0, 1.0, 2.0]


def test_an_object_sees_the_whole_pass_and_starts_anew_each_time() -> None:
    metric = Largest()
    for _ in range(2):
        score = passed(largest=metric).by_metric["largest"]
        assert (score.value, score.items, score.each.tolist()) == (4.0, 3, [4.0])
    assert metric.seen == []


def test_an_object_that_cannot_be_copied_says_so() -> None:
    metric = Largest()
    metric.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="The metric 'largest' cannot be copied"):
        passed(largest=metric)


def fails(outputs: Any, item: int) -> float:
    if item == 1:
        raise KeyError("z")
    return 0.0


def test_a_metric_that_fails_is_named_with_the_item_and_what_it_gets() -> None:
    with pytest.raises(InputError, match=r"The metric 'bad' failed on item 1 of the dataset: KeyError: 'z'") as caught:
        passed(bad=fails)
    assert caught.value.hint == "It gets the outputs by name (y) and the item, and returns a number."


def test_a_metric_does_not_end_the_program() -> None:
    def leaves(outputs: Any, item: int) -> float:
        raise SystemExit(3)

    with pytest.raises(InputError, match="The metric 'bad' failed on item 0 of the dataset: SystemExit: 3"):
        passed(bad=leaves)


@pytest.mark.parametrize("value", [None, "high", np.zeros(2)])
def test_what_is_no_number_is_a_failure(value: Any) -> None:
    with pytest.raises(InputError, match="The metric 'bad' failed on item 0"):
        passed(bad=lambda outputs, item: value)


def test_the_whole_pass_may_fail_at_its_end() -> None:
    class Late(Largest):
        def compute(self) -> float:
            raise ZeroDivisionError("no positives")

    with pytest.raises(InputError, match="The metric 'late' failed after the last item: ZeroDivisionError"):
        passed(late=Late())


def test_a_difference_is_told_where_the_source_saw_the_same_inputs() -> None:
    scores = passed(mean=lambda outputs, item: outputs["y"].mean())
    source = MetricResult("mean", 2.5, 3, data=scores.data)
    (told,) = scores.results({"mean": source}, {"mean": -0.6})
    assert (told.value, told.difference, told.bound, told.keeps_bound) == (2.0, -0.5, -0.6, True)


@pytest.mark.parametrize("change", [{"data": "other"}, {"items": 4}])
def test_of_other_data_there_is_no_difference(change: dict[str, Any]) -> None:
    scores = passed(mean=lambda outputs, item: outputs["y"].mean())
    source = MetricResult("mean", 2.5, **{"items": 3, "data": scores.data, **change})
    (told,) = scores.results({"mean": source}, {"mean": -0.6})
    assert told.difference is None
    assert not told.keeps_bound


def test_every_value_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "measurements" / "r.metrics.npz"
    write_scores(path, passed(**{"top-1 accuracy": lambda outputs, item: item, "file": Largest()}))
    with np.load(path) as arrays:
        assert {name: arrays[name].tolist() for name in arrays} == {"top-1 accuracy": [0, 1, 2], "file": [4.0]}
