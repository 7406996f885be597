"""Further models on which navcore's conformance kit tries plugins that start from PyTorch's, and this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Offered = tuple["torch.nn.Module", list[Any]]
_POSITIONS = 8


def conformance_models() -> Mapping[str, Callable[[], Offered]]:
    """By name, functions that build a model and its data; each has what many runtimes stumble over.

    ``bounded-axis`` takes at most 8 steps; ``two-inputs`` have different ranks, and are positional; ``integers`` go in
    and come out; a ``dictionary`` is nested, and returned as one.
    """
    return {
        "bounded-axis": lambda: _seeded(_bounded),
        "two-inputs": lambda: _seeded(_two_inputs),
        "integers": lambda: _seeded(_integers),
        "dictionary": lambda: _seeded(_dictionary),
    }


def _seeded(build: Callable[[], Offered]) -> Offered:
    """The same model every time; the state of PyTorch's random numbers is left as it was."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        model, data = build()
        return model.eval(), data


def _bounded() -> Offered:
    """Adds a learnt position to each step, and there are eight of them: float32 (batch, steps ≤ 8, 4)."""
    import torch

    class Positions(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.positions = torch.nn.Parameter(torch.randn(_POSITIONS, 4))
            self.out = torch.nn.Linear(4, 3)

        def forward(self, steps: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.out(torch.relu(steps + self.positions[: steps.shape[1]]))
            return answer

    return Positions(), [{"steps": torch.randn(2, length, 4)} for length in (3, 5, _POSITIONS, 4, 6)]


def _two_inputs() -> Offered:
    """An image and a vector, given by position: float32 (batch, 3, 8, 8) and (batch, 5)."""
    import torch

    class Both(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = torch.nn.Conv2d(3, 4, 3)
            self.out = torch.nn.Linear(4 + 5, 2)

        def forward(self, image: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
            seen = torch.relu(self.convolution(image)).mean((2, 3))
            answer: torch.Tensor = self.out(torch.cat([seen, vector], 1))
            return answer

    return Both(), [(torch.randn(2, 3, 8, 8), torch.randn(2, 5)) for _ in range(5)]


def _integers() -> Offered:
    """Class numbers of tokens: int64 (batch, 6) in, int64 (batch, 6) out."""
    import torch

    class Tagger(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = torch.nn.Embedding(20, 8)
            self.out = torch.nn.Linear(8, 5)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.out(self.words(tokens)).argmax(-1)
            return answer

    return Tagger(), [{"tokens": torch.randint(0, 20, (2, 6))} for _ in range(5)]


def _dictionary() -> Offered:
    """One argument that is a dictionary, of float32 (batch, 4) each; the result is one too."""
    import torch

    class Nested(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out = torch.nn.Linear(4, 4)

        def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            left = self.out(features["left"])
            return {"sum": left + features["right"], "left": left}

    return Nested(), [{"features": {"left": torch.randn(2, 4), "right": torch.randn(2, 4)}} for _ in range(5)]
