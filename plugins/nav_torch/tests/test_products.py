"""What a graph computes in is read from its products, and said in a fact that can be read again."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, strategies as st
from torch.fx.experimental.proxy_tensor import make_fx

from nav_torch.products import Computed, Watch, computed_from


def seen(function: object, *inputs: torch.Tensor) -> Watch:
    watch = Watch()
    watch.look(make_fx(function, tracing_mode="fake")(*inputs))  # type: ignore[arg-type]
    return watch


def test_the_coarsest_product_counts() -> None:
    x = torch.rand(4, 4)

    def mixed(one: torch.Tensor) -> torch.Tensor:
        low = one.bfloat16()
        return torch.sin(one @ one) + (low @ low).float() + (low @ low).float()

    computed = seen(mixed, x).computed()
    assert (computed.name, computed.operations) == ("bf16", Counter(fp32=1, bf16=2))
    assert str(computed) == "2 of 3 matrix products and convolutions are computed in bf16"


def test_without_products_everything_counts_that_computes() -> None:
    watch = seen(lambda one: torch.sin(one.bfloat16()).float() + 1, torch.rand(3))
    assert watch.graphs == 1
    assert not watch.computed().products
    assert watch.computed().operations == Counter(bf16=1, fp32=1)
    assert watch.computed().name == "bf16"


def test_pictures_of_bytes_are_not_computed_in_8_bits() -> None:
    computed = seen(lambda one: one // 2, torch.ones(3, dtype=torch.uint8)).computed()
    assert computed.name is None


@given(st.dictionaries(st.sampled_from(["fp64", "fp32", "fp16", "bf16", "int8"]), st.integers(1, 10**6)), st.booleans())
def test_a_fact_says_all_of_it(operations: dict[str, int], products: bool) -> None:
    computed = Computed(Counter(operations), products)
    again = computed_from(computed.fact())
    assert (again.name, again.operations, again.products) == (computed.name, computed.operations, products)


@pytest.mark.parametrize("said", ["", "bf16", "bf16 x", "; ", "bf16 1 2"])
def test_a_fact_that_cannot_be_understood_says_nothing(said: str) -> None:
    assert computed_from({"computed_in": said}).name is None
    assert computed_from({}).name is None
