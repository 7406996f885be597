"""Types of tensors, whose axes have kinds by NeMo's letters."""

from __future__ import annotations

import enum
from types import SimpleNamespace

_LETTERS = {"B": "Batch", "T": "Time", "D": "Dimension", "C": "Dimension"}
AxisKind = enum.Enum("AxisKind", ["Batch", "Time", "Dimension"])


class NeuralType:
    """``NeuralType(("B", "D", "T"))``."""

    def __init__(self, axes: tuple[str, ...] = (), *, optional: bool = False) -> None:
        self.axes = [SimpleNamespace(kind=AxisKind[_LETTERS[letter]]) for letter in axes]
        self.optional = optional
