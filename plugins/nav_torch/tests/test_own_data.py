"""A module lends a run its own data when its class has the method for it, whatever the class derives from."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from nav_torch import TORCH, Exportable
from nav_torch.exportable.hooks import is_overridden
from nav_torch.own_data import is_exportable, own_data


class Doubling(torch.nn.Module, Exportable):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2

    @property
    def input_example(self) -> tuple[torch.Tensor, ...]:
        return (torch.ones(2, 3),)


class Stranger(torch.nn.Module):
    @contextmanager
    def _provided_for_run(self) -> Iterator[str]:
        yield "its own"


def test_the_method_marks_a_class_and_not_an_instance() -> None:
    plain = torch.nn.Linear(1, 1)
    plain._provided_for_run = lambda: None  # type: ignore[assignment]
    assert [is_exportable(one) for one in (Doubling(), Stranger(), plain)] == [True, True, False]


def test_an_exportable_module_brings_its_example() -> None:
    with own_data(Doubling()) as provided:
        assert provided is not None
        assert [tuple(item["x"].shape) for item in provided.dataloader] == [(2, 3)]


def test_who_brings_data_is_asked_and_any_other_module_brings_none() -> None:
    assert TORCH.live is not None
    assert TORCH.live.provide is own_data
    with own_data(Stranger()) as provided:
        assert provided == "its own"
    with own_data(torch.nn.Linear(1, 1)) as provided:
        assert provided is None


def test_an_override_is_told_from_the_mix_ins_own_hook() -> None:
    class Overriding(Doubling):
        def set_export_config(self, config: Any) -> None:
            super().set_export_config(config)

    class Wrapping(Doubling):
        set_export_config = functools.wraps(Exportable.set_export_config)(lambda self, config: None)

    told = [is_overridden(model, "set_export_config") for model in (Doubling(), Overriding(), Wrapping())]
    assert told == [False, True, True]
