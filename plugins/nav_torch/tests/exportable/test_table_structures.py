"""The table model × format, for whole architectures: attention, recurrence, caches, vocoders, nested hooks."""

# ruff: noqa: RUF012  (hooks are plain class attributes here, as users write them)
from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, remove_weight_norm, weight_norm

from nav_torch import CheckFailed, Exportable, TensorType
from navcore.errors import ExportError


class HandAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(8, 24)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        query, key, value = self.mix(x).chunk(3, -1)
        scores = query @ key.transpose(1, 2) / math.sqrt(8) + mask
        return scores.softmax(-1) @ value


class LibraryAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, attn_mask=mask.repeat_interleave(2, 0), need_weights=False)[0]


class Conformer(nn.Module, Exportable):
    """Subsampling by convolutions, attention over what is left, a depthwise convolution, positions in a buffer."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.subsampling = nn.Conv1d(8, 8, 3, stride=2, padding=1)
        self.attention = attention
        self.depthwise = nn.Conv1d(8, 8, 3, padding=1, groups=8)
        self.norm = nn.BatchNorm1d(8)
        self.register_buffer("positions", torch.randn(64, 8), persistent=False)

    def forward(self, audio_signal: torch.Tensor, length: torch.Tensor) -> Any:
        states = self.subsampling(audio_signal).transpose(1, 2)
        length = torch.div(length - 1, 2, rounding_mode="floor") + 1
        states = states + self.positions[: states.shape[1]]
        there = torch.arange(states.shape[1]) < length[:, None]
        mask = torch.zeros(states.shape[0], states.shape[1], states.shape[1]).masked_fill(~there[:, None], -1e4)
        states = states + self.attention(states, mask)
        states = states.transpose(1, 2)
        return states + self.norm(self.depthwise(states)), length

    def input_example(self) -> Any:
        return torch.randn(1, 8, 14), torch.tensor([13])

    input_types = {"audio_signal": TensorType("batch", 8, "time"), "length": TensorType("batch")}
    output_types = {"outputs": TensorType("batch", 8, "frames"), "encoded_lengths": TensorType("batch")}


class Streaming(nn.Module, Exportable):
    """Caches go in and come out; an export has the batch first where the model has it second."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv1d(4, 4, 3)

    def forward(self, chunk: torch.Tensor, cache: torch.Tensor) -> Any:
        whole = torch.cat([cache.transpose(0, 1), chunk], -1)
        return self.body(whole), whole[..., -2:].transpose(0, 1)

    def forward_for_export(self, chunk: torch.Tensor, cache: torch.Tensor) -> Any:
        outputs, cache = self.forward(chunk, cache.transpose(0, 1))
        return outputs, cache.transpose(0, 1)

    def input_example(self) -> Any:
        return torch.randn(2, 4, 6), torch.randn(2, 4, 2)

    input_types = {"chunk": ("batch", 4, "time"), "cache": (4, "batch", 2)}
    output_types = {"outputs": ("batch", 4, "frames"), "cache_next": (4, "batch", 2)}
    input_types_for_export = {"chunk": ("batch", 4, "time"), "cache": ("batch", 4, 2)}
    output_types_for_export = {"outputs": ("batch", 4, "frames"), "cache_next": ("batch", 4, 2)}


class Transducer(nn.Module, Exportable):
    """A prediction network: two layers of LSTM, whose states are a nested tuple."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.words = nn.Embedding(9, 6)
        self.lstm = nn.LSTM(6, 6, num_layers=2)

    def forward(self, targets: torch.Tensor, states: tuple[torch.Tensor, torch.Tensor]) -> Any:
        return self.lstm(self.words(targets).transpose(0, 1), states)

    def input_example(self) -> Any:
        states = tuple(torch.randn(2, 3, 6) for _ in range(2))
        return torch.randint(0, 9, (3, self.steps)), states

    state = TensorType(2, "batch", 6)
    input_types = {"targets": TensorType("batch", "steps"), "input_states": (state, state)}
    output_types = {"outputs": TensorType("steps", "batch", 6), "output_states": (state, state)}


class HiFiGAN(nn.Module, Exportable):
    """Weight norm, in the old and in the new way, is removed before the export; all inputs go by name."""

    def __init__(self) -> None:
        super().__init__()
        self.first = weight_norm(nn.Conv1d(4, 6, 3, padding=1))
        self.up = parametrizations.weight_norm(nn.ConvTranspose1d(6, 1, 4, stride=2, padding=1))

    def forward(self, *, spec: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.up(torch.relu(self.first(spec))))

    def _prepare_for_export(self, **kwargs: Any) -> None:
        if hasattr(self.first, "weight_g"):
            remove_weight_norm(self.first)
        if parametrize.is_parametrized(self.up):
            parametrize.remove_parametrizations(self.up, "weight")
        Exportable._prepare_for_export(self, **kwargs)

    def input_example(self) -> Any:
        return ({"spec": torch.randn(2, 4, 5)},)

    input_types = {"spec": ("batch", 4, "time")}
    output_types = {"audio": ("batch", 1, "samples")}


class MaskedConv(nn.Module, Exportable):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 4, 3, padding=1)
        self.masked = True
        self.prepared: list[str] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert not self.masked, "a mask cannot be exported"
        return self.conv(x)

    def _prepare_for_export(self, noreplace: bool = False) -> None:  # without **kwargs, as in some of NeMo's classes
        assert noreplace
        self.masked = False


class MaskedNet(nn.Module, Exportable):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(MaskedConv(), nn.ReLU(), MaskedConv())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)

    def input_example(self) -> Any:
        return (torch.randn(2, 4, 5),)

    input_types = {"x": "batch 4 time"}
    output_types = {"y": "batch 4 time"}


class FusedLayerNorm(nn.Module):
    """Called like Apex's, and no exporter would understand it."""

    def __init__(self) -> None:
        super().__init__()
        self.normalized_shape, self.eps, self.elementwise_affine = (4,), 1e-4, True
        self.weight, self.bias = nn.Parameter(torch.randn(4)), nn.Parameter(torch.randn(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError("a CUDA kernel")


class LegacyNorm(nn.Module, Exportable):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv1d(4, 4, 3, padding=1)
        self.norm = FusedLayerNorm()
        self.up = nn.ConvTranspose1d(4, 4, 3, stride=2, output_padding=1)
        self.end = nn.Sequential(nn.BatchNorm1d(4), nn.AvgPool1d(2), nn.AdaptiveAvgPool1d(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.end(self.up(self.norm(self.body(x).transpose(1, 2)).transpose(1, 2)))

    def input_example(self) -> Any:
        return (torch.randn(2, 4, 6),)

    input_types = {"x": "batch 4 6"}
    output_types = {"y": "batch 4 1"}


class Branching(nn.Module, Exportable):
    """A branch and a loop that depend on the data: only TorchScript's compiler keeps them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool(x.sum() > 0):
            x = x * 2
        for _ in range(int(x[0, 0].abs())):
            x = x + 1
        return x

    def input_example(self) -> Any:
        return (torch.full((2, 3), 2.5),)

    @property
    def input_types(self) -> dict[str, Any]:
        return {name: "batch 3" for name in ("x", "y") if name == "x"}  # TorchScript cannot compile this

    output_types = {"y": "batch 3"}


class Half(nn.Module, Exportable):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 3).half()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)

    def input_example(self) -> Any:
        return (torch.randn(2, 4).half(),)

    input_types = {"x": TensorType("batch", 4, dtype="float16")}
    output_types = {"y": TensorType("batch", 3, dtype="float16")}


def audio(batch: int, time: int) -> dict[str, torch.Tensor]:
    return {"audio_signal": torch.randn(batch, 8, time), "length": torch.arange(batch) % time + 1}


def stream(batch: int, time: int) -> dict[str, torch.Tensor]:
    return {"chunk": torch.randn(batch, 4, time), "cache": torch.randn(batch, 4, 2)}


def targets(batch: int, steps: int) -> dict[str, torch.Tensor]:
    states = {f"input_states_{number}": torch.randn(2, batch, 6) for number in (1, 2)}
    return {"targets": torch.randint(0, 9, (batch, steps)), **states}


def predicted(model: Any, feeds: Any) -> Any:
    outputs, states = model(feeds["targets"], (feeds["input_states_1"], feeds["input_states_2"]))
    return outputs, *states


SPEECH = ({"batch": 1, "time": 7}, {"batch": 5, "time": 23}, {"batch": 3, "time": 40})
STEPS = ({"batch": 1, "steps": 1}, {"batch": 5, "steps": 9})
STATES = ("input_states_1", "input_states_2")


def rows(row: Any) -> dict[str, Any]:
    def plain(model: Any, feeds: Any) -> Any:
        return [model(**feeds)]

    def conformer(attention: Any, errors: Any) -> Any:
        names = ("audio_signal", "length"), ("outputs", "encoded_lengths")
        return row(lambda: Conformer(attention()), audio, lambda model, feeds: model(**feeds), *names, SPEECH, errors)

    def transducer(steps: int) -> Any:
        # An LSTM with states is unrolled by torch.export; the TorchScript-based exporter follows any length.
        errors = {"pt2": (ExportError, "torch.export does not keep what moves in the source: axis 'steps'")}
        outputs = ("outputs", "output_states_1", "output_states_2")
        return row(lambda: Transducer(steps), targets, predicted, ("targets", *STATES), outputs, STEPS, errors)

    wrong = (CheckFailed, r"output 'y' differ by more than check_tolerance=0.01")
    return {
        "Conformer": conformer(HandAttention, {}),
        "Conformer of the library": conformer(
            LibraryAttention, {"onnx 13": (ExportError, "scaled_dot_product_attention.*writes opset 18 and newer")}
        ),
        "streaming": row(
            Streaming,
            stream,
            lambda model, feeds: model.forward_for_export(**feeds),
            ("chunk", "cache"),
            ("outputs", "cache_next"),
            SPEECH[:2],
        ),
        "transducer, one step": transducer(1),
        "transducer, four steps": transducer(4),
        "HiFiGAN": row(
            HiFiGAN,
            lambda batch, time: {"spec": torch.randn(batch, 4, time)},
            plain,
            ("spec",),
            ("audio",),
            SPEECH,
        ),
        "masked": row(MaskedNet, lambda batch, time: {"x": torch.randn(batch, 4, time)}, plain, ("x",), ("y",), SPEECH),
        "fused norm, widened": row(
            LegacyNorm,
            lambda batch: {"x": torch.randn(batch, 4, 6)},
            plain,
            ("x",),
            ("y",),
            ({"batch": 1}, {"batch": 5}),
            options={"replace_1D_2D": True},
        ),
        "half": row(
            Half,
            lambda batch: {"x": torch.randn(batch, 4).half()},
            plain,
            ("x",),
            ("y",),
            ({"batch": 1}, {"batch": 5}),
            tolerance=1e-2,
        ),
        "branches, compiled": row(
            Branching,
            lambda batch: {"x": torch.full((batch, 3), -1.5)},
            plain,
            ("x",),
            ("y",),
            ({"batch": 1}, {"batch": 5}),
            errors={
                "onnx 13": wrong,
                "onnx 18": wrong,
                "pt2": (ExportError, "torch.export failed: GuardOnDataDependentSymNode"),
            },
            options={"try_script": True, "check_trace": [(torch.full((3, 3), -1.5),)]},
        ),
        "branches, recorded": row(
            Branching,
            lambda batch: {"x": torch.full((batch, 3), -1.5)},
            plain,
            ("x",),
            ("y",),
            (),
            errors={
                "onnx 13": wrong,
                "onnx 18": wrong,
                "torchscript": wrong,
                "pt2": (ExportError, "torch.export failed: GuardOnDataDependentSymNode"),
            },
            options={"check_trace": [(torch.full((3, 3), -1.5),)]},
        ),
    }


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("name", list(rows(lambda *parts, **named: None)))
def test_cell(name: str, column: str, row: Any, check_cell: Any) -> None:
    check_cell(rows(row)[name], column)
