"""Which layers are left in float32: the fewest of the worst, within a counted number of tries."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
from hypothesis import given, strategies as st

from nav_onnx.int8_search import GROUPS, TRIES, Found, Try, search


def adding(harm: Mapping[str, float]) -> Try:
    """Layers whose errors add up, which is about what they do."""
    return lambda names: sum(harm[name] for name in names)


def test_nothing_is_left_out_where_all_together_are_near_enough() -> None:
    found = search(["a", "b"], adding({"a": 0.01, "b": 0.02}), 0.05)
    assert (found.chosen, found.alone, found.tries) == (("a", "b"), {}, 1)
    assert found.error == pytest.approx(0.03)


def test_only_the_layer_that_hurts_is_left_out_and_what_it_did_is_told() -> None:
    found = search(list("abcd"), adding({"a": 0.01, "b": 0.9, "c": 0.01, "d": 0.01}), 0.05)
    assert found.chosen == ("a", "c", "d")
    assert found.alone == {"b": 0.9}
    assert found.error == pytest.approx(0.03)


def test_of_a_group_that_hurts_the_harmless_half_is_let_in_again() -> None:
    names = [f"layer {number}" for number in range(4 * GROUPS)]
    harm = dict.fromkeys(names, 0.0001) | {"layer 5": 0.9}
    found = search(names, adding(harm), 0.05)
    assert set(names) - set(found.chosen) == {"layer 5"}
    assert found.tries <= TRIES


def test_nothing_remains_where_each_alone_is_too_far_off() -> None:
    found = search(list("abc"), adding(dict.fromkeys("abc", 0.2)), 0.05)
    assert found.chosen == ()
    assert found.alone == dict.fromkeys("abc", 0.2)


def test_what_is_known_is_not_tried_again() -> None:
    def refuse(_names: Collection[str]) -> float:
        raise AssertionError("tried again")

    assert search(["a"], refuse, 0.05, together=0.04) == Found(("a",), 0.04, {}, 1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.001, 2))
def test_what_is_chosen_was_tried_and_is_near_enough(harms: list[float], limit: float) -> None:
    names = [str(number) for number in range(len(harms))]
    tried: dict[frozenset[str], float] = {frozenset(): 0.0}
    model = adding(dict(zip(names, harms, strict=True)))

    def attempt(chosen: Collection[str]) -> float:
        tried[frozenset(chosen)] = model(chosen)
        return tried[frozenset(chosen)]

    found = search(names, attempt, limit)
    assert tried[frozenset(found.chosen)] == found.error <= limit
    assert {*found.chosen, *found.alone} == set(names) or found.alone == {}
    assert found.tries == len(tried) - 1 <= TRIES
