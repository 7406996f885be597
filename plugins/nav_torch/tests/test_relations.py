"""Sizes that follow from others: how they are spelled, computed, and told to torch.export."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, strategies as st
from torch.export import Dim

from nav_torch.relations import Relation, hold_relations, related, related_dims, relation_of, spelled, sums
from navcore import Signature, TensorSpec

RELATIONS = st.builds(Relation, st.sampled_from(["time", "_t", "größe"]), st.integers(1, 50), st.integers(-20, 20))


@given(RELATIONS)
def test_what_is_spelled_is_read_back(relation: Relation) -> None:
    assert relation_of(spelled(relation)) == relation


@given(RELATIONS, st.integers(0, 1000))
def test_a_size_leads_back_to_its_root(relation: Relation, root: int) -> None:
    assert relation.root_size(relation.size(root)) == root


def test_a_size_that_no_root_gives() -> None:
    assert Relation("time", 4).root_size(21) is None
    assert Relation("time", 1, 3).root_size(2) is None


@pytest.mark.parametrize("symbol", ["time", "in", "a.b", "time*4", "4*", "0*time", "2*2*time", "", "time + x"])
def test_any_other_symbol_stands_for_itself(symbol: str) -> None:
    assert relation_of(symbol) == Relation(symbol)
    assert related([symbol]) == {}


@pytest.mark.parametrize("make", [lambda t: 4 * t, lambda t: t + 3, lambda t: t - 2, lambda t: 3 * (2 * t + 1) - 2])
def test_the_names_are_those_of_torch(make: object) -> None:
    derived = make(Dim("time", min=3))  # type: ignore[operator]
    relation = relation_of(derived.__name__)
    assert [relation.size(root) for root in (3, 7)] == [derived.fn(3), derived.fn(7)]
    (_, again) = related_dims({"time": Dim("time", min=3), spelled(relation): Dim("other")}).values()
    assert again.__name__ == derived.__name__


def test_a_root_has_the_sizes_that_all_that_follows_allows() -> None:
    dims = {"time": Dim("time", max=100), "4*time": Dim("a", min=6, max=90), "time - 2": Dim("b", min=1), "n": Dim("n")}
    made = related_dims(dims)
    assert (made["time"].min, made["time"].max) == (3, 22)
    assert (made["4*time"].min, made["4*time"].max) == (12, 88)
    assert made["n"] is dims["n"]


def test_a_capture_is_told_the_relation() -> None:
    shapes = (TensorSpec("x", "float32", ("2*rows",)), TensorSpec("y", "float32", ("rows",)))
    x, y = torch.zeros(6), torch.zeros(3)
    hold_relations(Signature(shapes), (x, y))
    with pytest.raises(RuntimeError):
        hold_relations(Signature(shapes), (x, torch.zeros(4)))
    hold_relations(Signature(shapes[:1]), (x,))
    with pytest.raises(RuntimeError):
        hold_relations(Signature(shapes[:1]), (torch.zeros(5),))


def test_a_sum_is_one_of_axes_that_are_there() -> None:
    assert sums(["cache", "tokens", "cache + tokens", "cache + words", "time + 1"]) == {
        "cache + tokens": ("cache", "tokens")
    }


def test_a_capture_is_told_the_sum() -> None:
    shapes = tuple(TensorSpec(name, "float32", (size,)) for name, size in zip("xyz", ("a", "b", "a + b"), strict=True))
    x, y = torch.zeros(2), torch.zeros(3)
    hold_relations(Signature(shapes), (x, y, torch.zeros(5)))
    with pytest.raises(RuntimeError):
        hold_relations(Signature(shapes), (x, y, torch.zeros(4)))
