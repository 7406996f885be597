"""Whatever happens during an export, the user's model is afterwards what it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from nav_torch import (
    exportedprogram_from_torch,
    onnx_from_torch_dynamo,
    onnx_from_torch_torchscript,
    torchscript_script_from_torch,
    torchscript_trace_from_torch,
)
from nav_torch.flat import flattened, python_signature
from nav_torch.restoring import placed, threads
from navcore import ExportError, OptionError, SourceError, Unavailable

ALL = [
    torchscript_script_from_torch,
    torchscript_trace_from_torch,
    exportedprogram_from_torch,
    onnx_from_torch_dynamo,
    onnx_from_torch_torchscript,
]


class Counting(nn.Module):
    """Counts its calls in a buffer, normalises, and drops out: everything that a careless export leaves behind."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.body = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.body(self.norm(x))


class Failing(Counting):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        raise ValueError("no, thank you")


def _portrait(model: nn.Module) -> dict[str, Any]:
    return {
        "class": type(model),
        "own": sorted(vars(model)),
        "flags": [module.training for module in model.modules()],
        "gradients": [parameter.requires_grad for parameter in model.parameters()],
        "buffers": {name: (id(buffer), buffer.tolist()) for name, buffer in model.named_buffers()},
        "parameters": {name: (id(one), one.tolist()) for name, one in model.named_parameters()},
        "grad mode": torch.is_grad_enabled(),
        "threads": torch.get_num_threads(),
    }


def _mixed_modes(model: nn.Module) -> nn.Module:
    model.train()
    model.norm.eval()
    model.body[0].weight.requires_grad_(False)
    return model


@pytest.mark.parametrize("route", ALL)
def test_a_model_is_unchanged_by_an_export(route: Any, case: Any, export: Any) -> None:
    model = _mixed_modes(Counting())
    subject = case(model, {"x": torch.randn(2, 3)}, {"x": {0: "batch"}})
    before = _portrait(model)
    export(route, subject)
    assert _portrait(model) == before


@pytest.mark.parametrize("route", ALL)
def test_a_model_is_unchanged_by_a_failed_export(route: Any, case: Any, export: Any, tmp_path: Any) -> None:
    model = _mixed_modes(Counting())
    subject = case(model, {"x": torch.randn(2, 3)}, {"x": {0: "batch"}})
    model.__class__ = Failing
    before = _portrait(model)
    if route is torchscript_script_from_torch:  # compiling does not run the model
        export(route, subject)
    else:
        with pytest.raises(ExportError, match="ValueError: no, thank you"):
            export(route, subject)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert _portrait(model) == before


@pytest.mark.parametrize("route", [torchscript_trace_from_torch, exportedprogram_from_torch, onnx_from_torch_dynamo])
def test_a_replaced_forward_is_what_gets_exported_and_stays(
    route: Any, case: Any, export: Any, assert_follows: Any
) -> None:
    model = nn.Linear(3, 3)
    original = model.forward
    model.forward = lambda input: original(input) * 10
    mine = model.forward
    subject = case(model, {"input": torch.randn(2, 3)}, {"input": {0: "batch"}})
    assert_follows(subject, export(route, subject), {"batch": 4})
    assert vars(model)["forward"] is mine


@pytest.mark.parametrize("route", [torchscript_trace_from_torch, exportedprogram_from_torch, onnx_from_torch_dynamo])
def test_hooks_see_the_call_as_its_author_wrote_it(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    class Answer(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"y": x * 2}

    model = Answer()
    model.register_forward_hook(lambda _model, _args, result: {"y": result["y"] + 1})
    subject = case(model, {"x": torch.randn(2, 3)}, {"x": {0: "batch"}})
    assert_follows(subject, export(route, subject), {"batch": 4})


def test_a_scripted_model_can_be_traced_and_stored(case: Any, export: Any, assert_follows: Any) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(nn.Linear(3, 2))
    subject = case(scripted, {"input": torch.randn(2, 3)}, {"input": {0: "batch"}})
    for route in (torchscript_script_from_torch, torchscript_trace_from_torch):
        assert_follows(subject, export(route, subject), {"batch": 4})


def test_a_compiled_model_is_exported_through_its_original(case: Any, export: Any, assert_follows: Any) -> None:
    subject = case(nn.Linear(3, 2), {"input": torch.randn(2, 3)}, {"input": {0: "batch"}})
    compiled = type(subject)(torch.compile(subject.model, backend="eager"), subject.signature, subject.example)
    assert_follows(subject, export(exportedprogram_from_torch, compiled), {"batch": 4})


@pytest.mark.parametrize("route", ALL)
def test_a_model_made_under_inference_mode(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    with torch.inference_mode():
        model = nn.Linear(3, 2)
    subject = case(model, {"input": torch.randn(2, 3)}, {"input": {0: "batch"}})
    assert_follows(subject, export(route, subject), {"batch": 4})


@pytest.mark.parametrize("route", [onnx_from_torch_dynamo, onnx_from_torch_torchscript, torchscript_trace_from_torch])
def test_autocast_around_the_call_does_not_leak_into_the_result(
    route: Any, case: Any, export: Any, assert_follows: Any
) -> None:
    subject = case(nn.Linear(3, 2), {"input": torch.randn(2, 3)}, {"input": {0: "batch"}})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = export(route, subject)
    assert_follows(subject, result, {"batch": 4})


def test_two_instances_of_one_class_do_not_share_a_compiled_forward(
    case: Any, export: Any, assert_follows: Any
) -> None:
    class Plain(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1

    class Other(Plain):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x - 1

    first, second = Plain(), Plain()
    second.__class__ = Other
    for model in (first, second):
        subject = case(model, {"x": torch.randn(2, 3)}, {"x": {0: "batch"}})
        assert_follows(subject, export(torchscript_script_from_torch, subject), {"batch": 4})


def test_a_property_that_cannot_be_compiled_is_left_out(case: Any, export: Any, assert_follows: Any) -> None:
    class Described(nn.Module):
        @property
        def names(self) -> list[str]:
            return [name for name, _ in self.named_parameters() if name]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1

    subject = case(Described(), {"x": torch.randn(2, 3)}, {"x": {0: "batch"}})
    assert_follows(subject, export(torchscript_script_from_torch, subject), {"batch": 4})


def test_names_of_inputs_become_distinct_identifiers() -> None:
    names = ["self", "a.b", "a-b", "1st", "class", "x"]
    assert list(python_signature(names).parameters) == ["self", "self_", "a_b", "a_b_", "_1st", "_class", "x"]


def test_weights_keep_their_names(case: Any) -> None:
    subject = case(Counting(), {"x": torch.randn(2, 3)})
    before = list(subject.model.state_dict())
    with flattened(subject.model, subject.signature) as flat:
        assert list(flat.state_dict()) == before


def test_threads_are_set_back() -> None:
    before = torch.get_num_threads()
    with threads(before + 1) as count:
        assert (count, torch.get_num_threads()) == (before + 1, before + 1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("device", "kind", "sentence"),
    [
        ("quantum", OptionError, "PyTorch knows no device 'quantum'. Give one such as 'cpu' or 'cuda:0'."),
        ("meta", OptionError, "The device 'meta' holds no numbers. Give one such as 'cpu' or 'cuda:0'."),
        ("meta:1", OptionError, "The device 'meta:1' holds no numbers."),
        ("cuda:99", Unavailable, "The device 'cuda:99' cannot be used here: "),
    ],
)
def test_a_device_that_cannot_be_had_is_one_sentence(device: str, kind: type[Exception], sentence: str) -> None:
    model = torch.nn.Linear(2, 2)
    weight = model.weight.detach().clone()
    with pytest.raises(kind) as caught, placed(model, device):
        pass
    assert str(caught.value).startswith(sentence)
    assert torch.equal(model.weight, weight), "and the model keeps its weights"


def test_a_model_that_is_on_a_device_without_numbers_is_refused() -> None:
    with torch.device("meta"):
        model = torch.nn.Linear(2, 2)
    for device in (None, "cpu"):
        with pytest.raises(SourceError, match="on the device 'meta', which holds no numbers"), placed(model, device):
            pass


def test_a_model_that_could_be_moved_only_in_part_comes_back_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    weights = [one.detach().clone() for one in model.parameters()]
    moves: list[str] = []

    def to(there: torch.device) -> None:
        moves.append(str(there))
        if there.type != "cpu":
            raise RuntimeError("out of memory, half way")

    monkeypatch.setattr(model, "to", to)
    monkeypatch.setattr("nav_torch.restoring.usable_device", lambda name: torch.device(name))
    with pytest.raises(RuntimeError, match="half way"), placed(model, "cuda:0"):
        pass
    assert moves == ["cuda:0", "cpu"]
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), weights, strict=True))
