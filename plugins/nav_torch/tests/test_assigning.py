"""A model may assign or register buffers while it is captured; what does not fit back is left out of the program."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nav_torch import Exportable
from nav_torch.assigning import assigned
from nav_torch.capture import captured
from nav_torch.flat import example_tensors, flattened
from nav_torch.restoring import exporting


class Grown(nn.Module):
    """Replaces its table of positions by a longer one; a batch norm's buffers stand behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = 4
        self.register_buffer("places", torch.arange(4), persistent=False)
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] > self.longest:
            self.longest = x.shape[-1]
            self.places = torch.arange(self.longest)
        result: torch.Tensor = self.norm(x) + self.places[: x.shape[-1]]
        return result


class Late(Grown):
    """Registers the table when it first sees an input, so that a batch norm's buffer stands where it would."""

    def __init__(self) -> None:
        super().__init__()
        del self.places
        self.longest = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] > self.longest:
            self.longest = x.shape[-1]
            self.register_buffer("places", torch.arange(self.longest), persistent=False)
        result: torch.Tensor = self.norm(x) + self.places[: x.shape[-1]]
        return result


class LateAndAlone(Late):
    """Has no buffer before, so that an input stands where its table would."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.Identity()  # type: ignore[assignment]


class Counting(Grown):
    """Counts its calls in a buffer that it assigns, which fits."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(3, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls = self.calls + 1
        return super().forward(x) * self.calls


def program_of(model: nn.Module, case: Callable[..., Any]) -> torch.export.ExportedProgram:
    subject = case(copy.deepcopy(model), {"x": torch.randn(2, 3, 9)}, {"x": {0: "batch", 2: "time"}})
    with exporting(model, None, None) as device, flattened(model, subject.signature) as flat:
        return captured(flat, example_tensors(subject.example, subject.signature, device), subject.signature)


@pytest.mark.parametrize("make", [Grown, Late, LateAndAlone])
@pytest.mark.parametrize("time", [9, 20])
def test_a_table_that_grows_is_computed_in_each_call(make: type[nn.Module], time: int, case: Any) -> None:
    torch.manual_seed(0)
    module = program_of(make().eval(), case).module()
    x = torch.randn(3, 3, time)
    with torch.no_grad():
        for _ in range(2):
            torch.testing.assert_close(module(x), make().eval()(x))


def test_a_state_that_fits_is_still_written_back(case: Any) -> None:
    module = program_of(Counting().eval(), case).module()
    x = torch.randn(3, 3, 9)
    with torch.no_grad():
        once, twice = module(x).clone(), module(x).clone()
    torch.testing.assert_close(twice, 2 * once)


def test_only_the_roots_own_buffers_are_noted() -> None:
    model = nn.Sequential(Grown())
    with assigned(model) as names:
        model[0].places = torch.arange(5)
        model.register_buffer("own", torch.arange(2))
    model.register_buffer("later", torch.arange(2))
    assert names == {"own": 0}


@pytest.mark.parametrize("make", [Grown, Late, LateAndAlone])
@pytest.mark.parametrize("name", ["model.pt2", "model.onnx"])
def test_a_file_of_it_is_right(make: type[nn.Module], name: str, tmp_path: Path) -> None:
    types = {"input_types": {"x": "batch 3 time"}, "output_types": {"y": "batch 3 time"}}
    model = type(make.__name__, (make, Exportable), types)()
    model.export(tmp_path / name, (torch.randn(2, 3, 9),), onnx_opset_version=18, check_trace=True)


class InSteps(Late):
    """Makes its table twice as long as a short input, and as long as a long one."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = x.shape[-1]
        if size > self.longest:
            self.longest = 2 * size if size < 16 else size
            self.places = torch.arange(self.longest)
        result: torch.Tensor = self.norm(x) + self.places[:size]
        return result


def test_a_program_takes_all_sizes_that_the_model_takes_once_it_has_grown(tmp_path: Path) -> None:
    types = {"input_types": {"x": "batch 3 time"}, "output_types": {"y": "batch 3 time"}}
    model = type("Exported", (InSteps, Exportable), types)().eval()
    model.register_buffer("places", torch.arange(2), persistent=False)
    model.longest = 2
    model.export(tmp_path / "model.pt2", (torch.randn(2, 3, 10),), check_trace=True)
    assert (model.longest, model.places.numel()) == (2, 2)
    module = torch.export.load(tmp_path / "model.pt2").module()
    for time in (2, 15, 16, 20):
        x = torch.randn(2, 3, time)
        with torch.no_grad():
            torch.testing.assert_close(module(x), model(x))
