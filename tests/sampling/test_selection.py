"""Which items become samples: the extremes, a random draw, and one of the largest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from navcore.sampling.first_pass import observe
from navcore.sampling.input_axes import infer_inputs
from navcore.sampling.selection import Selection, select
from navcore.sampling.settings import SamplingSettings


def chosen(shapes: Sequence[tuple[int, ...]], **asked: Any) -> Selection:
    request = SamplingSettings(**asked)
    items = [np.zeros(shape) for shape in shapes]
    observation = observe(items, request, lambda v: v if isinstance(v, np.ndarray) else None)
    return select(observation, infer_inputs(observation, request).signature, request)


def test_the_first_item_at_each_extreme_is_a_conversion_sample() -> None:
    assert chosen([(1, 5, 4), (1, 3, 4), (1, 9, 4), (1, 3, 8), (1, 9, 8)]).conversion == (0, 1, 2, 3)


def test_the_batch_axis_makes_no_conversion_samples() -> None:
    selection = chosen([(4, 3), (4, 3), (2, 3)], sample_count=2)
    assert selection.conversion == selection.correctness[:1]


def test_the_draw_is_that_of_the_reference_implementation() -> None:
    drawn = np.random.RandomState(0).choice(50, size=10, replace=False)
    assert chosen([(1, 3)] * 50, sample_count=10).correctness == tuple(sorted(drawn))
    assert chosen([(1, 3)] * 50, sample_count=10, seed=1).correctness != tuple(sorted(drawn))


def test_the_global_generator_is_left_alone() -> None:
    np.random.seed(7)
    expected = np.random.random()
    np.random.seed(7)
    chosen([(1, 3)] * 5)
    assert np.random.random() == expected


@pytest.mark.parametrize(
    ("count", "sentence"),
    [(5, "5 items, so 5 correctness samples were"), (1, "1 item, so 1 correctness sample was")],
)
def test_a_short_dataloader_gives_fewer_samples_and_says_so(count: int, sentence: str) -> None:
    selection = chosen([(1, 3)] * count)
    assert selection.correctness == tuple(range(count))
    assert sentence in selection.notes[0]
    assert chosen([(1, 3)] * count, sample_count=count).notes == ()


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=9))
def test_the_profiling_sample_is_one_of_the_largest_whatever_its_batch(shapes: list[tuple[int, int, int]]) -> None:
    selection = chosen(shapes)
    elements = [height * width for _, height, width in shapes]
    assert elements[selection.profiling[0]] == max(elements)
    assert set(selection.conversion) | set(selection.correctness) <= set(selection.places())
