# To mypy, NeMo is a library without types.
# mypy: disable-error-code="misc, untyped-decorator, index"
"""Recognisers of two parts, made as NeMo makes them: typed, masked, with a table that grows, of decoder and encoder."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from nemo.core.classes import Exportable, typecheck
from nemo.core.neural_types import NeuralType


class Encoder(nn.Module, Exportable):
    """Convolutions over masked features; it registers its table of positions when it first sees how long they are."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(4, 6, 3, padding=1), nn.BatchNorm1d(6), nn.ReLU())
        self.longest = 0
        self.masked, self.caching = True, False

    input_types: ClassVar[dict[str, Any]] = {"audio_signal": NeuralType(("B", "D", "T")), "length": NeuralType(("B",))}
    output_types: ClassVar[dict[str, Any]] = {
        "outputs": NeuralType(("B", "D", "T")),
        "encoded_lengths": NeuralType(("B",)),
    }

    def input_example(self, max_batch: int = 1, max_dim: int = 20) -> tuple[torch.Tensor, ...]:
        return torch.randn(max_batch, 4, max_dim), torch.full((max_batch,), max_dim)

    def _prepare_for_export(self, **kwargs: Any) -> None:
        self.masked = False
        Exportable._prepare_for_export(self, **kwargs)

    @typecheck()
    def forward(self, audio_signal: torch.Tensor, length: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if audio_signal.shape[-1] > self.longest:
            self.longest = audio_signal.shape[-1]
            self.register_buffer("places", torch.arange(self.longest), persistent=False)
        if self.masked:
            raise RuntimeError("masks are for training")
        known = self.places[: audio_signal.shape[-1]] < length[:, None]
        return self.body(audio_signal) * known[:, None], length


class Decoder(nn.Module, Exportable):
    """Letters of the encoder's states."""

    def __init__(self) -> None:
        super().__init__()
        self.letters = nn.Conv1d(6, 3, 1)

    input_types: ClassVar[dict[str, Any]] = {"encoder_output": NeuralType(("B", "D", "T"))}
    output_types: ClassVar[dict[str, Any]] = {"logprobs": NeuralType(("B", "T", "D"))}

    @typecheck()
    def forward(self, encoder_output: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(self.letters(encoder_output).transpose(1, 2), -1)


class ExportableEncDecModel(Exportable):
    """What NeMo's models of encoder and decoder say of their export."""

    encoder: Encoder
    decoder: Decoder

    @property
    def input_module(self) -> Any:
        return self.encoder

    @property
    def output_module(self) -> Any:
        return self.decoder

    def forward_for_export(self, audio_signal: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        states, _ = self.encoder(audio_signal=audio_signal, length=length)
        result: torch.Tensor = self.decoder(encoder_output=states)
        return result

    def set_export_config(self, args: dict[str, Any]) -> None:
        if "cache_support" in args:
            self.encoder.caching = bool(args["cache_support"])
        super().set_export_config(args)


class ModelPT(nn.Module):
    """NeMo's base of models, which keeps to itself that a class was derived."""

    def __init_subclass__(cls) -> None:
        pass


class EncDecCTCModel(ModelPT, ExportableEncDecModel):
    """One file; its own ``forward`` is for training."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()

    @classmethod
    def restore_from(cls, restore_path: str, map_location: str | None = None) -> Any:
        torch.manual_seed(0)
        return cls()

    @typecheck()
    def forward(self, input_signal: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class Joint(nn.Module, Exportable):
    """Joins what the encoder heard with what was said before."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.letters = nn.Embedding(5, 6), nn.Linear(6, 5)

    input_types: ClassVar[dict[str, Any]] = {
        "encoder_outputs": NeuralType(("B", "D", "T")),
        "targets": NeuralType(("B", "T")),
    }
    output_types: ClassVar[dict[str, Any]] = {"joined": NeuralType(("B", "T", "T", "D"))}

    def input_example(self, max_batch: int = 1, max_dim: int = 3) -> tuple[torch.Tensor, ...]:
        return torch.randn(max_batch, 6, 7), torch.randint(0, 5, (max_batch, max_dim))

    @typecheck()
    def forward(self, encoder_outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.letters(encoder_outputs.transpose(1, 2)[:, :, None] + self.words(targets)[:, None])
        return result


class EncDecRNNTModel(ModelPT, ExportableEncDecModel):
    """Two files, as NeMo's transducers."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.joint = Encoder(), Joint()

    def list_export_subnets(self) -> list[str]:
        return ["encoder", "decoder_joint"]

    @property
    def decoder_joint(self) -> Any:
        return self.joint
