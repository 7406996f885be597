"""The small model that this plugin offers to the conformance kit: what is made from PyTorch is tried on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_WORDS, _WIDTH, _CLASSES = 100, 16, 5
_LENGTHS = (4, 7, 5, 9, 6)


def conformance_model() -> tuple[torch.nn.Module, list[dict[str, Any]]]:
    """A classifier of word sequences and its data.

    It takes ``ids`` (int64) and ``weights`` (float32), both of shape (batch, length) with a length that varies, and
    returns ``scores``, shape (batch, 5), and ``states``, shape (batch, length, 16), both float32. Its weights and data
    are the same every time, and the state of PyTorch's random numbers is left as it was.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        data = [
            {"ids": torch.randint(0, _WORDS, (3, length)), "weights": torch.rand(3, length) + 0.5}
            for length in _LENGTHS
        ]
        return _classifier().eval(), data


def _classifier() -> torch.nn.Module:
    """The module; its class is made in here, since at module level it would need torch when plugins are listed."""
    import torch

    class WordClassifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = torch.nn.Embedding(_WORDS, _WIDTH)
            self.head = torch.nn.Linear(_WIDTH, _CLASSES)

        def forward(self, ids: torch.Tensor, weights: torch.Tensor) -> dict[str, torch.Tensor]:
            states = torch.tanh(self.words(ids)) * weights.unsqueeze(-1)
            return {"scores": self.head(states.mean(1)), "states": states}

    return WordClassifier()
