"""A runtime whose process cannot change its threads: one fork for each number, and the best of them goes on."""

from __future__ import annotations

import os
from typing import Any, cast

import attrs
import psutil
import pytest

from navcore.errors import StepError
from navcore.execution.measurable import Begun, Loaded, Measurable
from navcore.execution.separate_counts import SeparateCounts

pytestmark = pytest.mark.processes


@attrs.define
class Model:
    """Takes ``seconds`` for a call, by the number of threads that its process has."""

    count: int
    seconds: dict[int, float]
    broken: tuple[int, ...] = ()

    @property
    def loaded(self) -> Loaded:
        return Loaded(threads=self.count)

    def __enter__(self) -> Model:
        if self.count in self.broken:
            raise EOFError(f"the file ended, with {self.count} threads")
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def answer(self, question: str, *values: Any) -> Any:
        return getattr(self, question)(*values)

    def seconds_of_calls(self, batch_size: int) -> list[float]:
        return [self.seconds[self.count] * batch_size]

    def begin(self, batch_size: int, interval: float) -> Begun:
        return Begun(interval * batch_size, self.count)

    def resident(self) -> int:
        return os.getpid()

    def compare(self, batch_size: int) -> None:
        raise ValueError(f"no batch of {batch_size}")

    def block(self, seconds: float) -> None:
        os._exit(int(seconds))


def separate(seconds: dict[int, float], broken: tuple[int, ...] = ()) -> SeparateCounts:
    return SeparateCounts(lambda count: cast(Measurable, Model(count, seconds, broken)), tuple(seconds))


def forks() -> set[int]:
    return {one.pid for one in psutil.Process().children()}


def test_the_process_with_the_best_number_goes_on_and_the_others_end() -> None:
    before = forks()
    with separate({4: 0.3, 2: 0.1, 1: 0.2}) as model:
        assert model.loaded == Loaded(threads=4)
        assert len(forks() - before) == 3
        assert model.answer("begin", 8, 50.0) == Begun(400.0, 2)
        (left,) = forks() - before
        assert model.answer("resident") == left
        assert model.answer("begin", 2, 50.0) == Begun(100.0, 2)
    assert forks() == before


def test_a_number_with_which_it_cannot_be_loaded_is_left_out() -> None:
    with separate({4: 0.3, 2: 0.1, 1: 0.2}, broken=(2,)) as model:
        assert model.answer("begin", 1, 50.0).threads == 1


def test_a_model_that_cannot_be_loaded_at_all_says_why() -> None:
    before = forks()
    with pytest.raises(StepError, match="the file ended, with 4 threads"), separate({4: 1.0, 1: 1.0}, broken=(4, 1)):
        pass
    assert forks() == before


def test_what_a_question_raises_is_told_and_the_next_is_answered() -> None:
    with separate({2: 0.1, 1: 0.2}) as model:
        model.answer("begin", 1, 1.0)
        with pytest.raises(StepError, match="no batch of 3"):
            model.answer("compare", 3)
        assert model.answer("begin", 1, 1.0).threads == 2


def test_a_process_that_ends_without_a_word_is_an_error_with_its_status() -> None:
    with separate({2: 0.1, 1: 0.2}) as model, pytest.raises(StepError, match="without a word, with status 3"):
        model.answer("block", 3.0)
