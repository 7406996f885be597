"""The table model × format, for models that stress names, arguments and results."""

# ruff: noqa: RUF012  (hooks are plain class attributes here, as users write them)
from __future__ import annotations

import enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from nav_torch import Exportable, TensorType


class PlainEncoder(nn.Module, Exportable):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv1d(8, 6, 3, padding=1)

    def forward(self, audio_signal: torch.Tensor, length: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        states = torch.relu(self.body(audio_signal))
        mask = torch.arange(states.shape[-1]) < length[:, None]
        return states * mask[:, None], length

    def input_example(self, max_batch: int = 2, max_dim: int = 10) -> tuple[torch.Tensor, ...]:
        return torch.randn(max_batch, 8, max_dim), torch.full((max_batch,), max_dim - 1)

    @property
    def input_types(self) -> dict[str, Any]:
        return {"audio_signal": TensorType("batch", 8, "time"), "length": TensorType("batch", dtype="int64")}

    @property
    def output_types(self) -> dict[str, Any]:
        return {"outputs": TensorType("batch", 6, "time"), "encoded_lengths": TensorType("batch")}


def audio(batch: int, time: int) -> dict[str, torch.Tensor]:
    return {"audio_signal": torch.randn(batch, 8, time), "length": torch.arange(batch) % time + 1}


class DuckEncoder(PlainEncoder):
    """NeMo's way to declare types, without NeMo."""

    class Kind(enum.Enum):
        Batch = 0
        Time = 1
        Dimension = 2

    @classmethod
    def neural(cls, *kinds: str) -> Any:
        return SimpleNamespace(axes=[SimpleNamespace(kind=cls.Kind[kind]) for kind in kinds], optional=False)

    @property
    def input_types(self) -> dict[str, Any]:
        return {"audio_signal": self.neural("Batch", "Dimension", "Time"), "length": self.neural("Batch")}

    @property
    def output_types(self) -> dict[str, Any]:
        return {"outputs": self.neural("Batch", "Dimension", "Time"), "encoded_lengths": self.neural("Batch")}


class FastPitchModule(nn.Module):
    """Nine results, eight optional keywords, as on the reference page; durations decide how long the result is."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 6)
        self.head = nn.Linear(6, 4)

    def forward(
        self,
        *,
        text: torch.Tensor,
        durs: Any = None,
        pitch: Any = None,
        speaker: int = 0,
        pace: float = 1.0,
        spec: Any = None,
        attn_prior: Any = None,
        mel_lens: Any = None,
        input_lens: Any = None,
    ) -> tuple[Any, ...]:
        embedded = self.words(text)
        durs = text % 3 + 1 if durs is None else durs
        ends = (durs / pace).cumsum(1)
        frames = torch.arange(self.frames(ends))
        upto = frames[None, :, None] < ends[:, None, :]
        spect = self.head(upto.to(embedded.dtype) @ embedded).transpose(1, 2)
        pitch = embedded.mean(-1)
        return spect, durs, durs.float().log(), pitch, None, None, None, None, pitch

    def frames(self, ends: torch.Tensor) -> Any:
        return ends.max().to(torch.int64)

    def input_example(self) -> Any:
        return ({"text": torch.arange(10).reshape(2, 5) % 7},)

    @property
    def input_types(self) -> dict[str, Any]:
        optional = ("durs", "pitch", "speaker", "pace", "spec", "attn_prior", "mel_lens", "input_lens")
        return {"text": ("batch", "text_time"), **dict.fromkeys(optional, ("batch", "text_time"))}

    @property
    def output_types(self) -> dict[str, Any]:
        hidden = ("attn_soft", "attn_logprob", "attn_hard", "attn_hard_dur", "pitch")
        return {
            "spect": ("batch", 4, "frames"),
            "durs_predicted": ("batch", "text_time"),
            "log_durs_predicted": ("batch", "text_time"),
            "pitch_predicted": ("batch", "text_time"),
            **dict.fromkeys(hidden, ("batch", "text_time")),
        }


class FastPitch(nn.Module, Exportable):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.fastpitch = inner

    @property
    def input_module(self) -> nn.Module:
        return self.fastpitch

    @property
    def output_module(self) -> nn.Module:
        return self.fastpitch

    def forward(self, *, text: Any, durs: Any = None, pitch: Any = None, speaker: int = 0, pace: float = 1.0) -> Any:
        return self.fastpitch(text=text, durs=durs, pitch=pitch, speaker=speaker, pace=pace)

    def forward_for_export(self, text: torch.Tensor) -> Any:
        spect, durs_predicted, log_durs_predicted, pitch_predicted, *_ = self.fastpitch(text=text)
        return spect, durs_predicted, log_durs_predicted, pitch_predicted

    @property
    def disabled_deployment_input_names(self) -> set[str]:
        return {"durs", "pitch", "speaker", "pace", "spec", "attn_prior", "mel_lens", "input_lens"}

    @property
    def disabled_deployment_output_names(self) -> set[str]:
        return {"attn_soft", "attn_logprob", "attn_hard", "attn_hard_dur", "pitch"}


class ItemModule(FastPitchModule):
    """Reads the length as a number, which a recording freezes."""

    def frames(self, ends: torch.Tensor) -> Any:
        frames = ends.max().to(torch.int64).item()
        torch._check(frames > 0)
        return frames


class DictInput(nn.Module, Exportable):
    """The example's dict is not in the order of the parameters, and leaves one out."""

    def forward(
        self,
        x: torch.Tensor,
        skipped: torch.Tensor | None = None,
        a: torch.Tensor | None = None,
        b: torch.Tensor | None = None,
        pace: float = 2.0,
    ) -> torch.Tensor:
        assert a is not None
        assert b is not None
        return x + 10 * a + 100 * b / pace + (1000 if skipped is not None else 0)

    def input_example(self) -> Any:
        return torch.randn(2, 3), {"b": torch.randn(2, 3), "pace": 4.0, "a": torch.randn(2, 3)}

    input_types = {name: TensorType("batch", 3) for name in ("x", "a", "b")}
    output_types = {"sum": TensorType("batch", 3)}


class AllByName(DictInput):
    def input_example(self) -> Any:
        return ({"b": torch.randn(2, 3), "x": torch.randn(2, 3), "a": torch.randn(2, 3)},)


class DictArgument(nn.Module, Exportable):
    """A dict that is an argument itself, so an empty one stands behind it."""

    def forward(self, x: torch.Tensor, more: dict[str, torch.Tensor]) -> torch.Tensor:
        return x - more["first"] + 10 * more["second"]

    def input_example(self) -> Any:
        return torch.randn(2, 3), {"second": torch.randn(2, 3), "first": torch.randn(2, 3)}, {}

    input_types = {"x": "batch 3", "more": "batch 3"}
    output_types = {"y": "batch 3"}


class BertClassifier(nn.Module, Exportable):
    """A shared encoder takes the input, a head gives two results, an optional input is left out."""

    class Encoder(nn.Module):
        def __init__(self, layers: int) -> None:
            super().__init__()
            self.words = nn.Embedding(30, 8)
            self.kinds = nn.Embedding(2, 8)
            self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(layers))

        def forward(self, input_ids: Any, token_type_ids: Any = None, attention_mask: Any = None) -> Any:
            states = self.words(input_ids)
            if token_type_ids is not None:
                states = states + self.kinds(token_type_ids)
            for layer in self.layers:
                states = states + torch.tanh(layer(states))
            return states * attention_mask[..., None]

        def input_example(self) -> Any:
            ids = torch.randint(0, 30, (2, 6))
            return ({"attention_mask": torch.ones_like(ids), "input_ids": ids},)

        input_types = {
            "input_ids": TensorType("batch", "time", dtype="int64"),
            "token_type_ids": TensorType("batch", "time", dtype="int64", optional=True),
            "attention_mask": TensorType("batch", "time", dtype="int64"),
        }

    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(8, 3), nn.Linear(8, 5)

        def forward(self, states: Any) -> Any:
            return self.first(states[:, 0]), self.second(states)

        output_types = {"intent_logits": ("batch", 3), "slot_logits": ("batch", "time", 5)}

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.encoder, self.head = self.Encoder(layers), self.Head()

    @property
    def input_module(self) -> nn.Module:
        return self.encoder

    @property
    def output_module(self) -> nn.Module:
        return self.head

    def forward(self, input_ids: Any, token_type_ids: Any = None, attention_mask: Any = None) -> Any:
        return self.head(self.encoder(input_ids, token_type_ids, attention_mask))


class DictOutput(nn.Module, Exportable):
    """A dict with a None and a nested list in it, and an output that is called like the input."""

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        return {"states": [x * 2, x * 3], "nothing": None, "x": x + 1}

    def input_example(self) -> Any:
        return torch.randn(2, 3)  # a bare tensor is an example of one

    input_types = {"x": ("batch", 3)}
    output_types = {"x": ("batch", 3), "nothing": ("batch", 3), "states": [("batch", 3), ("batch", 3)]}


def text(batch: int, time: int) -> dict[str, torch.Tensor]:
    return {"text": torch.randint(0, 20, (batch, time))}


def threes(batch: int, names: str = "x a b") -> dict[str, torch.Tensor]:
    return {name: torch.randn(batch, 3) for name in names.split()}


SPEECH = ({"batch": 1, "time": 7}, {"batch": 5, "time": 23})
BATCHES = ({"batch": 1}, {"batch": 7})


def rows(row: Any) -> dict[str, Any]:
    from nav_torch import CheckFailed

    spect = ("spect", "durs_predicted", "log_durs_predicted", "pitch_predicted")
    baked = (CheckFailed, r"n an example of batch 3, text_time 10: .*(spect.*has the shape|RuntimeError|Fail)")

    def bert(layers: int) -> Any:
        return row(
            lambda: BertClassifier(layers),
            lambda batch, time: {
                "input_ids": torch.randint(0, 30, (batch, time)),
                "attention_mask": torch.randint(0, 2, (batch, time)),
            },
            lambda model, feeds: model(**feeds),
            ("input_ids", "attention_mask"),
            ("intent_logits", "slot_logits"),
            SPEECH,
        )

    return {
        "plain encoder": row(
            PlainEncoder,
            audio,
            lambda model, feeds: model(**feeds),
            ("audio_signal", "length"),
            ("outputs", "encoded_lengths"),
            SPEECH,
        ),
        "types of NeMo": row(
            DuckEncoder,
            audio,
            lambda model, feeds: model(**feeds),
            ("audio_signal", "length"),
            ("outputs", "encoded_lengths"),
            SPEECH,
        ),
        "FastPitch": row(
            lambda: FastPitch(FastPitchModule()),
            text,
            lambda model, feeds: model.forward_for_export(feeds["text"]),
            ("text",),
            spect,
            SPEECH,
        ),
        "FastPitch with item": row(
            lambda: FastPitch(ItemModule()),
            text,
            lambda model, feeds: model.forward_for_export(feeds["text"]),
            ("text",),
            spect,
            SPEECH,
            errors={"onnx 13": baked, "torchscript": baked},
        ),
        "dict": row(
            DictInput,
            threes,
            lambda model, feeds: [model(**feeds, pace=4.0)],
            ("x", "a", "b"),
            ("sum",),
            BATCHES,
        ),
        "all by name": row(
            AllByName, threes, lambda model, feeds: [model(**feeds)], ("x", "a", "b"), ("sum",), BATCHES
        ),
        "dict as argument": row(
            DictArgument,
            lambda batch: threes(batch, "x more_1 more_2"),
            lambda model, feeds: [model(feeds["x"], {"second": feeds["more_1"], "first": feeds["more_2"]})],
            ("x", "more_1", "more_2"),
            ("y",),
            BATCHES,
        ),
        "Bert of one layer": bert(1),
        "Bert of two layers": bert(2),
        "Bert of four layers": bert(4),
        "dict as result": row(
            DictOutput,
            lambda batch: threes(batch, "x"),
            lambda model, feeds: [*(result := model(**feeds))["states"], result["x"]],
            ("x",),
            ("states_1", "states_2", "x_out"),
            BATCHES,
        ),
    }


@pytest.mark.parametrize("name", list(rows(lambda *parts, **named: None)))
def test_cell(name: str, column: str, row: Any, check_cell: Any) -> None:
    check_cell(rows(row)[name], column)


@pytest.mark.parametrize("name", ["model.onnx", "model.pt"])
def test_a_check_at_one_size_does_not_see_a_frozen_length(name: str, tmp_path: Path) -> None:
    """Why the check moves the axes: the same export passes where there is nothing to move."""
    result = FastPitch(ItemModule()).export(tmp_path / name, check_trace=True, use_dynamic_axes=False)
    assert result.verification is not None
    assert result.verification.compared == 1
