"""PyTorch models on which whole runs are tried."""

from __future__ import annotations

from typing import Any

import pytest
import torch


class Convolutions(torch.nn.Module):
    """A small image network with batch norm, which an export in training mode would get wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.Dropout(0.5)
        )
        self.head = torch.nn.Linear(8, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(self.body(image).mean((2, 3)))
        return result


class Keywords(torch.nn.Module):
    """Takes keywords in another order than the data, a constant, and returns a tuple of a float and a bool."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
        return x * scale * mask, mask > 0.5


def bert() -> tuple[torch.nn.Module, list[Any]]:
    """A small transformer with random weights, and data whose batch and sequence axes are shared by its inputs."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=100, hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=64
    )
    data = [
        {"input_ids": torch.randint(0, 100, (2, size)), "attention_mask": torch.ones(2, size, dtype=torch.int64)}
        for size in (8, 16, 12)
    ]
    return transformers.BertModel(config).eval(), data
