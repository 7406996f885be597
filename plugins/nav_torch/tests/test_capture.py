"""A capture without strict mode: nothing is refused, axes of one symbol stay one, and what moves is read back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from nav_torch.axes import Reach
from nav_torch.capture import captured, dynamic_shapes, linked, reached
from nav_torch.flat import example_tensors, flattened
from nav_torch.restoring import exporting
from navcore import ExportError, Signature, TensorSpec


def capture(subject: Any) -> torch.export.ExportedProgram:
    with exporting(subject.model, None, None) as device, flattened(subject.model, subject.signature) as flat:
        return captured(flat, example_tensors(subject.example, subject.signature, device), subject.signature)


def input_sizes(program: torch.export.ExportedProgram) -> list[tuple[str, ...]]:
    nodes = {node.name: node for node in program.graph.nodes}
    return [tuple(map(str, nodes[str(name)].meta["val"].shape)) for name in program.graph_signature.user_inputs]


class Apart(nn.Module):
    """Nothing in the model needs its inputs to be of one size."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x * 2, y + 1


PAIR = {"x": torch.randn(2, 5), "y": torch.randn(2, 5)}


def test_axes_of_one_symbol_are_one_symbol_of_the_graph(case: Any) -> None:
    program = capture(case(Apart(), PAIR, {"x": {0: "batch"}, "y": {0: "batch"}}))
    (x, _), (y, _) = input_sizes(program)
    assert x == y
    assert [str(symbol) for symbol in program.range_constraints] == [x]


def test_axes_of_different_symbols_stay_apart(case: Any) -> None:
    item = {"x": torch.randn(2, 5), "y": torch.randn(3, 5)}
    (x, _), (y, _) = input_sizes(capture(case(Apart(), item, {"x": {0: "rows"}, "y": {0: "lines"}})))
    assert x != y


class Growing(nn.Module):
    """A mask of what was there and of what comes, as that of a decoder with a cache."""

    def forward(self, cache: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.cat([cache, tokens], 1) * mask


def test_an_axis_that_is_a_sum_moves_as_far_as_its_parts(case: Any) -> None:
    item = {"cache": torch.randn(2, 3), "tokens": torch.randn(2, 4), "mask": torch.ones(2, 7)}
    subject = case(Growing(), item, {"cache": {1: "cache"}, "tokens": {1: "tokens"}, "mask": {1: "cache + tokens"}})
    program = capture(subject)
    assert reached(program, subject.signature) == dict.fromkeys(("cache", "tokens", "cache + tokens"), Reach(0, None))


class Positions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.randn(12, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.table[: x.shape[1]]


class Reshaped(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(x.shape[0], 7, 4) + 1


@pytest.mark.parametrize(("model", "reach"), [(Positions(), Reach(0, 12)), (Reshaped(), Reach(7, 7))])
def test_what_the_model_does_to_an_axis_is_read_back(model: nn.Module, reach: Reach, case: Any) -> None:
    subject = case(model, {"x": torch.randn(2, 7, 4)}, {"x": {0: "batch", 1: "time"}})
    assert reached(capture(subject), subject.signature) == {"batch": Reach(0, None), "time": reach}


def test_axes_without_an_entry_are_static() -> None:
    signature = Signature((TensorSpec("x", "float32", ("batch", 3, "time")), TensorSpec("y", "float32", (2,))))
    assert dynamic_shapes(signature, {"batch": 1}) == ({0: 1}, None)


def test_the_tie_leaves_the_model_when_the_capture_fails(case: Any) -> None:
    class Reading(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x if x.sum().item() > 0 else y

    subject = case(Reading(), PAIR, {"x": {0: "batch"}, "y": {0: "batch"}})
    with pytest.raises(ExportError, match=r"torch\.export failed"):
        capture(subject)
    assert not subject.model._forward_pre_hooks


def test_the_tie_holds_the_axes_of_one_input_together_too() -> None:
    signature = Signature((TensorSpec("x", "float32", ("size", "size")),))
    model = nn.Identity()
    with linked(model, signature):
        model(torch.randn(3, 3))
        with pytest.raises(RuntimeError):
            model(torch.randn(3, 4))
    model(torch.randn(3, 4))
