"""What may be asked of a quantisation: by which method, how far the outputs may move, and what stays in float32."""

from __future__ import annotations

import math
from typing import Literal, get_args

import attrs

from nav_onnx.cast_rules import CastRules
from navcore import OptionError
from navcore.contract import harmless

Method = Literal["static", "dynamic"]
MAX_ERROR = 0.05
"""Half of what navcore's table lets int8 differ, so that data beyond the samples has as much again."""


@attrs.frozen
class QuantiseRules:
    """How a float32 graph becomes one that computes in int8.

    ``method``: ``"static"`` calibrates the ranges of the activations on the user's samples, ``"dynamic"`` leaves them
    to every call; ``None`` takes ``"static"`` for a model with convolutions, and ``"dynamic"`` for any other, where
    static follows if dynamic is too far off. Layers stay in float32 until the outputs on the samples are no farther
    than ``max_error`` from the float32 model's (relative L2, the largest of all samples and outputs). ``keep_nodes``
    are names of nodes and ``keep_ops`` operator types that stay in float32 by the user's wish.
    Raises :class:`OptionError` for values that cannot be meant.
    """

    method: Method | None = None
    max_error: float = attrs.field(default=MAX_ERROR, metadata=harmless(1e-4, 1.0))
    keep_nodes: tuple[str, ...] = ()
    keep_ops: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.method is not None and self.method not in get_args(Method):
            raise OptionError(f"method is {self.method!r}.", hint="Choose 'static' or 'dynamic', or leave it out.")
        good = isinstance(self.max_error, int | float) and math.isfinite(self.max_error) and self.max_error > 0
        if not good:
            raise OptionError(f"max_error is {self.max_error!r}.", hint="Give a positive number, such as 0.05.")
        _ = self.kept  # which refuses what are no names

    @property
    def kept(self) -> CastRules:
        """The names alone, as the cast to 16 bits takes them."""
        return CastRules(keep_nodes=self.keep_nodes, keep_ops=self.keep_ops)
