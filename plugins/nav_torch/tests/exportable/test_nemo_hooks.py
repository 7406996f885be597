"""Hooks and arguments as NeMo's models of today have them: disabled tensors, names on the model, loose batches."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from nav_torch import CheckFailed, Exportable, ExportFormat
from nav_torch.restoring import LOGGER_NAME
from navcore import ExportError, InputError

Run = Callable[..., list[np.ndarray]]
FORMATS = ("model.onnx", "model.pt", "model.pt2")
each_format = pytest.mark.parametrize("name", FORMATS)


def neural(*kinds: str, optional: bool = False) -> Any:
    """A type as NeMo's: of its axes it tells the kinds."""
    return SimpleNamespace(axes=[SimpleNamespace(kind=SimpleNamespace(name=kind)) for kind in kinds], optional=optional)


def made(**members: Any) -> Any:
    return type("Made", (nn.Module, Exportable), members)()


def axes_of(path: Path) -> dict[str, list[Any]]:
    graph = onnx.load(path).graph
    return {
        one.name: [dim.dim_param or dim.dim_value for dim in one.type.tensor_type.shape.dim]
        for one in (*graph.input, *graph.output)
    }


# Disabled names


def spoken(self: Any, text: torch.Tensor, lengths: Any = None, pace: float = 1.0) -> torch.Tensor:
    return text * pace if lengths is None else text * lengths[:, None]


def required(self: Any, text: torch.Tensor, lengths: Any) -> torch.Tensor:
    return text * lengths[:, None]


@each_format
@pytest.mark.parametrize(("forward", "wanted"), [(spoken, [[3.0, 3.0]]), (required, [[12.0, 12.0]])])
@pytest.mark.parametrize("by_name", [True, False])
def test_a_disabled_input_is_dropped_or_held(
    forward: Any, wanted: Any, by_name: bool, name: str, tmp_path: Path, run: Run
) -> None:
    """With a default of its own the parameter gets that; without, what the example holds."""
    text, lengths = torch.ones(1, 2), torch.tensor([4])
    example = ({"text": text, "lengths": lengths},) if by_name else (text, lengths)
    model = made(
        forward=forward,
        input_example=lambda self: example,
        input_types={"text": "batch time", "lengths": "batch"},
        output_types={"y": "batch time"},
        disabled_deployment_input_names={"lengths"},
    )
    result = model.export(tmp_path / name, use_dynamic_axes=False)
    assert result.input_names == ("text",)
    (found,) = run(tmp_path / name, {"text": torch.full((1, 2), 3.0)})
    np.testing.assert_array_equal(found, wanted)


@each_format
@pytest.mark.parametrize("as_dict", [True, False])
def test_a_disabled_output_is_dropped(as_dict: bool, name: str, tmp_path: Path, run: Run) -> None:
    def forward(self: Any, x: torch.Tensor) -> Any:
        parts = {"a": x * 2, "b": x.mean(-1), "c": x + 1}
        return parts if as_dict else tuple(parts.values())

    model = made(
        forward=forward,
        input_example=lambda self: (torch.randn(2, 5),),
        input_types={"x": "batch time"},
        output_types={"a": "batch time", "b": "batch", "c": "batch time"},
        disabled_deployment_output_names={"b"},
    )
    result = model.export(tmp_path / name, check_trace=True)
    assert result.output_names == ("a", "c")
    a, c = run(tmp_path / name, {"x": torch.ones(3, 4)})
    assert (a == 2).all()
    assert (c == 2).all()


def test_disabled_outputs_that_the_model_does_not_return_are_no_matter(tmp_path: Path) -> None:
    """As a streaming encoder declares caches that it returns only when they are on."""
    model = made(
        forward=lambda self, x: x + 1,
        input_example=lambda self: (torch.randn(2, 5),),
        input_types={"x": "batch time", "cache": "batch"},
        output_types={"y": "batch time", "cache_next": "batch"},
        disabled_deployment_input_names=["cache"],
        disabled_deployment_output_names=["cache_next"],
    )
    result = model.export(tmp_path / "model.onnx")
    assert (result.input_names, result.output_names) == (("x",), ("y",))


# Names and types on the exported model


class Head(nn.Module):
    output_types = {"logprobs": "batch time 4"}  # noqa: RUF012

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


class Streaming(nn.Module, Exportable):
    """Names the caches that pass by the head, as NeMo's models with caches do."""

    input_types = {"x": "batch time 4", "cache": "batch time 4"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.head = Head()

    def forward(self, x: torch.Tensor, cache: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.head(x + cache), cache + 1

    def input_example(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.randn(2, 5, 4), torch.zeros(2, 5, 4)

    @property
    def output_module(self) -> Any:
        return self.head

    @property
    def output_names(self) -> list[str]:
        return ["logprobs", "cache_next"]


@each_format
def test_names_that_the_model_defines_count(name: str, tmp_path: Path) -> None:
    assert Streaming().export(tmp_path / name, check_trace=True).output_names == ("logprobs", "cache_next")


def test_names_and_types_can_be_read() -> None:
    model = made(
        input_types={"x": "batch 3", "y": "batch"},
        output_types={"z": "batch"},
        disabled_deployment_input_names={"y"},
    )
    assert list(model.input_names) == ["x"]
    assert list(model.output_names) == ["z"]
    assert list(model.input_types_for_export) == ["x", "y"]
    assert list(model.output_types_for_export) == ["z"]
    assert list(Streaming().output_types_for_export) == ["logprobs"]


def test_types_for_export_come_before_the_others(tmp_path: Path) -> None:
    model = made(
        forward=lambda self, x: x + 1,
        input_example=lambda self: (torch.randn(2, 5),),
        input_types={"x": "time batch"},
        input_types_for_export={"x": "batch time"},
        output_types={"y": "time batch"},
        output_types_for_export={"y": "batch time"},
    )
    model.export(tmp_path / "model.onnx")
    assert axes_of(tmp_path / "model.onnx") == {"x": ["batch", "time"], "y": ["batch", "time"]}


# NeMo's types


class Decoder(nn.Module, Exportable):
    input_types = {"x": neural("Time", "Batch", "Dimension"), "states": [neural("Dimension", "Batch", "Dimension")]}  # noqa: RUF012
    output_types = {"y": neural("Time", "Batch", "Dimension"), "after": [neural("Dimension", "Batch", "Dimension")]}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 4)

    def forward(self, x: torch.Tensor, states: Any) -> Any:
        return self.lstm(x, states)

    def input_example(self) -> Any:
        return torch.randn(5, 2, 4), (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4))


def test_one_type_of_a_list_is_that_of_all_nested_tensors(tmp_path: Path) -> None:
    result = Decoder().export(tmp_path / "model.onnx", check_trace=True)
    assert result.input_names == ("x", "states_1", "states_2")
    assert result.output_names == ("y", "after_1", "after_2")
    assert axes_of(tmp_path / "model.onnx")["after_2"] == [1, "batch", 4]


def ragged() -> Any:
    return made(
        forward=lambda self, text, offsets: (text * 2.0 + offsets.sum(), offsets[1:] - offsets[:-1]),
        input_example=lambda self: (torch.randn(9), torch.tensor([0, 4, 9])),
        input_types={"text": neural("Time"), "offsets": neural("Batch")},
        output_types={"y": neural("Time"), "lengths": neural("Batch")},
    )


def test_batches_that_the_example_has_unequal_are_different_axes(tmp_path: Path) -> None:
    ragged().export(tmp_path / "model.onnx", check_trace=True)
    axes = axes_of(tmp_path / "model.onnx")
    assert axes["offsets"] != axes["lengths"]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"use_dynamic_axes": False}, {"text": 9, "offsets": 3, "y": 9, "lengths": 2}),
        ({"dynamic_axes": {"text": {0: "t"}, "y": {0: "t"}}}, {"text": "t", "offsets": 3, "y": "t", "lengths": 2}),
    ],
)
def test_the_caller_decides_about_axes(options: Any, wanted: Any, tmp_path: Path) -> None:
    ragged().export(tmp_path / "model.onnx", **options)
    assert {tensor: only for tensor, (only,) in axes_of(tmp_path / "model.onnx").items()} == wanted


# Arguments of NeMo's export


def doubled() -> Any:
    return made(
        forward=lambda self, x: x * 2,
        input_example=lambda self: (torch.randn(2, 3),),
        input_types={"x": "batch 3"},
        output_types={"y": "batch 3"},
    )


@pytest.mark.parametrize(
    ("options", "exporter", "opset"),
    [
        ({}, "torchscript", 13),
        ({"use_dynamo": True}, "dynamo", 18),
        ({"use_dynamo": True, "onnx_opset_version": 17}, "dynamo", 18),
        ({"use_dynamo": True, "onnx_opset_version": 20}, "dynamo", 20),
        ({"use_dynamo": False}, "torchscript", 13),
        ({"use_dynamo": False, "onnx_opset_version": 18}, "torchscript", 18),
        ({"keep_initializers_as_inputs": None, "verbose": None}, "torchscript", 13),
    ],
)
def test_arguments_of_nemo(options: Any, exporter: str, opset: int, tmp_path: Path) -> None:
    assert doubled().export(tmp_path / "model.onnx", **options).exporter == exporter
    assert onnx.load(tmp_path / "model.onnx").opset_import[0].version == opset


def test_no_opset_is_left_to_the_exporter(tmp_path: Path) -> None:
    doubled().export(tmp_path / "model.onnx", onnx_opset_version=None)
    assert onnx.load(tmp_path / "model.onnx").opset_import[0].version > 13


def test_modules_as_functions_are_declined_in_one_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    doubled().export(tmp_path / "model.onnx", export_modules_as_functions=True)
    assert "export_modules_as_functions has no effect: PyTorch no longer writes functions." in caplog.messages


def test_the_formats_by_nemos_names(tmp_path: Path) -> None:
    model = doubled()
    type(model).supported_export_formats = [ExportFormat.ONNX]
    assert model.export(tmp_path / "model.onnx").files
    with pytest.raises(InputError, match="supported_export_formats does not list torchscript"):
        model.export(tmp_path / "model.ts")
    assert {one.name for one in ExportFormat} == {"ONNX", "TORCHSCRIPT"}


# What opset 13 has no operators for


def attending(self: Any, x: torch.Tensor) -> torch.Tensor:
    return nn.functional.scaled_dot_product_attention(x, x, x)


def test_a_model_that_the_default_opset_cannot_hold_is_written_in_a_newer_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = made(
        forward=attending,
        input_example=lambda self: (torch.randn(2, 5, 4),),
        input_types={"x": "batch time 4"},
        output_types={"y": "batch time 4"},
    )
    with caplog.at_level(logging.WARNING, LOGGER_NAME):
        result = model.export(tmp_path / "model.onnx", check_trace=True)
    told = "Made cannot be written in opset 13, the default; the file is of opset 18."
    assert told in result.notes
    assert told in caplog.messages
    assert onnx.load(tmp_path / "model.onnx").opset_import[0].version == 18
    with pytest.raises(ExportError, match="onnx_opset_version=18 lets the dynamo exporter try"):
        model.export(tmp_path / "asked.onnx", onnx_opset_version=13)
    assert not (tmp_path / "asked.onnx").exists()


# An example of batch 1


def only_one(self: Any, x: torch.Tensor) -> torch.Tensor:
    if x.shape[0] != 1:
        raise ValueError("one at a time")
    return x.squeeze(0) + 1


@each_format
def test_an_example_that_only_holds_for_batch_one(name: str, tmp_path: Path, run: Run) -> None:
    model = made(
        forward=only_one,
        input_example=lambda self: (torch.randn(1, 5),),
        input_types={"x": "batch time"},
        output_types={"y": "time"},
    )
    result = model.export(tmp_path / name)
    assert "Exported with 'batch' fixed at 1, as in the example: the model does not run at 2." in result.notes
    x = torch.randn(1, 7)
    (found,) = run(tmp_path / name, {"x": x})
    np.testing.assert_allclose(found, (x[0] + 1).numpy(), rtol=1e-6)


def reading(self: Any, x: torch.Tensor) -> torch.Tensor:
    """A trace holds the example's sum, or that of an example with a batch of 2."""
    return x * float(x.sum())


@each_format
def test_no_file_that_nobody_asked_to_check_is_wrong_on_its_own_example(name: str, tmp_path: Path, run: Run) -> None:
    x = torch.arange(1.0, 6.0)[None]
    model = made(
        forward=reading,
        input_example=lambda self: (x,),
        input_types={"x": "batch time"},
        output_types={"y": "batch time"},
    )
    if name != "model.pt":  # a capture follows the number
        model.export(tmp_path / name)
        np.testing.assert_allclose(run(tmp_path / name, {"x": x})[0], (x * 15).numpy())
        return
    with pytest.raises(CheckFailed, match="in the input example"):
        model.export(tmp_path / name)
    assert not list(tmp_path.iterdir())


# A cache of one length, of kind Time


class Cached(nn.Module, Exportable):
    """Takes any time of features, and a cache of four steps alone."""

    input_types = {"x": neural("Batch", "Time", "Dimension"), "cache": neural("Batch", "Time", "Dimension")}  # noqa: RUF012
    output_types = {"y": neural("Batch", "Time", "Dimension"), "after": neural("Batch", "Time", "Dimension")}  # noqa: RUF012

    def forward(self, x: torch.Tensor, cache: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        whole = torch.cat([cache, x], 1)
        return x * torch.arange(4.0)[:, None].mul(cache).sum(1, keepdim=True), whole[:, -4:]

    def input_example(self, max_batch: int = 1, max_dim: int = 6) -> tuple[torch.Tensor, ...]:
        return torch.randn(max_batch, 6, 3), torch.randn(max_batch, 4, 3)


@each_format
def test_an_axis_that_only_its_kind_calls_dynamic_may_be_fixed(name: str, tmp_path: Path, run: Run) -> None:
    result = Cached().export(tmp_path / name, check_trace=True)
    assert (
        "Exported with 'cache_time' fixed at 4, as in the example: the model does not run at other sizes."
        in result.notes
    )
    x, cache = torch.randn(3, 9, 3), torch.randn(3, 4, 3)
    for found, wanted in zip(run(tmp_path / name, {"x": x, "cache": cache}), Cached()(x, cache), strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4, atol=1e-5)
    if name == "model.onnx":
        assert axes_of(tmp_path / name)["x"] == ["batch", "x_time", 3]
        assert axes_of(tmp_path / name)["cache"] == ["batch", 4, 3]


def test_axes_that_move_together_are_not_taken_for_fixed_ones(tmp_path: Path) -> None:
    """Each of them alone cannot move; the model's own example moves both."""
    kinds = neural("Batch", "Time")
    model = made(
        forward=lambda self, text, pitch: text + pitch,
        input_example=lambda self, max_batch=2, max_dim=5: ({"text": torch.randn(max_batch, max_dim),
                                                             "pitch": torch.randn(max_batch, max_dim)},),
        input_types={"text": kinds, "pitch": kinds},
        output_types={"y": kinds},
    )  # fmt: skip
    result = model.export(tmp_path / "model.onnx", check_trace=True)
    assert not [note for note in result.notes if "fixed" in note]
    assert axes_of(tmp_path / "model.onnx")["pitch"] == ["batch", "pitch_time"]


class OneStep(Decoder):
    """Its example has one step, as NeMo's decoders; torch.export unrolls an LSTM over the steps that it sees."""

    def input_example(self) -> Any:
        return torch.randn(1, 2, 4), (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4))


def test_an_axis_that_no_exporter_follows_is_fixed_if_only_its_kind_calls_it_dynamic(tmp_path: Path) -> None:
    result = OneStep().export(tmp_path / "model.pt2", check_trace=True)
    assert "Exported with 'x_time' fixed at 1, as in the example: no exporter follows other sizes." in result.notes
    precise = type("Precise", (OneStep,), {
        "input_types": {"x": "time batch 4", "states": ("1 batch 4", "1 batch 4")},
        "output_types": {"y": "time batch 4", "after": ("1 batch 4", "1 batch 4")},
    })  # fmt: skip
    with pytest.raises(ExportError, match="does not keep what moves in the source: axis 'time'"):
        precise().export(tmp_path / "precise.pt2")
