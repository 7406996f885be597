"""The table model × format, for whole architectures: attention, recurrence, caches, vocoders, nested hooks."""

# ruff: noqa: RUF012  (hooks are plain class attributes here, as users write them)
from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, remove_weight_norm, weight_norm

from nav_torch import CheckFailed, Exportable, TensorType
from nav_torch.axes import FrozenAxes
from navcore import ExportError


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


class BrainFloat(nn.Module, Exportable):
    """Weights in bfloat16, which ONNX Runtime has no matrix product of on the CPU; inputs and outputs in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 3).bfloat16()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x.bfloat16()).float()

    def input_example(self) -> Any:
        return (torch.randn(2, 4),)

    input_types = {"x": TensorType("batch", 4)}
    output_types = {"y": TensorType("batch", 3)}


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
        errors = {"pt2": (FrozenAxes, "torch.export does not keep what moves in the source: axis 'steps'")}
        outputs = ("outputs", "output_states_1", "output_states_2")
        return row(lambda: Transducer(steps), targets, predicted, ("targets", *STATES), outputs, STEPS, errors)

    narrow = (
        ExportError,
        r"^BrainFloat.export: .*ONNX Runtime does not run BrainFloat in bfloat16 here: .*Gemm.*"
        r"Export a float32 copy \(model.float\(\)\), or leave check_trace away",
    )
    wrong = (CheckFailed, r"output 'y' differ by more than check_tolerance=0.01")
    return {
        "Conformer": conformer(HandAttention, {}),
        "Conformer of the library": conformer(
            LibraryAttention, {"onnx 13": (ExportError, "scaled_dot_product_attention.*writes opset 18 and newer")}
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
        "bfloat16": row(
            BrainFloat,
            lambda batch: {"x": torch.randn(batch, 4)},
            plain,
            ("x",),
            ("y",),
            ({"batch": 1}, {"batch": 5}),
            errors={"onnx 13": narrow, "onnx 18": narrow},
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


@pytest.mark.parametrize("opset", [13, 18])
def test_unchecked_a_model_in_bfloat16_is_written_with_a_warning(
    opset: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    BrainFloat().export(tmp_path / "model.onnx", onnx_opset_version=opset)
    weights = onnx.load(tmp_path / "model.onnx").graph.initializer
    assert onnx.TensorProto.BFLOAT16 in {weight.data_type for weight in weights}
    assert "BrainFloat computes in bfloat16, for which ONNX Runtime has hardly any kernel on the CPU" in caplog.text


@pytest.mark.parametrize("name", ["model.pt", "model.pt2"])
def test_inputs_and_outputs_may_be_in_bfloat16(name: str, tmp_path: Path) -> None:
    model = BrainFloat()
    model.forward = lambda x: model.body(x)  # type: ignore[method-assign]
    result = model.export(tmp_path / name, (torch.randn(2, 4).bfloat16(),), check_trace=True)
    assert result.verification is not None
    assert result.verification.compared == 2


def test_attention_of_the_library_is_left_to_the_exporter_that_keeps_its_sizes(tmp_path: Path) -> None:
    model = Conformer(LibraryAttention())
    with pytest.raises(CheckFailed, match=r"an example of batch 2, time 28: .*(Reshape|Expand|Add|Where)"):
        model.export(tmp_path / "model.onnx", onnx_opset_version=18, exporter="torchscript", check_trace=True)
    assert list(tmp_path.iterdir()) == []
    assert model.export(tmp_path / "model.onnx", onnx_opset_version=18, check_trace=True).exporter == "dynamo"


def test_a_transformer_of_the_library_at_an_opset_of_the_old_exporter(tmp_path: Path) -> None:
    """With its axes fixed; in evaluation mode it would be one operator that ONNX does not have."""

    class Transformer(nn.TransformerEncoderLayer, Exportable):
        def input_example(self) -> Any:
            return (torch.randn(2, 5, 8),)

        input_types = {"src": ("batch", "time", 8)}
        output_types = {"states": ("batch", "time", 8)}

    model = Transformer(8, 2, 16, batch_first=True)
    before = torch.backends.mha.get_fastpath_enabled()
    result = model.export(tmp_path / "model.onnx", onnx_opset_version=17, use_dynamic_axes=False, check_trace=True)
    assert result.exporter == "torchscript"
    assert torch.backends.mha.get_fastpath_enabled() == before


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
def test_a_hook_that_removes_something_may_be_called_again(tmp_path: Path, run: Any) -> None:
    model = HiFiGAN().eval()
    spec = torch.randn(1, 4, 9)
    with torch.no_grad():
        wanted = model(spec=spec)
    for name in ("model.onnx", "model.pt"):
        model.export(tmp_path / name, check_trace=True)
        torch.testing.assert_close(torch.from_numpy(run(tmp_path / name, {"spec": spec})[0]), wanted)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
def test_what_cannot_be_compiled_is_recorded(tmp_path: Path) -> None:
    class OldWeightNorm(HiFiGAN):
        def _prepare_for_export(self, **kwargs: Any) -> None:
            """Leaves the weight norms, the old one of which TorchScript does not compile."""

    result = OldWeightNorm().export(tmp_path / "model.pt", try_script=True, check_trace=True)
    assert result.exporter == "torch.jit.trace"
    assert result.notes[0].startswith("torch.jit.script was not used: ")
